"""Ring 3: from states that were reached, everything that can come next, a few steps deep; and everything a power loss can leave.

A state that another way leads to as well is not gone on from. At the end of each way a snapshot is taken and the power is lost.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from random import Random
from typing import Any

from labs.grader.seams import Call, Make, at_once
from labs.grader.suite import Case, Check, Run
from labs.stage1_single_node.lab1b_consume_queue import judge
from labs.stage1_single_node.lab1b_consume_queue.bench import Bench, Job, Kept
from labs.stage1_single_node.lab1b_consume_queue.looking import look_for_times
from labs.stage1_single_node.lab1b_consume_queue.rules import rule
from labs.stage1_single_node.lab1b_consume_queue.steps import CarryOut, Compare, Crash, Flush, Put, Snapshot, Step, Trim
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ports import Plan
from mq.sim.crash import CrashPoints

__all__ = ["SEARCHES", "STAGES", "Stage", "play_stage"]


@dataclass(frozen=True)
class Stage:
    """before: how the state is reached. moves: what can come next. depth: so many of them."""

    before: tuple[Step, ...]
    moves: tuple[Step, ...]
    depth: int = 3


def _key(bench: Bench) -> tuple[Any, ...]:
    """Of a state, as far as a queue may tell it from another."""
    jobs = tuple((len(job.plan), job.count, job.is_synced, job.kept and job.kept.at) for job in bench.jobs)
    kept = (bench.kept.at, bench.kept.min_offset) if bench.kept else None
    model = bench.model
    files = tuple(bench.disk.files().items())
    return (
        tuple(fact.number for fact in model.facts), model.min_offset, bench.queue.flushed_count, jobs, kept, files,
        bench.shelf.synced, len(bench.removals),
    )  # fmt: skip


def _walked(make: Make, run: Run, stage: Stage, way: Sequence[Step]) -> Bench:
    """Only what the last step leaves is looked at: shorter ways were tried before."""
    bench = _Hurried(make, run)
    for number, step in enumerate((*stage.before, *way), 1):
        bench.is_hurried = number < len(stage.before) + len(way)
        step.do(bench)
    return bench


class _Hurried(Bench):
    """Looks at nothing while it is in a hurry."""

    is_hurried = False

    def ask(self, number: int, *calls: Call, is_looked_at: bool = True) -> list[Any]:
        return super().ask(number, *calls, is_looked_at=is_looked_at and not self.is_hurried)


def play_stage(stage: Stage, make: Make, _steps: tuple[object, ...], run: Run) -> None:
    """Breadth first: the first failure is the shortest one."""
    seen = set()
    open_ways: list[tuple[Step, ...]] = [()]
    for depth in range(1, stage.depth + 1):
        ways: list[tuple[Step, ...]] = []
        for way in ((*before, move) for before in open_ways for move in stage.moves):
            run.story.clear()
            bench = _walked(make, run, stage, way)
            key = _key(bench)
            if key in seen:
                continue
            seen.add(key)
            if depth < stage.depth:
                ways.append(way)
            _close(bench)
            run.met["ways"] += 1
        open_ways = ways
    run.met["states"] += len(seen)


def _close(bench: Bench) -> None:
    bench.is_hurried = True  # type: ignore[attr-defined] # it is a hurried one
    bench.settle()
    bench.is_hurried = False  # type: ignore[attr-defined]
    bench.crash(0, None)


# ---------------------------------------------------------------- everything that a power loss can leave


class _Watched(Bench):
    """While a plan is carried out, each state that a power loss can leave of the disk is opened, and all is looked for there."""

    def __init__(self, make: Make, run: Run) -> None:
        super().__init__(make, run)
        self.points = CrashPoints(Random(5), subsets_max=24, every_byte=False)

    def perform(self, plan: Plan) -> None:
        if not plan:
            return
        for point in self.points.during(self.disk, plan):
            self._try(point.disk, point.note)

    def _landed(self, job: Job) -> None:
        super()._landed(job)
        self.points.forget()

    def _try(self, disk: Any, note: str) -> None:
        life = Bench(self.make, self.run)
        told = list(self.run.story)
        self.run.tell(f"the power is lost: {note}")
        life.model, life.kept, life.disk = self.model, self.kept, disk
        life.shelf = self.run.figure = type(self.shelf)(self.model)
        life.reopen(11)
        self.run.met["states"] += 1
        if self.run.met["states"] % 8 == 0:
            life.settle()
            life.crash(0, None)
            self.run.met["second lives"] += 1
        self.run.story[:] = told
        self.run.figure = self.shelf


_HISTORY: tuple[Step, ...] = (
    Put((1, 2, 1)), Flush(), CarryOut(), Put((1, 1, 3)), Snapshot(), CarryOut(), Put((1, 2)), Flush(), Trim(60), Put((1,)),
    Snapshot(), CarryOut(2), Put((1,) * 11), Flush(), CarryOut(), Put((1, 2, 1)), Flush(sync=True), CarryOut(), Trim(80),
    Snapshot(), Put((2,)), CarryOut(), Trim(50), Put((3, 1, 1, 1, 1)), Flush(), CarryOut(), Snapshot(), CarryOut(),
)  # fmt: skip


def _power_losses(make: Make, _steps: tuple[object, ...], run: Run) -> None:
    bench = _Watched(make, run)
    for step in _HISTORY:
        step.do(bench)


# ---------------------------------------------------------------- every clock


_TIMES = (1, 2, 3)
_MESSAGES = 5


def _clocks() -> Iterator[tuple[int, ...]]:
    """All that a clock can say of five batches."""
    yield from product(_TIMES, repeat=_MESSAGES)


def _every_clock(make: Make, _steps: tuple[object, ...], run: Run) -> None:
    """A queue for each clock, of which a part is in files: each time that can be asked for leads to the right message."""
    for number, clock in enumerate(_clocks()):
        run.story.clear()
        bench = Bench(make, run)
        in_files, dropped = number % (_MESSAGES + 1), (number // 7) % (_MESSAGES + 3)
        commands = []
        for base, store_ms in enumerate(clock):
            entry = QueueEntry(base, 100 + 50 * base, base + 1, store_ms, 50, 1, 0, 0)
            bench.model.put(entry)
            commands.append(Call("append", (entry,)))
            if base + 1 == in_files:
                commands.append(Call("flush"))
        run.tell(f"put five messages, stored at {', '.join(map(str, clock))} ms; {in_files} of them are in files")
        plans = at_once(bench.queue, commands)
        if in_files:
            bench.perform(plans[in_files])
            bench.queue.flushed(in_files)
        if number % 2:
            run.tell("a snapshot; the process ends, and the queue is made of the snapshot")
            _reopen(bench)
        if dropped < _MESSAGES:
            run.tell(f"retention: what is before message {dropped} goes")
            bench.model.drop_before(dropped)
            bench.queue.drop_before(dropped)
        calls = [Call("offset_at", (time,)) for time in (0, *_TIMES, 4)]
        for call, found in zip(calls, at_once(bench.queue, calls, bench.disk), strict=True):
            look_for_times(bench.model, call.args[0], found, bench.shelf, bench.queue, bench.disk)
            judge.time(4, bench.model, call.args[0], found, bench.shelf)
        run.met["clocks"] += 1


def _reopen(bench: Bench) -> None:
    plan, plain = at_once(bench.queue, [Call("flush", (), {"sync": True}), Call("to_plain")])
    bench.perform(plan)
    bench.queue = bench.restored(Kept(plain, len(bench.model.history), 0, bench.model.max_offset))


STAGES: Mapping[str, Stage] = {
    "3.1": Stage(
        (Put((1, 1, 2, 1, 1)), Flush(), CarryOut(), Put((2, 1)), Flush()),
        (
            Put((1, 2)), Flush(), Flush(sync=True), CarryOut(), CarryOut(2), Snapshot(), Crash(1, is_kill=True), Trim(50),
        ),
    ),
    "3.2": Stage(
        (Put((1, 1, 1, 1, 1, 1, 1, 1, 1)), Snapshot(is_at_once=True), Trim(40), Put((1,))),
        (
            Trim(-20), Trim(60), Trim(100), Put((1, 1)), Flush(), Snapshot(), CarryOut(), Crash(0), Crash(3, is_kill=True),
            Compare(),
        ),
    ),
}  # fmt: skip

_Play = Callable[[Make, tuple[Any, ...], Run], None]


def _search(number: str, name: str, section: int, points: int, play: _Play, must_meet: Mapping[str, int]) -> Check:
    return Check(number, name, rule(section), lambda _seeds: (Case("", (), play),), points=points, must_meet=must_meet)


SEARCHES = (
    _search("3.1", "from entries of which some are in files, some on their way, some in memory", 5, 8,
            partial(play_stage, STAGES["3.1"]), {"ways": 100, "states": 100}),
    _search("3.2", "from a queue whose oldest files are about to go", 9, 8, partial(play_stage, STAGES["3.2"]),
            {"ways": 60, "states": 60}),
    _search("3.3", "all that power losses can leave, between flushes, snapshots and retention", 11, 8, _power_losses,
            {"states": 50, "second lives": 5}),  # whoever syncs each write at once leaves fewer than who does it late
    _search("3.4", "every clock of five messages, and every time that can be asked for", 4, 6, _every_clock, {"clocks": 243}),
)  # fmt: skip
