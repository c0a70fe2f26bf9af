"""When all is well, and what a send may come to."""

from dataclasses import replace

import pytest

from mq.chaos.calm import CALM_AFTER_S, GIVE_UP_S, Calm, given_up, longest_gap_s, refused
from mq.chaos.history import REFUSED, UNKNOWN, FaultDone, History
from tests.unit.chaos.test_checks import good, send


def faults(*spans: tuple[float, float], elected_s: tuple[float, ...] = ()) -> History:
    return History(faults=[FaultDone("kill", "n1", began_s, ended_s, 1) for began_s, ended_s in spans], elected_s=[*elected_s])


@pytest.mark.parametrize(
    ("began_s", "ended_s", "is_calm"),
    [
        (0.0, 9.9, True), (9.0, 10.1, False), (11.0, 11.5, False), (12.9, 13.5, False), (15.1, 15.9, True), (15.1, 30.0, False),
        (30.1, 31.0, False), (32.0, 33.0, True), (34.5, 34.6, False), (40.1, 1000.0, True),
    ],
)  # fmt: skip
def test_all_is_well_beside_faults_and_elections_and_what_is_left_of_them(began_s: float, ended_s: float, is_calm: bool) -> None:
    assert CALM_AFTER_S == 3.0
    history = faults((10.0, 12.0), (20.0, 28.0), (16.0, 27.0), elected_s=(37.0,))
    assert Calm(history).covers(began_s, ended_s) is is_calm


def test_where_nothing_is_broken_all_is_well() -> None:
    assert Calm(History()).covers(0.0, 1000.0)


@pytest.mark.parametrize(
    ("began_s", "ended_s", "calm_s"),
    [(0.0, 50.0, 25.0), (0.0, 8.0, 8.0), (11.0, 14.0, 0.0), (12.0, 18.0, 2.0), (41.0, 45.0, 4.0), (29.0, 32.0, 1.0)],
)
def test_so_long_all_was_well_while_there_were_sends(began_s: float, ended_s: float, calm_s: float) -> None:
    history = faults((10.0, 12.0), (17.0, 28.0), (20.0, 21.0), elected_s=(37.0,))
    assert Calm(history).seconds(history) == 0.0
    middle_s = (began_s + ended_s) / 2
    history.sends = [send(1, began_s=middle_s, ended_s=ended_s), send(2, began_s=began_s, ended_s=middle_s)]
    assert Calm(history).seconds(history) == calm_s


def test_an_attempt_that_came_to_nothing_beside_a_fault_is_no_surprise() -> None:
    history = faults((10.0, 12.0))
    history.sends = [send(1, failed=((9.9, 10.1), (14.0, 14.9)), error="NotServingError: no leader")]
    assert list(refused(history)) == []
    history.sends = [send(1, failed=((9.9, 10.1), (15.5, 15.6), (15.7, 15.8)), error="NotServingError: no leader")]
    assert list(refused(history)) == [
        "m1: an attempt came to nothing while all was well, at 15.500 s: NotServingError: no leader"
    ]
    history.elected_s = [17.0]
    assert list(refused(history)) == []


def failing(**more: object) -> list[str]:
    history = good()
    history.sends.append(send(3, offset=None, **more))
    return list(given_up(history))


def test_what_was_let_go_did_not_fail() -> None:
    assert failing(outcome=UNKNOWN, is_unsure=True, error="ConnectionLostError: gone") == []


def test_a_send_that_nobody_took_for_so_long_failed_known_or_not() -> None:
    late = {"began_s": 3.0, "ended_s": 3.0 + GIVE_UP_S, "error": "NotServingError: no"}
    for outcome in (REFUSED, UNKNOWN):
        assert failing(outcome=outcome, **late) == ["m3 was not stored within 20.0 s: NotServingError: no"]


def test_a_refusal_for_good_is_a_failure_though_an_attempt_before_it_may_have_happened() -> None:
    assert failing(outcome=UNKNOWN, is_unsure=True, error="RefusedError: no such topic") != []


def test_two_nodes_that_are_down_for_so_long_excuse_it_and_nothing_else_does() -> None:
    history = good()
    one = send(3, began_s=50.0, ended_s=71.0, outcome=REFUSED, offset=None, error="NotServingError: no leader")
    history.sends.append(one)
    for kind in ("double-kill", "power-cut"):
        history.faults = [FaultDone(kind, "n1,n2", 52.0, 68.0, 1)]
        assert list(given_up(history)) == []
    history.faults = [FaultDone("double-kill", "n1,n2", 52.0, 60.0, 1), FaultDone("kill", "n1", 50.0, 80.0, 1)]
    assert len(list(given_up(history))) == 1
    history.faults = [FaultDone("double-kill", "n1,n2", 52.0, 68.0, 1)]
    history.sends[-1] = replace(one, error="IllegalArgumentError: body")
    assert len(list(given_up(history))) == 1


def test_the_longest_gap_is_between_acknowledged_sends() -> None:
    history = good()
    history.sends[1] = send(1, outcome=UNKNOWN)
    assert longest_gap_s(history.sends) == 2.0
    assert longest_gap_s([]) == 0.0
