"""Ring 2: what may befall a queue, by seed, everything checked after every step, and scripted ones that are always there."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.suite import Case, Check, Run
from labs.stage1_single_node.lab1b_consume_queue.bench import Bench
from labs.stage1_single_node.lab1b_consume_queue.rules import rule
from labs.stage1_single_node.lab1b_consume_queue.scripts import SCRIPTS
from labs.stage1_single_node.lab1b_consume_queue.steps import (
    Anew,
    CarryOut,
    Compare,
    Crash,
    Cut,
    FailedFlush,
    Flip,
    Flush,
    Lose,
    Put,
    Refused,
    Sizes,
    Snapshot,
    Step,
    Trim,
)

__all__ = ["SCHEDULES", "SWEEP", "drawn", "play"]

_STEPS = 22
_CASES = 17
_SWEEP = 10
_WEIGHTS: dict[str, dict[str, int]] = {
    "2.1": {"put": 8, "part": 2, "hidden": 1, "flush": 4, "sync": 1, "carry out": 5, "failed flush": 2, "refused": 2},
    "2.2": {"put": 8, "flush": 3, "sync": 1, "snapshot": 4, "carry out": 5, "crash": 4, "kill": 2, "failed flush": 1},
    "2.3": {"put": 8, "flush": 2, "trim": 5, "trim much": 1, "snapshot": 3, "carry out": 5, "crash": 2, "kill": 1,
            "compare": 2},
    "2.4": {"put": 3, "clock back": 3, "same time": 3, "long wait": 2, "flush": 2, "snapshot": 2, "carry out": 4, "crash": 2,
            "trim": 2, "kill": 1},
    "2.5": {"put": 7, "hidden": 1, "flush": 2, "carry out": 3, "flip": 4, "cut": 2, "lose": 2, "anew": 1, "trim": 2,
            "compare": 1},
}  # fmt: skip
"""Of each test, what may befall the queue and how often."""


def _drawn_step(kind: str, rng: Random) -> Step:  # noqa: C901, PLR0911, PLR0912 - one line for each kind
    counts = tuple(rng.choice((1, 1, 2, 3, 5)) for _ in range(rng.randint(1, 3)))
    match kind:
        case "put":
            return Put(counts, rng.choice((1, 10, 300)))
        case "part":
            return Put(counts[:1], first=rng.randint(1, 3))
        case "hidden":
            return Put((1,), is_hidden=True)
        case "clock back":
            return Put(counts, -rng.choice((1, 15, 400)))
        case "same time":
            return Put(counts, 0)
        case "long wait":
            return Put(counts[:1], 5000)
        case "refused":
            return Refused(rng.choice((-1, 0, 1, 5)))
        case "flush" | "sync":
            return Flush(sync=kind == "sync")
        case "failed flush":
            return FailedFlush(rng.randint(0, 2))
        case "snapshot":
            return Snapshot(is_at_once=rng.random() < 0.3)
        case "crash":
            return Crash(rng.randint(0, 8), rng.getrandbits(30) if rng.random() < 0.7 else None)
        case "kill":
            return Crash(rng.randint(0, 8), is_kill=True)
        case "trim" | "trim much":
            return Trim(rng.randint(10, 70) if kind == "trim" else rng.choice((-30, 0, 100, 130)))
        case "compare":
            return Compare()
        case "flip":
            return Flip(rng.getrandbits(30))
        case "cut":
            return Cut(rng.getrandbits(30))
        case "lose":
            return Lose(rng.getrandbits(10), is_all=rng.random() < 0.3)
        case "anew":
            return Anew()
    return CarryOut(rng.choice((1, 1, 2)))


def drawn(number: str, seed: int) -> tuple[Step, ...]:
    """The steps of one seed."""
    rng, weights = Random(seed), _WEIGHTS[number]
    kinds = rng.choices(list(weights), list(weights.values()), k=_STEPS)
    steps = [_drawn_step(kind, rng) for kind in kinds]
    if rng.random() < 0.6:
        steps.insert(0, Sizes(rng.choice((2, 3, 4, 5)), rng.choice((1, 2, 4, 5, 7))))
    return tuple(steps)


def play(make: Make, steps: tuple[Step, ...], run: Run) -> None:
    """Do the steps; at the end a snapshot is taken, the power is lost, and all is there."""
    bench = Bench(make, run)
    for step in steps:
        step.do(bench)
    bench.settle()
    bench.crash(0, None)


def _by_seed(number: str, seed: int) -> Case:
    return Case(str(seed), drawn(number, seed), play)


def _cases(number: str, count: int) -> Callable[[Seeds], Sequence[Case]]:
    def cases(seeds: Seeds) -> Sequence[Case]:
        scripted = [Case(name, steps, play) for name, steps in SCRIPTS[number].items()]
        return [*scripted, *(_by_seed(number, seed) for seed in seeds.draw(f"lab1b/{number}", count))]

    return cases


def _check(number: str, name: str, section: int, points: int, must_meet: Mapping[str, int]) -> Check:
    return Check(number, name, rule(section), _cases(number, _CASES), partial(_by_seed, number), points, _SWEEP, must_meet)


SCHEDULES = (
    _check("2.1", "messages come in while older ones are on their way into files", 5, 6,
           {"messages": 250, "refused": 10, "failed flushes": 3}),
    _check("2.2", "snapshots, power losses and kills", 11, 7,
           {"messages": 180, "snapshots": 25, "crashes": 40, "crashes in a plan": 6}),
    _check("2.3", "retention takes the oldest, between snapshots and crashes", 9, 6,
           {"retention": 25, "files that go": 4, "crashes": 25, "compared": 8}),
    _check("2.4", "clocks that go back, and stand still", 4, 5, {"messages": 250, "crashes": 20}),
    _check("2.5", "bits change, files are cut short or lost, topics are made anew", 8, 6,
           {"flips": 20, "flips reported": 4, "cuts": 8, "lost": 8, "made anew": 5}),
)  # fmt: skip
SWEEP = SCHEDULES
"""What must be met is a fraction of what the leanest of many seeds met: no right queue fails for want of luck."""
