"""An election begins near a fault that can need one, or because something stood still; any other is needless."""

import pytest

from mq.chaos.elections import BEGINS_S_MAX, Election, ElectionWatch, needed, needless
from mq.chaos.history import FaultDone, History
from mq.sim.trace import Event


def told(at_s: float, node: str, name: str, **details: int | str) -> Event:
    return Event(round(at_s * 1000), node, name, dict(details))


def role(at_s: float, node: str, name: str, term: int) -> Event:
    return told(at_s, node, "role", role=name, term=term, leader="-")


def beats(from_s: float, to_s: float, leader: str = "n1", *, arrive: bool = True) -> list[Event]:
    """Signs of life, each tenth of a second."""
    found = []
    for tenth in range(round(from_s * 10), round(to_s * 10)):
        found += [told(tenth / 10, leader, "send", id=tenth)]
        found += [told(tenth / 10, "n2", "receive", id=tenth), told(tenth / 10, "n3", "commit")] if arrive else []
    return found


def watch(*events: Event) -> ElectionWatch:
    found = ElectionWatch()
    for event in sorted(events, key=lambda one: one.at_ms):
        found.observe(event)
    return found


FIRST = (role(0.5, "n1", "candidate", 1), role(0.6, "n1", "leader", 1))


def second(at_s: float) -> tuple[Event, ...]:
    return role(at_s, "n2", "candidate", 2), role(at_s + 0.1, "n2", "leader", 2)


# --- when an election began, and what stood still


def test_an_election_begins_with_its_first_candidate_whoever_wins_it_later() -> None:
    found = watch(
        *FIRST, *beats(0.6, 9.0), role(9.0, "n3", "pre-candidate", 1), role(9.1, "n3", "candidate", 2),
        role(9.9, "n2", "candidate", 3), role(10.2, "n2", "leader", 3), role(10.3, "n2", "leader", 3),
        role(10.4, "n1", "leader", 1),
    )  # fmt: skip
    assert [(one.term, one.leader, one.began_s, one.won_s) for one in found.won] == [(1, "n1", 0.5, 0.6), (3, "n2", 9.1, 10.2)]
    assert [one.stood_still for one in found.won] == ["", ""]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (beats(0.6, 9.0), ""),
        ([*beats(0.6, 8.1), *beats(8.1, 9.0, "n3")], "n1 did nothing for 1.0 s"),
        ([*beats(0.6, 7.0), *beats(7.8, 9.0)], "n1 did nothing for 0.9 s"),
        ([*beats(0.6, 1.0), *beats(1.8, 9.0)], ""),
        ([*beats(0.6, 8.2), *beats(8.2, 9.0, arrive=False)], "nothing arrived anywhere for 0.9 s"),
        ([*beats(0.6, 9.0), told(7.0, "n1", "append", sequence=4)], "the disk of n1 took 2.0 s"),
        ([*beats(0.6, 9.0), told(7.0, "n1", "append", sequence=4), told(7.1, "n1", "save", sequence=5)], ""),
        ([*beats(0.6, 9.0), told(7.0, "n1", "append", sequence=4), told(7.1, "n1", "save-failed", sequence=4)], ""),
        ([*beats(0.6, 9.0), told(7.0, "n2", "append", sequence=4)], ""),
        ([*beats(0.6, 8.1), *beats(8.1, 9.0, "n3"), told(8.5, "n1", "slow-disk", ms=3)], "n1 did nothing for 1.0 s"),
    ],
)
def test_what_stood_still_shortly_before_is_told(more: list[Event], why: str) -> None:
    assert [one.stood_still for one in watch(*FIRST, *more, *second(9.0)).won] == ["", why]


def test_starts_and_ends_of_nodes_are_moments() -> None:
    assert watch(told(1.0, "n1", "start"), told(2.0, "n1", "kill"), told(3.0, "n1", "pause")).turns_s == [1.0, 2.0]


# --- which of them are needless


def history(*faults: FaultDone) -> History:
    return History(faults=list(faults), facts={"began_s": 10.0, "ended_s": 100.0})


def fault(kind: str, nodes: str, elections: int, began_s: float = 20.0, ended_s: float = 40.0) -> FaultDone:
    return FaultDone(kind, nodes, began_s, ended_s, elections)


LED = Election(1, "n1", 1.0, 1.1)


def without_reason(of: History, elections: list[Election], done_s: list[float]) -> list[str]:
    return needless(of, elections, done_s)[0]


def of(began_s: float, why: str = "") -> list[Election]:
    return [LED, Election(2, "n2", began_s, began_s + 0.2, why)]


@pytest.mark.parametrize(
    ("began_s", "is_needless"),
    [(19.9, True), (20.0, False), (25.0, False), (25.1, True), (29.9, True), (30.0, False), (35.1, True), (40.1, False),
     (44.9, False), (45.1, True)],
)  # fmt: skip
def test_it_begins_soon_after_a_moment_in_which_something_was_done(began_s: float, is_needless: bool) -> None:
    assert BEGINS_S_MAX == 5.0
    assert bool(without_reason(history(fault("kill", "broker-a-1", 1)), of(began_s), [30.0])) is is_needless


def test_it_is_told_who_when_and_how_long_after_what() -> None:
    assert without_reason(history(fault("kill", "broker-a-1", 1)), of(50.0), [30.0]) == [
        "n2 was elected for term 2 at 40.200 s of the run, 10.0 s after the last fault that can need one"
    ]


@pytest.mark.parametrize(
    ("one", "is_needless"),
    [
        (fault("kill", "broker-a-2", 0), True),  # a follower's death is nobody's reason
        (fault("pause", "broker-a-1", 0), False),  # too short to need one, and yet somebody may have noticed
        (fault("cut", "broker-a-1,broker-a-2", 0), True),
        (fault("slow-disk", "broker-a-1", 0), True),
        (fault("clock-jump", "broker-a-1", 0), True),
        (fault("double-kill", "broker-a-2,broker-a-3", 1), False),
        (fault("isolate", "broker-a-1", 0), False),  # whoever asked who leads was answered with an old leader
    ],
)
def test_only_a_fault_that_takes_the_leader_is_a_reason(one: FaultDone, is_needless: bool) -> None:
    assert bool(without_reason(history(one), of(21.0), [])) is is_needless


def test_who_was_elected_within_a_fault_is_not_who_led_when_it_was_done() -> None:
    paused = fault("pause", "broker-a-2", 0)
    assert len(without_reason(history(paused), of(22.0), [20.1, 21.0])) == 1


def test_what_stood_still_is_excused_and_what_is_not_of_the_run_is_passed_over() -> None:
    told = "n2 was elected for term 2 at 40.200 s of the run, before any fault that can need one; before that its disk was slow"
    assert needless(history(), of(50.0, "its disk was slow"), []) == ([], [told])
    assert without_reason(history(), of(5.0), []) == []
    assert without_reason(history(), of(100.0), []) == []
    assert len(without_reason(history(), of(50.0), [])) == 1


@pytest.mark.parametrize("kind", ["double-kill", "power-cut"])
@pytest.mark.parametrize(
    ("leader", "won_s", "taken"),
    [("n2", 20.2, 2), ("n2", 19.9, 1), ("n1", 20.2, 1), ("n2", 30.5, 1)],
    ids=["elected before it ended, too", "before the fault", "who did not end", "after it was started again"],
)
def test_of_several_that_end_one_after_the_other_one_may_have_been_elected_in_between(
    kind: str, leader: str, won_s: float, taken: int
) -> None:
    several = fault(kind, "broker-a-3,broker-a-2", 1)
    elections = [Election(2, leader, won_s, won_s)]
    assert needed(history(several), elections, [10.0, 30.1, 30.2]) == taken
    assert needed(history(fault("isolate", several.nodes, 1)), elections, [10.0, 30.1, 30.2]) == 1


def test_starts_of_nodes_are_told_from_their_ends() -> None:
    found = watch(*FIRST, told(3.0, "n1", "kill"), told(4.0, "n1", "start"))
    assert (found.turns_s, found.starts_s) == ([3.0, 4.0], [4.0])
