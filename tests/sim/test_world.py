"""Whole runs of the deterministic world: the reference keeps every promise, every wrong part breaks one."""

from collections import Counter
from dataclasses import replace

import pytest

from mq.sim.checkers import BrokenPromiseError, VacuousRunError
from mq.sim.trace import EVENTS, Event
from mq.sim.world import World, WorldOptions
from tests.sim.wrong_parts import WRONG, Wrong

ROUGH = WorldOptions(
    steps=1200, power_loss_probability=0.012, kill_probability=0.012, disk_full_probability=0.004, bit_flip_probability=0.5
)
"""Something goes wrong every few dozen steps."""
SEEDS_TO_KILL = 60


def run_seeds(seeds: range, options: WorldOptions) -> Counter[str]:
    """Run them all and sum up what happened; a failure ends with the command that repeats it."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        world = World(seed, options)
        counts.update(world.run().counts)
        counts["steps"] += world.steps
    return counts


def check_it_met_everything(counts: Counter[str]) -> None:
    never = [name for name in EVENTS if not counts[name]]
    assert never == [], "the seeds together prove nothing about these"


def test_a_few_ordinary_seeds_keep_every_promise() -> None:
    counts = run_seeds(range(1, 6), WorldOptions())
    assert counts["steps"] > 10_000
    assert counts["power-loss"] > 20


@pytest.mark.slow
def test_rough_seeds_keep_every_promise_and_meet_everything_that_can_happen() -> None:
    counts = run_seeds(range(1000, 1020), replace(ROUGH, sync_failure_probability=0.002))
    assert counts["opened"] > 300
    check_it_met_everything(counts)


@pytest.mark.slow
def test_many_seeds_keep_every_promise() -> None:
    check_it_met_everything(run_seeds(range(2000, 2060), WorldOptions(bit_flip_probability=0.5)))


@pytest.mark.night
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("options", [WorldOptions(), ROUGH, WorldOptions(steps=20_000)], ids=["ordinary", "rough", "long"])
def test_very_many_seeds_keep_every_promise(options: WorldOptions) -> None:
    check_it_met_everything(run_seeds(range(10_000, 12_000 if options.steps < 10_000 else 10_200), options))


# ---------------------------------------------------------------- one seed, one run


def test_one_seed_gives_one_run_byte_for_byte() -> None:
    one, again, other = (World(seed, WorldOptions(steps=800)) for seed in (5, 5, 6))
    text = one.run().to_text()
    assert again.run().to_text() == text
    assert other.run().to_text() != text
    assert one.disk.contents() == again.disk.contents()
    assert text.count("\n") > 1000


def test_every_line_of_a_trace_is_read_back_as_it_was() -> None:
    trace = World(3, WorldOptions(steps=1000)).run()
    assert [Event.from_line(event.to_line()) for event in trace.events] == trace.events
    for event in trace.events:
        assert list(event.details) == EVENTS[event.name][1].split(), event.name


def test_a_broken_promise_is_a_sentence_with_the_events_before_it_and_the_way_to_repeat_it() -> None:
    wrong = next(wrong for wrong in WRONG if wrong.part.__name__ == "HidesForAnInstant")
    with pytest.raises(BrokenPromiseError) as raised:
        World(4, WorldOptions(), wrong.parts).run()
    said = str(raised.value)
    assert said.startswith("no delivery inside an invisible time: message orders/")
    assert said.endswith("repeat: python3 run.py sim --profile broker --seed 4")
    assert "delivered" in said.split("\n")[-2]


# ---------------------------------------------------------------- runs that prove nothing


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (
            WorldOptions(steps=300, power_loss_probability=0.0, kill_probability=0.0, sync_failure_probability=0.0),
            "power-loss of an unsynced write",
        ),
        (WorldOptions(steps=300, producers=0), "sent, delivered, acked"),
        (WorldOptions(steps=300, consumers=0), "delivered, acked"),
        (WorldOptions(steps=300, wanted=("damage",), bit_flip_probability=0.0), "damage"),
    ],
    ids=["no torn write", "no producer", "no consumer", "no damage"],
)
def test_a_run_that_never_met_what_it_is_about_fails(options: WorldOptions, missing: str) -> None:
    with pytest.raises(VacuousRunError) as raised:
        World(1, options).run()
    assert missing in str(raised.value)


# ---------------------------------------------------------------- wrong parts


def first_broken(seed: int, wrong: Wrong) -> BrokenPromiseError | None:
    try:
        World(seed, ROUGH, wrong.parts).run()
    except BrokenPromiseError as broken:
        return broken
    return None


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.part.__name__)
def test_a_wrong_part_is_killed(wrong: Wrong) -> None:
    broken = next((broken for seed in range(SEEDS_TO_KILL) if (broken := first_broken(seed, wrong)) is not None), None)
    assert broken is not None, f"{wrong.part.__name__} survived {SEEDS_TO_KILL} seeds: {wrong.part.__doc__}"
    assert broken.promise in wrong.promises, broken


def test_every_promise_is_one_that_a_wrong_part_breaks() -> None:
    promises = {checker.promise for checker in World(1).checkers}  # type: ignore[attr-defined]
    assert promises <= {promise for wrong in WRONG for promise in wrong.promises}
    assert len(promises) == 8
