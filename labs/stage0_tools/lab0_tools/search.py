"""Ring 3: from a state that was reached, everything that can come next, three steps deep."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from labs.grader.seams import Make
from labs.grader.suite import Case, Check, Run
from labs.stage0_tools.lab0_tools.rules import rule
from labs.stage0_tools.lab0_tools.world import FATES, Ask, Late, Restart, Step, World

__all__ = ["SEARCHES", "play_stage"]

_MOVES: tuple[Step, ...] = (*(Ask(caller, fate) for caller in (0, 1) for fate in FATES), Late(), Restart())


@dataclass(frozen=True, slots=True)
class Stage:
    """before: how the state is reached. tickets: on the roll. depth: so many steps from there."""

    before: tuple[Step, ...]
    tickets: int
    depth: int = 3


def play_stage(stage: Stage, make: Make, _steps: tuple[object, ...], run: Run) -> None:
    """Breadth first, so that the first failure is the shortest. A state that was there before is not gone on from."""
    seen: set[object] = set()
    open_ways: list[tuple[Step, ...]] = [()]
    for _ in range(stage.depth):
        ways = [(*way, move) for way in open_ways for move in _MOVES]
        open_ways = []
        for way in ways:
            tried = Run()
            try:
                world = World(make, tried, stage.tickets)
                for step in (*stage.before, *way):
                    step.do(world)
            finally:
                run.story, run.figure = tried.story, tried.figure
            run.met["ways"] += 1
            if (key := world.key()) not in seen:
                seen.add(key)
                open_ways.append(way)
    run.met["states"] += len(seen)


def _search(number: str, name: str, section: int, points: int, stage: Stage, must_meet: Mapping[str, int]) -> Check:
    case = Case("", (), partial(play_stage, stage))
    return Check(number, name, rule(section), lambda _seeds: (case,), points=points, must_meet=must_meet)


SEARCHES = (
    _search("3.1", "everything that can come when one waits for an answer that was lost", 2, 13,
            Stage((Ask(0, "answer lost"), Ask(1)), 4), {"ways": 300, "states": 60}),
    _search("3.2", "everything that can come when the roll is nearly used up", 4, 12,
            Stage((Ask(0), Ask(1, "copied"), Ask(0, "request lost"), Ask(1)), 4), {"ways": 300, "states": 60}),
)  # fmt: skip
