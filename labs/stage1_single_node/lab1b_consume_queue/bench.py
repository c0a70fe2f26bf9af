"""A consume queue on a simulated disk, driven by verbs and held against the model after each of them.

The bench is the broker around the queue: it has the log's indexes and positions, the clock, and the lane in which plans wait
until they are carried out, one after the other. A snapshot counts from when it is on the disk; only then the files go that
retention made superfluous. What a command comes to, and what the queue then finds, is asked for in one crossing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from labs.grader.plans import disk_bytes
from labs.grader.seams import Call, Make, at_once, made_beside, made_by
from labs.grader.suite import Run
from labs.stage1_single_node.lab1b_consume_queue import judge
from labs.stage1_single_node.lab1b_consume_queue.model import Model
from labs.stage1_single_node.lab1b_consume_queue.rules import broken, span
from labs.stage1_single_node.lab1b_consume_queue.shelf import Shelf
from mq.broker.store.queue_entry import NO_POSITION, QueueEntry, queue_folder
from mq.core.errors import DamageError
from mq.core.ports import Operation, Plan, Remove, Write
from mq.sim.crash import Survival, after_power_loss, draw_survival
from mq.sim.disk import SimDisk

__all__ = ["ALL", "BYTES_MAX", "FOLDER", "SIZES", "Bench", "Job", "Kept", "commands_of", "in_folder", "plan_told"]

ALL = 4000
"""More entries than any queue here has."""
FOLDER = queue_folder("orders", 0)
SIZES = {"entries_per_file": 4, "tail_min": 3}
"""Of a test that says nothing else."""
_OPERATIONS_MAX, BYTES_MAX = 2000, 1 << 20
"""Of a plan: some hundred times of what the largest one here needs, and little beside what the grader's machine has."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A snapshot. at: how many commands it stands for; end: the queue's end by then."""

    plain: Any
    at: int
    min_offset: int
    end: int


@dataclass(frozen=True, slots=True)
class Job:
    """What waits to be carried out. count: entries that are in files then; end: the same as an offset.

    kept: the snapshot that is on the disk behind the plan; removals: what may go behind that.
    """

    plan: Plan
    count: int
    end: int
    is_synced: bool
    kept: Kept | None = None
    removals: Plan = ()


def commands_of(history: Sequence[QueueEntry | int]) -> list[Call]:
    """What the log's commands ask of a queue, again."""
    return [Call("drop_before", (one,)) if isinstance(one, int) else Call("append", (one,)) for one in history]


def in_folder(plan: Plan, *kinds: type, folder: str = FOLDER, bytes_max: int = BYTES_MAX) -> Plan:
    """The plan, which must keep to the queue's folder, and be within reason. kinds: of operations, if not all may be there."""
    if len(plan) > _OPERATIONS_MAX or not 0 <= disk_bytes(plan) <= bytes_max:
        expected = f"a plan for so few entries has {_OPERATIONS_MAX} operations at most, and needs {bytes_max:,} bytes at most"
        raise broken(6, expected=expected, found=f"it has {len(plan)}, and needs {disk_bytes(plan):,} bytes: {plan_told(plan)}")
    for operation in plan:
        if not operation.file.startswith(folder + "/"):
            raise broken(6, expected=f"a plan keeps to the folder {folder}", found=f"it has {_told(operation)}")
        if kinds and not isinstance(operation, kinds):
            raise broken(9, expected="what went is removed, and nothing else is done", found=f"the plan has {_told(operation)}")
    return plan


def plan_told(plan: Plan) -> str:
    """A plan in a few words: file, byte and length of what is written; what is synced; what is removed."""
    return ", ".join(map(_short, plan[:8])) + (", ..." if len(plan) > 8 else "") or "nothing"


def _short(operation: Operation) -> str:
    file = operation.file.rpartition("/")[2].lstrip("0")
    name = file if file[:1] not in ("", ".") else f"0{file}"
    size = f" {operation.at}+{len(operation.data)}" if isinstance(operation, Write) else ""
    return f"{type(operation).__name__.lower()} {name}{size}"


def _told(operation: Operation) -> str:
    size = f", {len(operation.data)} bytes at {operation.at}" if isinstance(operation, Write) else ""
    return f"{type(operation).__name__} of {operation.file[:80]}{size}"


class Bench:
    """queue: under test. kept: the snapshot on the disk; jobs: what waits. removals: files that went, and wait for a snapshot.

    went: those that this queue has named to be removed, by now or later.
    """

    def __init__(self, make: Make, run: Run) -> None:
        self.make, self.run = make, run
        self.disk = SimDisk()
        self.now_ms, self.log_index, self.position, self.turn = 1000, 0, 100, 0
        self.removed: set[str] = set()
        self.sizes = dict(SIZES)
        self.begin_anew()

    def begin_anew(self) -> None:
        """A new queue of that name; the files stay as they are."""
        self.queue = self.made()
        self.model = Model()
        self.shelf = self.run.figure = Shelf(self.model)
        self.jobs: list[Job] = []
        self.removals: Plan = ()
        self.went: set[str] = set()
        self.kept: Kept | None = None

    def made(self) -> Any:
        return self.make("orders", 0, **self.sizes)

    def made_beside(self) -> Any:
        """Another queue of the topic, in the same process."""
        return made_beside(self.queue, self.make, "orders", 1, **self.sizes)

    def restored(self, kept: Kept) -> Any:
        return made_by(self.make, "from_plain", "orders", 0, kept.plain, **self.sizes)

    # --- asking

    def ask(self, number: int, *calls: Call, is_looked_at: bool = True) -> list[Any]:
        """Commands, and a look at what is found then. number: of the rule that they are about. Returns what they came to."""
        looks = self._looks() if is_looked_at else []
        if not (calls or looks):
            return []
        try:
            found = at_once(self.queue, [*calls, *looks], self.disk)
        except DamageError as error:
            raise broken(
                number, expected="all that was put is found, and nothing on the disk is damaged", found=f"DamageError: {error}"
            ) from None
        if looks:
            judge.borders(number, self.model, self.queue.min_offset, self.queue.max_offset)
            for look, got in zip(looks, found[len(calls) :], strict=True):
                self._judge(number, look, got)
        return found[: len(calls)]

    def _looks(self) -> list[Call]:
        """The whole queue, and some single messages and times, others each time."""
        self.turn += 1
        model, turn = self.model, self.turn
        some = model.min_offset + (7 * turn) % max(1, model.max_offset - model.min_offset)
        offsets = {some, (model.min_offset - 1, model.max_offset, max(model.max_offset - 1, 0))[turn % 3]}
        offsets = {offset for offset in offsets if offset >= 0}
        times = {model.facts[some].store_ms + turn // 2 % 2} if some < model.max_offset else {0}
        gone = model.facts[model.min_offset - 1].store_ms if model.min_offset else 0
        times.add((model.last_ms, model.last_ms + 1, gone)[turn // 3 % 3])
        looks = [Call("entries", (0, ALL)), *(Call("entries", (offset, 1 + turn % 3)) for offset in sorted(offsets))]
        return [*looks, *(Call("offset_at", (time,)) for time in sorted(times))]

    def _judge(self, number: int, look: Call, got: Any) -> None:
        if look.name == "entries":
            judge.entries(number, self.model, look.args, got, self.shelf)
            if look.args == (0, ALL):
                self._check_end(number, got)
        else:
            judge.time(number, self.model, look.args[0], got, self.shelf)

    def _check_end(self, number: int, got: Sequence[QueueEntry]) -> None:
        """A read may stop early, but not for ever."""
        at = got[-1].base_offset + got[-1].count if got else self.model.max_offset
        while at < self.model.max_offset:
            (more,) = at_once(self.queue, [Call("entries", (at, ALL))], self.disk)
            judge.entries(number, self.model, (at, ALL), more, self.shelf)
            at = more[-1].base_offset + more[-1].count

    # --- commands

    def put(self, *counts: int, gap_ms: int = 10, first: int = 0, is_hidden: bool = False) -> None:
        """Batches came in. first: messages of each that were known already, and got no offset again.

        is_hidden: they waited in the log until now, and their places there are not known.
        """
        calls = [Call("append", (self._next(count, gap_ms, first, is_hidden=is_hidden),)) for count in counts]
        self.ask(5, *calls)
        self.run.met["messages"] += sum(counts)

    def _next(self, count: int, gap_ms: int, first: int, *, is_hidden: bool) -> QueueEntry:
        self.now_ms = max(1, self.now_ms + gap_ms)
        self.log_index += 1 + self.log_index % 3
        self.position += 60 + 20 * (self.log_index % 4)
        position = NO_POSITION if is_hidden else self.position
        entry = QueueEntry(
            self.model.max_offset, position, self.log_index, self.now_ms, 40 + 10 * (count + first), count, first,
            self.log_index * 0x01010101 & 0xFFFFFFFF,
        )  # fmt: skip
        self.model.put(entry)
        where = f"at position {position}" if position else "at no position"
        back = ": the clock went back" if gap_ms < 0 else ""
        part = f", its messages from {first} on" if first else ""
        self.run.tell(
            f"put {span(entry.base_offset, count)}, {where}, log index {entry.log_index}, stored at {self.now_ms} ms{back}{part}"
        )
        return entry

    def drop_before(self, offset: int) -> None:
        self.model.drop_before(offset)
        self.run.tell(f"retention: what is before message {offset} goes; the queue begins at {self.model.min_offset}")
        (plan,) = self.ask(9, Call("drop_before", (offset,)))
        self._goes(plan)
        self.run.met["retention"] += 1
        self.run.met["files that go"] += len(plan)

    def _goes(self, plan: Plan) -> None:
        self.removals += in_folder(plan, Remove)
        self.went.update(operation.file for operation in plan)

    def _kept_off(self, plan: Plan) -> Plan:
        """A plan that brings entries into files, which must let those alone that went."""
        for operation in in_folder(plan):
            if operation.file in self.went:
                found = f"the plan has {_told(operation)}"
                raise broken(9, expected=f"{operation.file} went: no plan writes or syncs it", found=found)
        return plan

    def flush(self, *, sync: bool) -> None:
        self.run.tell(f"flush{' and sync' if sync else ''}")
        (plan,) = self.ask(5, Call("flush", (), {"sync": sync}))
        self.run.story[-1] += f"; the plan waits: {plan_told(plan)}"
        self.jobs.append(Job(self._kept_off(plan), self.queue.entry_count, self.model.max_offset, sync))

    def snapshot(self) -> None:
        """All is flushed and synced, the state is written down, and then the files go that are not needed any more."""
        self.run.tell("a snapshot: flush and sync, the state")
        plan, plain = self.ask(5, Call("flush", (), {"sync": True}), Call("to_plain"))
        removals = f"; and then: {plan_told(self.removals)}" if self.removals else ""
        self.run.story[-1] += f"; the plan waits: {plan_told(plan)}{removals}"
        model = self.model
        kept = Kept(json.loads(json.dumps(plain)), len(model.history), model.min_offset, model.max_offset)
        self.jobs.append(Job(self._kept_off(plan), self.queue.entry_count, model.max_offset, True, kept, self.removals))  # noqa: FBT003
        self.removals = ()
        self.run.met["snapshots"] += 1

    def carry_out(self) -> None:
        """The oldest plan that waits."""
        if not self.jobs:
            return
        job = self.jobs.pop(0)
        self.perform(job.plan)
        self._landed(job)
        what = "the snapshot is on the disk" if job.kept else "synced" if job.is_synced else "written"
        self.run.tell(f"carried out: messages before {job.end} are in files, {what}")
        self.ask(5, Call("flushed", (job.count,), {"is_synced": job.is_synced}))
        self.perform(job.removals)

    def _landed(self, job: Job) -> None:
        self.shelf.written = max(self.shelf.written, job.end)
        if job.is_synced:
            self.shelf.synced = max(self.shelf.synced, job.end)
        self.kept = job.kept or self.kept

    def perform(self, plan: Plan) -> None:
        for operation in in_folder(plan):
            self.disk.perform(operation)
            if isinstance(operation, Remove):
                self.removed.add(operation.file)

    def settle(self) -> None:
        """All that waits is carried out, and a snapshot of all is on the disk."""
        if self.kept is None or self.jobs or self.kept.at < len(self.model.history):
            self.snapshot()
        while self.jobs:
            self.carry_out()

    # --- crashes

    def crash(self, operations: int, chance: int | None, *, is_kill: bool = False) -> None:
        """In the middle of what waits. chance: draws what a power loss leaves; None: nothing that was not synced."""
        done = self._perform_some(operations)
        what = "the process is killed" if is_kill else "the power is lost"
        self.run.tell(f"{what} behind {done} operations that waited")
        if not is_kill:
            survival = Survival() if chance is None else draw_survival(self.disk, Random(chance))
            self.disk = after_power_loss(self.disk, survival)
        self.run.met["crashes"] += 1
        self.run.met["crashes in a plan"] += done > 0
        self.reopen(11)

    def _perform_some(self, operations: int) -> int:
        done = 0
        for job in self.jobs:
            for operation in job.plan:
                if done == operations:
                    return done
                self.disk.perform(operation)
                done += 1
            if job.kept is not None:
                if done == operations:
                    return done
                self.kept = job.kept
                self.shelf.synced = max(self.shelf.synced, job.end)
                done += 1
            for operation in job.removals:
                if done == operations:
                    return done
                self.disk.perform(operation)
                done += 1
        return done

    def reopen(self, number: int) -> None:
        """What the disk holds, and the log: the snapshot, then the commands behind it once more."""
        self.jobs, self.removals, self.went = [], (), set()
        begins, kept = 0, self.kept
        if kept is None:
            self.run.tell("opened: there is no snapshot, the log makes the queue anew")
            self.queue = self.made()
        else:
            self.run.tell(f"opened: a snapshot of messages {kept.min_offset} to {kept.end - 1}, then the log behind it")
            self.queue, begins = self.restored(kept), kept.at
            self._check_borders(number, kept)
            (missing,) = at_once(self.queue, [Call("missing", (dict(self.disk.files()),))])
            if missing is not None:
                raise self._missed(missing)
        end = kept.end if kept is not None else 0
        self.shelf.written = self.shelf.synced = end
        commands = commands_of(self.model.history[begins:])
        for call, found in zip(commands, self.ask(number, *commands), strict=True):
            if call.name == "drop_before":
                self._goes(found)

    def _missed(self, missing: str) -> Exception:
        """Is there really something missing?"""
        size = f"{self.disk.files()[missing]} bytes" if missing in self.disk.files() else "not there"
        found = f"`missing` says {missing}, which is {size}"
        model = self.model
        try:
            calls = [Call("entries", (offset, 1)) for offset in range(self.queue.min_offset, self.queue.max_offset)]
            answers = at_once(self.queue, calls, self.disk) if calls else []
        except DamageError as error:
            told = str(error)
        else:
            if all(answers):
                return broken(12, expected="nothing is missing: each message of the snapshot is found in the files", found=found)
            told = "a message is not found"
        self.shelf.mark(max(model.min_offset, self.queue.max_offset - 1), "lost?")
        if missing in self.removed:
            expected = f"a file goes when all that it holds is before message {self.queue.min_offset}"
            return broken(9, expected=expected, found=f"{missing} was removed, and after the restart it is needed; {told}")
        return broken(
            6, expected="before the snapshot was written down all that it relies on was flushed and synced",
            found=f"after the restart {found}; {told}",
        )  # fmt: skip

    def _check_borders(self, number: int, kept: Kept) -> None:
        here, there = (self.queue.min_offset, self.queue.max_offset), (kept.min_offset, kept.end)
        if here != there:
            raise broken(
                number, expected=f"the snapshot was of offsets {there[0]} to {there[1]}",
                found=f"what is made of it has {here[0]} to {here[1]}",
            )  # fmt: skip
