"""Ring 3: from a state that was reached, everything that could come next, a few commands deep.

The way is planned on the model alone, and then asked of a fresh table in one crossing. A state that another way leads to as well
is not gone on from: states are equal when all that a table may know is equal, but for the names of handles and the hour. At the
end of each way time passes, what is left is delivered again, and acknowledged.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from labs.grader.figure import Figure
from labs.grader.seams import Call, Make, at_once, made_by
from labs.grader.suite import Case, Check, Run
from labs.stage1_single_node.lab1c_delivery import judge
from labs.stage1_single_node.lab1c_delivery.bench import Bench, Handle, looks_of
from labs.stage1_single_node.lab1c_delivery.model import Model
from labs.stage1_single_node.lab1c_delivery.rules import broken, place, rule, shown
from labs.stage1_single_node.lab1c_delivery.steps import (
    Ack,
    Change,
    Choose,
    Forget,
    GiveBack,
    Land,
    Receive,
    Renew,
    Reset,
    Snapshot,
    Step,
    Wait,
)
from labs.stage1_single_node.lab1c_delivery.timeline import Moment, Timeline

__all__ = ["SEARCHES", "STAGES", "Stage", "play_stage"]

_DEADLINE = Wait(500, to_deadline=0)


@dataclass(frozen=True)
class Stage:
    """before: how the state is reached. moves: what can come next. depth: so many of them."""

    before: tuple[Step, ...]
    moves: tuple[Step, ...]
    depth: int = 3
    is_fifo: bool = False


class _Asked(NamedTuple):
    """Calls that belong together, what must come of them, and how it must be then. told: so many lines of the story are told."""

    number: int
    calls: Sequence[Call]
    expected: Sequence[Any]
    before: Model
    after: Model
    now_ms: int
    told: int


class _Planned(Bench):
    """A bench that asks nobody: it notes what would be asked. A `None` among it is a snapshot."""

    def __init__(self, *, is_fifo: bool) -> None:
        self.plan: list[_Asked | None] = []
        super().__init__(lambda: None, Run(), is_fifo=is_fifo, ends=(6, 0))

    def ask(self, number: int, calls: Sequence[Call], expected: Sequence[Any], before: Model) -> None:
        self.plan.append(_Asked(number, calls, expected, before, self.model.copy(), self.now_ms, len(self.run.story)))

    def note(self) -> None:
        """Only a way that fails is drawn; see `_picture`."""

    def snapshot(self, *, is_twin: bool = False) -> None:
        del is_twin
        self.tell("a snapshot; the table goes on as what is made of it")
        self.plan.append(None)

    def key(self) -> tuple[Any, ...]:
        """Of the state: times count from now, and handles by their order."""
        stamps = {stamp: rank for rank, stamp in enumerate(sorted({h.stamp for h in self.handles}))}
        queues = tuple(
            (q.next_offset, q.attempt_id, tuple(
                (o, f.attempt, f.deadline_ms - self.now_ms, stamps[f.stamp], f.client, f.renews, f.taken_ms - self.now_ms)
                for o, f in sorted(q.flights.items())
            ))
            for q in self.model.queues.values()
        )  # fmt: skip
        return queues, tuple((h.offset, stamps[h.stamp]) for h in self.handles), tuple(self.held)

    def close(self) -> None:
        """What is still open comes to its end."""
        for _ in range(2):
            _DEADLINE.do(self)
            for one in self.receive("carl", 8, 5_000).delivered[::2]:
                self.ack(Handle(one.queue_id, one.offset, one.stamp, "carl", one.deadline_ms))


def _planned(stage: Stage, way: Sequence[Step]) -> tuple[_Planned, int]:
    """The bench behind a way, and where the last step begins in its plan."""
    bench, begins = _Planned(is_fifo=stage.is_fifo), 0
    for step in (*stage.before, *way):
        begins = len(bench.plan)
        step.do(bench)
    return bench, begins


def _try(make: Make, bench: _Planned, looked_from: int, run: Run) -> None:
    """Ask a fresh table for the whole plan. looked_from: all that it shows is looked at there, and at the end."""
    table, at = make(), 0
    while at < len(bench.plan):
        part = []
        while at < len(bench.plan) and (asked := bench.plan[at]) is not None:
            part.append((asked, looks_of(asked.now_ms) if at in (looked_from, len(bench.plan) - 1) else []))
            at += 1
        calls = [call for asked, looks in part for call in (*asked.calls, *looks)]
        is_snapshot = at < len(bench.plan)
        found = at_once(table, [*calls, *([Call("to_plain")] if is_snapshot else [])])
        _judge(part, found, bench, run)
        if is_snapshot:
            table, at = made_by(make, "from_plain", json.loads(json.dumps(found[-1]))), at + 1


def _judge(part: Sequence[tuple[_Asked, list[Call]]], found: Sequence[Any], bench: _Planned, run: Run) -> None:
    at = 0
    for asked, looks in part:
        answers, at = found[at : at + len(asked.calls)], at + len(asked.calls)
        shows, at = found[at : at + len(looks)], at + len(looks)
        try:
            for call, wanted, got in zip(asked.calls, asked.expected, answers, strict=True):
                judge.answer(asked.number, call, wanted, got, asked.before, asked.now_ms)
            if looks:
                judge.looks(asked.number, looks, shows, asked.after, asked.now_ms)
        except judge.StillInFlightError as left:
            run.story, run.figure = bench.run.story[: asked.told], _picture(bench, asked)
            done = asked.after.queues[left.queue_id].done.get(left.offset, "is done")
            raise broken(
                5, expected=f"{place(left.queue_id, left.offset)} {done}", found=f"`flights` still has it: {shown(left.flight)}"
            ) from None
        except Exception:
            run.story, run.figure = bench.run.story[: asked.told], _picture(bench, asked)
            raise


def _picture(bench: _Planned, failed: _Asked) -> Figure:
    """Of the way up to where it failed."""
    asked = [each for each in bench.plan if each is not None]
    moments = [
        Moment(each.now_ms, {q: m.flights for q, m in each.after.queues.items()}) for each in asked[: asked.index(failed) + 1]
    ]
    return Timeline(moments, [mark for mark in bench.marks if mark.at_ms <= failed.now_ms])


def play_stage(stage: Stage, make: Make, _steps: tuple[object, ...], run: Run) -> None:
    """Breadth first: the first failure is the shortest one."""
    seen = {_planned(stage, ())[0].key()}
    open_ways: list[tuple[Step, ...]] = [()]
    for depth in range(1, stage.depth + 1):
        ways: list[tuple[Step, ...]] = []
        for way in ((*before, move) for before in open_ways for move in stage.moves):
            bench, begins = _planned(stage, way)
            key = bench.key()
            is_new = key not in seen
            seen.add(key)
            if is_new and depth < stage.depth:
                ways.append(way)
            bench.close()
            _try(make, bench, begins, run)
            run.met["ways"] += 1
        open_ways = ways
    run.met["states"] += len(seen)


STAGES: Mapping[str, Stage] = {
    "3.1": Stage(
        (Receive(0, 1, 5_000), _DEADLINE, Receive(1, 1, 5_000)),
        (
            Ack(0, is_fresh=False), Ack(1, is_fresh=False), Ack(2, is_fresh=False), Change(1, 8_000, is_fresh=False),
            Change(1, 0), Change(1, 0, is_counted=False), Change(2, 3_000, is_fresh=False), _DEADLINE, Wait(0, to_deadline=-1),
            Receive(2, 2, 2_000), GiveBack(1, everything=True), Snapshot(),
        ),
    ),
    "3.2": Stage(
        (Receive(0, 2, 5_000, renews=True), Wait(3_000), Renew(0, 6_000)),
        (
            Renew(0, 12_000), Renew(0, 1_000), Renew(0, 8_000, limit=2), Renew(0, 8_000, limit=3), GiveBack(0, everything=False),
            GiveBack(0, everything=True), Change(0, 8_000), Change(1, 1_000, is_fresh=False), Ack(0, is_fresh=False), _DEADLINE,
            Receive(1, 2, 5_000, renews=True), Snapshot(),
        ),
    ),
    "3.3": Stage(
        (Receive(0, 3, 5_000, attempt=1), Ack(1), _DEADLINE, Choose(3)),
        (
            Receive(0, 3, 5_000, attempt=1), Receive(1, 3, 5_000, attempt=2), Receive(1, 1, 2_000), Change(0, 8_000),
            Change(1, 0), Ack(0, is_fresh=False), Ack(2, is_fresh=False), _DEADLINE, Choose(3), Land(0, 5_000), Snapshot(),
        ),
        is_fifo=True,
    ),
    "3.4": Stage(
        (Receive(0, 3, 5_000), Choose(2)),
        (
            Land(0, 2_000), Choose(2), Forget(0, 1), Forget(0, 3), Reset(0, 0), Reset(0, 50), Ack(0, is_fresh=False),
            Ack(1, is_fresh=False), _DEADLINE, Receive(1, 2, 2_000), Snapshot(),
        ),
    ),
}  # fmt: skip


def _search(number: str, name: str, section: int, points: int, must_meet: Mapping[str, int]) -> Check:
    play: Callable[[Make, tuple[Any, ...], Run], None] = partial(play_stage, STAGES[number])
    return Check(number, name, rule(section), lambda _seeds: (Case("", (), play),), points=points, must_meet=must_meet)


SEARCHES = (
    _search("3.1", "from a message that two consumers hold handles of", 4, 8, {"ways": 300, "states": 100}),
    _search("3.2", "from messages that renew themselves", 8, 7, {"ways": 300, "states": 100}),
    _search("3.3", "from an ordered queue that is in flight", 10, 8, {"ways": 200, "states": 60}),
    _search("3.4", "from a receive that is on its way into the log", 13, 7, {"ways": 300, "states": 100}),
)
