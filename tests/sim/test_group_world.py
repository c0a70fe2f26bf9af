"""Whole runs of a Raft group: ours keeps every promise, every wrong one breaks the promise that it is about."""

from collections import Counter
from dataclasses import replace

import pytest

from mq.raft import quorum
from mq.raft.node import RaftNode
from mq.sim.checkers import VacuousRunError
from mq.sim.group.events import GROUP_EVENTS, MESSAGE_DETAILS
from mq.sim.group.faults import Nemesis
from mq.sim.group.judge import judge
from mq.sim.group.options import FAULTS, GroupOptions, draw_options
from mq.sim.group.seeds import run_seed
from mq.sim.group.watch import ViolationError
from mq.sim.group.workload import WorkloadOptions
from mq.sim.group.world import GroupWorld
from mq.sim.trace import Event
from tests.sim.group_wrong import WRONG, Wrong

EVENTS_MIN = 3000
_JUDGED_EVERY = 4
"""Reading a trace takes as long as the run."""


def run_seeds(seeds: range) -> tuple[Counter[str], Counter[str]]:
    """What the runs met, and how often each event was in a trace; each trace is judged, too."""
    met: Counter[str] = Counter()
    events: Counter[str] = Counter()
    for seed in seeds:
        world = GroupWorld(seed)
        trace = world.run()
        counts = world.met()
        assert min(counts["crashes"], counts["cuts"]) >= 1, f"seed {seed} proves nothing"
        assert counts["events"] >= EVENTS_MIN, f"seed {seed} is too short"
        if seed % _JUDGED_EVERY == 0:
            assert judge(trace.events()) is None, f"seed {seed}: the judge sees what no checker saw"
        met.update(counts)
        events.update(row[2] for row in trace.rows)
        met.update(f"fault {name}" for name, count in world.nemesis.counts.items() if count)
    return met, events


def test_some_seeds_keep_every_promise() -> None:
    met, _ = run_seeds(range(1, 21))
    assert met["elections"] > 40
    assert met["done"] > 500
    assert met["snapshots installed"] > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_many_seeds_keep_every_promise_and_meet_everything_that_can_happen() -> None:
    met, events = run_seeds(range(1000, 1130))
    assert [name for name in FAULTS if not met[f"fault {name}"]] == []
    assert [name for name in GROUP_EVENTS if not events[name]] == []
    assert met["changes of members"] > 50


@pytest.mark.night
@pytest.mark.timeout(4 * 3600)
def test_very_many_seeds_keep_every_promise() -> None:
    met, _ = run_seeds(range(100_000, 103_000))
    assert met["elections"] > 6000


# ---------------------------------------------------------------- one seed, one run


@pytest.mark.parametrize("seed", [5, 18])
def test_one_seed_gives_one_run_byte_for_byte(seed: int) -> None:
    one, again, other = GroupWorld(seed), GroupWorld(seed), GroupWorld(seed + 1)
    text = one.run().to_text()
    assert again.run().to_text() == text
    assert other.run().to_text() != text
    assert one.met() == again.met()


def test_every_line_of_a_trace_is_read_back_as_it_was_and_has_its_details() -> None:
    world = GroupWorld(18)
    for event in world.run().events():
        details = GROUP_EVENTS[event.name][1].split()
        if event.name == "send":
            details += MESSAGE_DETAILS[event.text("kind")].split()
        assert list(event.details) == details, event
        assert Event.from_line(event.to_line()) == event


def test_a_quiet_group_elects_once_and_then_only_beats() -> None:
    world = GroupWorld(3, GroupOptions(faults=(), workload=WorkloadOptions(clients=0)))
    world.begin()
    world.agenda.run(60_000, 1 << 60)
    met = world.met()
    assert (met["elections"], met["lost"], met["crashes"]) == (1, 0, 0)
    assert met["events"] == pytest.approx(60 * 100, rel=0.02), "20 ticks of each node, and 10 beats with their answers a second"


# ---------------------------------------------------------------- runs that prove nothing


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (GroupOptions(faults=("campaign",), fault_every_ms=10**9), "crashes, cuts"),
        (GroupOptions(faults=("kill",), wanted=("elections", "changes of members")), "changes of members"),
    ],
    ids=["no crash and no cut", "no change of members"],
)
def test_a_run_that_never_met_what_it_is_about_fails(
    options: GroupOptions, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Nemesis, "_owed", lambda self: "")
    options = replace(options, steps=200, chaos_ms=1000)
    world = GroupWorld(1, options)
    with pytest.raises(VacuousRunError, match=f"proves nothing, it never met: {missing}"):
        world.run()


def test_what_a_quorum_is_is_not_asked_of_the_node_that_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in the very function that counts majorities is a mistake in every use of it."""
    monkeypatch.setattr(quorum, "majority", lambda count: max(1, count // 2))
    broken = [run_seed(seed, 3000).promise for seed in range(1, 7)]
    assert "what is committed is durable on a quorum of the members" in broken
    assert "" not in broken


def test_a_cut_that_met_nothing_is_followed_by_one_that_must() -> None:
    """Seed 3241 cuts links between followers only, again and again: the run went on until it drowned in its clients' messages."""
    world = GroupWorld(3241)
    world.run()
    assert world.met()["cuts"] > 0
    assert world.agenda.steps < 60_000


def test_a_late_request_of_an_earlier_campaign_is_no_broken_promise() -> None:
    """Seed 19396: a slow disk is done with the campaign of term 9 when the node campaigns in term 12, with a log that the leader
    of term 9 has changed in between. What it says of its log was true then, and the one that it has now is better.
    """
    world = GroupWorld(19396)
    world.run()
    assert world.met()["elections"] == 9


# ---------------------------------------------------------------- wrong Rafts


def first_violation(wrong: Wrong) -> tuple[int, ViolationError] | None:
    """Of the checker that looks on, or of liveness; what the node itself refuses does not count."""
    for seed in range(1, wrong.seeds + 1):
        try:
            GroupWorld(seed, make=wrong.make, checkers=wrong.checkers).run()
        except ViolationError as error:
            if wrong.checker is None or error.violation.promise == wrong.checker.promise:
                return seed, error
        except VacuousRunError:
            continue
    return None


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.make.__name__}-{wrong.checker and wrong.checker.__name__}")
def test_a_wrong_raft_breaks_its_promise(wrong: Wrong) -> None:
    found = first_violation(wrong)
    assert found is not None, f"{wrong.make.__name__} survived {wrong.seeds} seeds: {wrong.make.__doc__}"
    seed, error = found
    said, violation = str(error), error.violation
    assert said.startswith(f"broken: {violation.promise}\n  fact 1: {violation.facts[0]}\n  fact 2: {violation.facts[1]}\n")
    assert "Paper: Raft, " in violation.section
    assert violation.step > 0
    assert said.endswith(f"repeat: python3 run.py sim --seed {seed}")


def test_every_checker_is_one_that_a_wrong_raft_falls_to() -> None:
    """But for two, which the log's own rules forestall; they are tried by hand in the unit tests."""
    world = GroupWorld(1)
    fallen = {wrong.checker.promise for wrong in WRONG if wrong.checker is not None}
    names = {type(checker).__name__ for checker in world.checkers if checker.promise not in fallen}
    assert names == {"LeaderAppendOnly", "AcknowledgedIsKept"}


def test_the_same_seed_tries_another_raft_under_the_same_faults() -> None:
    class Ours(RaftNode):
        """Not wrong at all."""

    assert GroupWorld(4, make=Ours).run().to_text() == GroupWorld(4, draw_options(4)).run().to_text()
