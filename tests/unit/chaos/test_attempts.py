"""Attempts are counted one by one, and come again in time; what nobody saw or could help is excused, and nothing else."""

from collections.abc import Sequence

import pytest

from mq.chaos.attempts import late, skipped
from mq.chaos.history import DONE, REFUSED, UNKNOWN, Change, FaultDone, History, Receive
from tests.unit.chaos.test_checks import change, receive, send


def seen(*receives: Receive, faults: Sequence[tuple[float, float]] = (), changes: Sequence[Change] = ()) -> History:
    """Message m1, sent at 1 s; each of its deliveries hides it for 10 s."""
    done = [FaultDone("kill", "n1", began_s, ended_s, 1) for began_s, ended_s in faults]
    return History(sends=[send(1)], receives=[*receives], faults=done, changes=[*changes])


@pytest.mark.parametrize(
    ("at_s", "attempt", "faults", "is_excused"),
    [
        (14.0, 2, [], True),
        (24.0, 3, [], False),  # all was well: who would not have seen the second?
        (24.0, 3, [(14.0, 15.0)], True),
        (22.0, 3, [(14.0, 15.0)], False),  # the second would have hidden it until 23 s
        (24.0, 4, [(14.0, 15.0)], False),
        (34.0, 4, [(14.0, 15.0)], True),
    ],
)
def test_an_attempt_that_nobody_saw_needs_a_fault_and_its_own_time(
    at_s: float, attempt: int, faults: list[tuple[float, float]], is_excused: bool
) -> None:
    history = seen(receive(1, at_s=3.0), receive(1, at_s=at_s, attempt=attempt), faults=faults)
    assert list(skipped(history)) == ([] if is_excused else [f"attempt {attempt} of m1 came to g right after 1"])


@pytest.mark.parametrize(("at_s", "is_excused"), [(10.0, False), (11.5, True)])
def test_the_first_one_may_be_one_that_nobody_saw_as_well(at_s: float, is_excused: bool) -> None:
    history = seen(receive(1, at_s=at_s, attempt=2), faults=[(2.0, 3.0)])
    assert list(skipped(history)) == ([] if is_excused else ["m1 came to g with attempt 2 first"])


def test_a_time_that_was_made_shorter_makes_room_for_one_sooner() -> None:
    receives, faults = (receive(1, at_s=3.0), receive(1, at_s=15.0, attempt=3)), [(5.0, 6.0)]
    assert len(list(skipped(seen(*receives, faults=faults)))) == 1
    assert list(skipped(seen(*receives, faults=faults, changes=[change(1, 4.0, 1.0)]))) == []


@pytest.mark.parametrize(
    ("at_s", "faults", "is_late"),
    [(23.0, [], False), (24.0, [], True), (60.0, [], True), (24.0, [(20.0, 20.5)], False), (60.0, [(30.0, 31.0)], True)],
)
def test_what_ran_out_is_late_when_all_was_well_for_long_enough(
    at_s: float, faults: list[tuple[float, float]], is_late: bool
) -> None:
    history = seen(receive(1, at_s=3.0), receive(1, at_s=at_s, attempt=2), faults=faults)
    told = [f"attempt 2 of m1 came to g {at_s - 13:.3f} s after its invisible time"] if is_late else []
    assert list(late(history)) == told
    history.ordered.add("g")
    assert list(late(history)) == [], "there it waits for others"


@pytest.mark.parametrize(
    ("outcome", "invisible_s", "is_late"),
    [(DONE, 60.0, False), (UNKNOWN, 60.0, False), (REFUSED, 60.0, True), (DONE, 1.0, True), (UNKNOWN, 1.0, False)],
)
def test_a_changed_time_counts_as_far_as_it_may_have_been_changed(outcome: str, invisible_s: float, is_late: bool) -> None:
    at_s = 24.0 if outcome == REFUSED else 20.0
    changes = [change(1, 4.0, invisible_s, outcome=outcome)]
    history = seen(receive(1, at_s=3.0), receive(1, at_s=at_s, attempt=2), changes=changes)
    assert (list(late(history)) != []) is is_late
