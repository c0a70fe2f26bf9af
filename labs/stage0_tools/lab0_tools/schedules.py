"""Ring 2: callers, lost messages, late copies and restarts by seed; every answer is judged as it comes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.suite import Case, Check, Run
from labs.stage0_tools.lab0_tools.rules import rule
from labs.stage0_tools.lab0_tools.world import FATES, Ask, Late, Restart, Step, World

__all__ = ["RIDDLE", "SCHEDULES", "drawn", "play"]

_STEPS = 14
_CASES = 36
_WEIGHTS = {
    "2.1": {"arrives": 5, "request lost": 2, "answer lost": 3},
    "2.2": {"arrives": 4, "request lost": 1, "answer lost": 1, "copied": 3, "late": 3},
    "2.3": {"arrives": 4, "request lost": 1, "answer lost": 3, "copied": 1, "late": 1, "restart": 2},
}
"""Of each test, what may happen and how often."""

RIDDLE: tuple[Step, ...] = (
    Ask(0), Ask(1, "answer lost"), Ask(0, "request lost"), Restart(), Ask(1), Ask(0, "answer lost"), Ask(1), Ask(0), Ask(1),
)  # fmt: skip
"""Of which the README asks what comes of it. The roll has four tickets."""


def drawn(number: str, seed: int) -> tuple[Step, ...]:
    """The steps of one seed."""
    rng, weights = Random(seed), _WEIGHTS[number]
    kinds = rng.choices(list(weights), list(weights.values()), k=_STEPS)
    return tuple(_step(kind, rng) for kind in kinds)


def _step(kind: str, rng: Random) -> Step:
    if kind in FATES:
        return Ask(rng.randrange(2), kind)
    return Restart() if kind == "restart" else Late(rng.randrange(2))


def play(make: Make, steps: tuple[Step, ...], run: Run, tickets: int = 6) -> None:
    """Do the steps, one after the other."""
    world = World(make, run, tickets)
    for step in steps:
        step.do(world)


def _by_seed(number: str, seed: int) -> Case:
    return Case(str(seed), drawn(number, seed), play)


def _cases(number: str) -> Callable[[Seeds], Sequence[Case]]:
    def cases(seeds: Seeds) -> Sequence[Case]:
        riddle = [Case("riddle", RIDDLE, partial(play, tickets=4))] if number == "2.3" else []
        return [*(_by_seed(number, seed) for seed in seeds.draw(f"lab0/{number}", _CASES)), *riddle]

    return cases


def _check(number: str, name: str, section: int, points: int, must_meet: Mapping[str, int]) -> Check:
    return Check(number, name, rule(section), _cases(number), partial(_by_seed, number), points, must_meet=must_meet)


SCHEDULES = (
    _check("2.1", "two callers, over a network that loses messages", 2, 10,
           {"requests lost": 30, "answers lost": 50, "repeats": 30}),
    _check("2.2", "copies of requests that arrive late", 3, 8, {"copies": 8, "old copies": 8, "repeats": 20}),
    _check("2.3", "restarts in between", 5, 7, {"restarts": 30, "repeats": 30, "nothing left": 5}),
)  # fmt: skip
