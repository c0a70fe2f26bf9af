"""Ring 3: from a state that was reached, everything that can come next, a few steps deep; and then to the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from labs.grader.seams import Make
from labs.grader.suite import Case, Check, Run
from labs.stage1_single_node.lab1d_idempotent_consumer.names import SHOP
from labs.stage1_single_node.lab1d_idempotent_consumer.rules import rule
from labs.stage1_single_node.lab1d_idempotent_consumer.steps import Bad, Clash, Copy, Crash, Deliver, Open, Send, Step, Wait
from labs.stage1_single_node.lab1d_idempotent_consumer.world import HANDLING_MS, KEEP_MS, World

__all__ = ["SEARCHES", "STAGES", "Stage", "play_stage"]

_ANNA: tuple[Step, ...] = (Open(0), Deliver(0))


@dataclass(frozen=True, slots=True)
class Stage:
    """before: how the state is reached. moves: what can come next. depth: so many of them."""

    before: tuple[Step, ...]
    moves: tuple[Step, ...]
    depth: int = 3


def play_stage(stage: Stage, make: Make, _steps: tuple[object, ...], run: Run) -> None:
    """Breadth first: the first failure is the shortest one. A state that was there before is not gone on from."""
    seen: set[object] = set()
    open_ways: list[tuple[Step, ...]] = [()]
    for _ in range(stage.depth):
        ways = [(*way, move) for way in open_ways for move in stage.moves]
        open_ways = []
        for way in ways:
            tried = Run()
            try:
                world = World(make, tried, names=SHOP)
                for step in (*stage.before, *way):
                    step.do(world)
                key = world.key()
                world.drain()
            finally:
                run.story, run.figure = tried.story, tried.figure
            run.met["ways"] += 1
            if key not in seen:
                seen.add(key)
                open_ways.append(way)
    run.met["states"] += len(seen)


def _deliveries(count: int) -> tuple[Step, ...]:
    fates = (("done", 0), ("ack lost", 0), ("slow", 0), ("dies", 0), ("dies", 1))
    return tuple(Deliver(which, fate, after) for which in range(count) for fate, after in fates)


STAGES: Mapping[str, Stage] = {
    "3.1": Stage((*_ANNA, Send(0, 3), Copy(1)), (*_deliveries(2), Crash(1), Send(0, 2))),
    "3.2": Stage((Send(0, 3), Deliver(0), Open(0)), (*_deliveries(2), Crash(), Copy(0))),
    "3.3": Stage(
        (*_ANNA, Send(0, 3), Deliver(0, "ack lost"), Wait(KEEP_MS - 200)),
        (*_deliveries(1), Copy(1), Clash(1, 0), Bad(0), Wait(200 - HANDLING_MS), Wait(KEEP_MS)),
    ),
}


def _search(number: str, name: str, section: int, points: int, must_meet: Mapping[str, int]) -> Check:
    case = Case("", (), partial(play_stage, STAGES[number]))
    return Check(number, name, rule(section), lambda _seeds: (case,), points=points, must_meet=must_meet)


SEARCHES = (
    _search("3.1", "from an order that was sent twice", 1, 12, {"ways": 300, "states": 60}),
    _search("3.2", "from an order that came before its account", 8, 10, {"ways": 300, "states": 60}),
    _search("3.3", "from an order that is nearly forgotten", 9, 10, {"ways": 200, "states": 40}),
)
