"""Ring 2: schedules of faults by seed, everything checked after every step, and scripted ones that are always among them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.suite import Case, Check, Run, rule
from labs.stage1_single_node.lab1a_commit_log.bench import SEGMENT_BYTES, Bench
from labs.stage1_single_node.lab1a_commit_log.scripts import SCRIPTS
from labs.stage1_single_node.lab1a_commit_log.steps import (
    Append,
    CarryOut,
    Crash,
    Drop,
    FailedSync,
    Flip,
    FullDisk,
    Mark,
    Read,
    Step,
    Supersede,
    Vote,
)

__all__ = ["SCHEDULES", "SWEEP", "drawn", "play"]

_STEPS = 28
_SWEEP = 60
_SMALL, _LARGE = (0, 5, 40), (200, 420, 600, 1400)

_WEIGHTS: dict[str, dict[str, int]] = {
    "2.1": {"small": 8, "carry out": 6, "crash": 3, "read": 2, "vote": 1},
    "2.2": {"small": 2, "large": 6, "carry out": 6, "crash": 3, "read": 2, "drop": 2},
    "2.3": {"small": 3, "large": 2, "leader": 2, "supersede": 5, "carry out": 6, "crash": 3, "read": 2, "vote": 1, "drop": 1},
    "2.4": {"small": 3, "large": 3, "carry out": 4, "full": 2, "failed sync": 2, "crash": 3, "mark": 1, "read": 1},
    "2.5": {"small": 4, "large": 2, "carry out": 5, "mark": 2, "flip": 6, "drop": 1, "supersede": 1},
}
"""Of each test, what may befall the log and how often."""


def _drawn_step(kind: str, rng: Random) -> Step:  # noqa: C901, PLR0911 - one line for each kind
    def some(sizes: Sequence[int], count: int) -> tuple[int, ...]:
        return tuple(rng.choice(sizes) for _ in range(rng.randint(1, count)))

    match kind:
        case "small":
            return Append(some(_SMALL, 3))
        case "large":
            return Append(some(_LARGE, 2))
        case "leader":
            return Append(some(_SMALL, 1), term_step=1)
        case "supersede":
            return Supersede(some((*_SMALL, 420), 3), rng.randint(1, 5), is_low=rng.random() < 0.5)
        case "vote":
            return Vote(rng.randint(1, 3))
        case "carry out":
            return CarryOut(rng.choice((1, 1, 2, 6)))
        case "crash":
            return Crash(rng.getrandbits(30), rng.randint(0, 12), is_kill=rng.random() < 0.25)
        case "read":
            return Read(rng.randint(0, 100), rng.randint(0, 100), rng.choice((1, 200, 1 << 20)))
        case "drop":
            return Drop(rng.randint(0, 110))
        case "full":
            return FullDisk(some((*_LARGE, 40), 3))
        case "failed sync":
            return FailedSync()
        case "flip":
            return Flip(rng.getrandbits(30))
    return Mark()


def drawn(number: str, seed: int) -> tuple[Step, ...]:
    """The steps of one seed."""
    rng, weights = Random(seed), _WEIGHTS[number]
    kinds = rng.choices(list(weights), list(weights.values()), k=_STEPS)
    return tuple(_drawn_step(kind, rng) for kind in kinds)


def play(make: Make, steps: tuple[Step, ...], run: Run, segment_bytes: int = SEGMENT_BYTES) -> None:
    """Do the steps; after each, what the log shows is checked, and at the end it is opened once more."""
    bench = Bench(make, run, segment_bytes)
    bench.reopened(bench.disk)
    for step in steps:
        step.do(bench)
        bench.check()
    Crash(len(steps), 0).do(bench)


_PLAYS = {"a-long-tail": partial(play, segment_bytes=65_536)}
"""Of some scripts, by name."""


def _cases(number: str, count: int) -> Callable[[Seeds], Sequence[Case]]:
    def cases(seeds: Seeds) -> Sequence[Case]:
        scripted = [Case(name, steps, _PLAYS.get(name, play)) for name, steps in SCRIPTS[number].items()]
        return [*scripted, *(_by_seed(number, seed) for seed in seeds.draw(f"lab1a/{number}", count))]

    return cases


def _by_seed(number: str, seed: int) -> Case:
    return Case(str(seed), drawn(number, seed), play)


def _check(number: str, name: str, section: int, points: int, count: int, must_meet: Mapping[str, int]) -> Check:
    return Check(number, name, rule(section), _cases(number, count), partial(_by_seed, number), points, _SWEEP, must_meet)


SCHEDULES = (
    _check("2.1", "appends, power losses and kills", 6, 6, 30, {"crashes": 60, "crashes in a plan": 5}),
    _check("2.2", "segments roll and are forgotten, and the power is lost", 3, 5, 30, {"segments": 15, "crashes": 60}),
    _check("2.3", "entries are superseded, and the power is lost", 10, 6, 30, {"superseded": 40, "crashes": 60}),
    _check("2.4", "full and failing disks", 12, 5, 25, {"full": 5, "failed syncs": 10}),
    _check("2.5", "bits change on the disk", 8, 5, 25, {"flips": 30}),
)  # fmt: skip
SWEEP = SCHEDULES
