"""What can befall a consume queue: the steps that schedules are made of.

A step is plain data and speaks of the queue as it is when its turn comes ("retention takes half of it"), so that a schedule stays
one when any of its steps are left out.
"""

from dataclasses import dataclass
from typing import Any

from labs.grader.seams import Call, at_once, drive_on
from labs.grader.suite import PromiseBrokenError
from labs.stage1_single_node.lab1b_consume_queue import judge
from labs.stage1_single_node.lab1b_consume_queue.bench import Bench, Kept, commands_of
from labs.stage1_single_node.lab1b_consume_queue.rules import broken, span
from mq.broker.store.queue_entry import QueueEntry
from mq.core.errors import DamageError, StateError
from mq.core.ports import Remove
from mq.sim.disk import SimDisk

__all__ = [
    "Anew", "Beside", "CarryOut", "Compare", "Crash", "Cut", "FailedFlush", "Flip", "Flush", "Lose", "Put", "Refused", "Sizes",
    "Snapshot", "Step", "Trim",
]  # fmt: skip

_WAITING_MAX = 4
_MESSAGES_MAX = 40
_AT_ONCE = 8
"""Messages that are asked for in one crossing; where one of them is refused, each is asked for alone."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """In front of all others: the queue is made with such numbers. tail_min: of entries that stay in memory."""

    entries_per_file: int
    tail_min: int

    def do(self, bench: Bench) -> None:
        bench.run.tell(f"a file holds {self.entries_per_file} entries, and {self.tail_min} stay in memory")
        bench.sizes = {"entries_per_file": self.entries_per_file, "tail_min": self.tail_min}
        bench.begin_anew()


@dataclass(frozen=True, slots=True)
class Put:
    """Batches come in. counts: messages of each. gap_ms: how much later than the last one; a clock may go back."""

    counts: tuple[int, ...]
    gap_ms: int = 10
    first: int = 0
    is_hidden: bool = False

    def do(self, bench: Bench) -> None:
        if bench.model.max_offset < _MESSAGES_MAX:
            bench.put(*self.counts, gap_ms=self.gap_ms, first=self.first, is_hidden=self.is_hidden)


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that does not begin where the queue ends. by: so far from it; 0: one without messages."""

    by: int

    def do(self, bench: Bench) -> None:
        base = max(0, bench.model.max_offset + self.by)
        count = 1 if base != bench.model.max_offset else 0
        entry = QueueEntry(base, 5000, bench.log_index + 1, bench.now_ms + 2000, 50, count, 0, 0)
        bench.run.tell(f"put an entry of {count} messages at offset {base}: it does not fit")
        try:
            bench.queue.append(entry)
        except StateError:
            bench.ask(1)
            bench.run.met["refused"] += 1
        else:
            ends = f"the queue ends at {bench.model.max_offset}"
            raise broken(1, expected=f"it is refused with a StateError: {ends}", found="`append` took it")


@dataclass(frozen=True, slots=True)
class Flush:
    """The host wants a plan; it is carried out later."""

    sync: bool = False

    def do(self, bench: Bench) -> None:
        if len(bench.jobs) < _WAITING_MAX:
            bench.flush(sync=self.sync)


@dataclass(frozen=True, slots=True)
class FailedFlush:
    """The disk fails after some operations of a plan: the queue never hears that it was carried out."""

    operations: int

    def do(self, bench: Bench) -> None:
        if bench.jobs:
            return
        bench.flush(sync=False)
        job = bench.jobs.pop()
        bench.perform(job.plan[: self.operations])
        bench.run.tell(f"the disk fails after {min(self.operations, len(job.plan))} operations of that plan; nothing is told")
        bench.ask(5)
        bench.run.met["failed flushes"] += 1


@dataclass(frozen=True, slots=True)
class CarryOut:
    """The oldest plans that wait, so many."""

    count: int = 1

    def do(self, bench: Bench) -> None:
        for _ in range(self.count):
            bench.carry_out()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One is on its way. is_at_once: and everything that waits is carried out."""

    is_at_once: bool = False

    def do(self, bench: Bench) -> None:
        if self.is_at_once:
            bench.settle()
        elif len(bench.jobs) < _WAITING_MAX:
            bench.snapshot()


@dataclass(frozen=True, slots=True)
class Trim:
    """Retention. share: of the messages that are there, in percent; above 100 it is asked for more, below 0 for less."""

    share: int

    def do(self, bench: Bench) -> None:
        model = bench.model
        bench.drop_before(max(0, model.min_offset + (model.max_offset - model.min_offset) * self.share // 100))


@dataclass(frozen=True, slots=True)
class Crash:
    """The power is lost (or the process killed) after some operations of what waits. chance: draws what is left."""

    operations: int
    chance: int | None = None
    is_kill: bool = False

    def do(self, bench: Bench) -> None:
        bench.crash(self.operations, self.chance, is_kill=self.is_kill)


@dataclass(frozen=True, slots=True)
class Anew:
    """The topic is deleted and made again; its old files are still there."""

    def do(self, bench: Bench) -> None:
        while bench.jobs:
            bench.carry_out()
        bench.run.tell("the topic is deleted and made again; the files of its former life are still there")
        bench.begin_anew()
        bench.ask(11)
        bench.run.met["made anew"] += 1


@dataclass(frozen=True, slots=True)
class Compare:
    """Another replica: the same commands, other positions, files written at another time."""

    def do(self, bench: Bench) -> None:
        other = bench.made()
        moved = [one if isinstance(one, int) else one._replace(position=one.position and one.position + 4096)
                 for one in bench.model.history]  # fmt: skip
        commands = commands_of(moved)
        half = len(commands) // 2
        calls = [*commands[:half], Call("flush", (), {"sync": True}), *commands[half:], Call("to_plain")]
        theirs = at_once(other, calls)[-1]
        (mine,) = bench.ask(10, Call("to_plain"))
        bench.run.met["compared"] += 1
        if theirs != mine:
            raise broken(
                10, expected=f"a replica whose log lies elsewhere makes the same snapshot: {str(theirs)[:160]}",
                found=f"this one makes {str(mine)[:160]}",
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Beside:
    """Another queue in the same process takes batches, is flushed, and retention comes to it: to this one that is nothing."""

    def do(self, bench: Bench) -> None:
        bench.run.tell("beside it, in the same process: queue 1 is made, takes nine batches, is flushed, and loses the oldest")
        entries = [QueueEntry(3 * n, 90_000 + 80 * n, 500 + n, 900 + n, 60, 3, 0, n) for n in range(9)]
        calls = [Call("append", (entry,)) for entry in entries]
        at_once(
            bench.made_beside(), [*calls, Call("flush", (), {"sync": True}), Call("flushed", (9,)), Call("drop_before", (14,))]
        )
        bench.ask(9)
        bench.run.met["beside"] += 1


# ---------------------------------------------------------------- what happens to files


def _settled(bench: Bench) -> Kept:
    bench.settle()
    assert bench.kept is not None
    return bench.kept


@dataclass(frozen=True, slots=True)
class Flip:
    """On a copy of the disk one bit changes, before the zeros at a file's end. where: a number that chooses it."""

    where: int

    def do(self, bench: Bench) -> None:
        kept, disk = _settled(bench), bench.disk.copy()
        contents = {file: data.rstrip(b"\0") for file, data in disk.contents().items()}
        sizes = {file: len(data) for file, data in contents.items() if data}
        at = self.where % max(1, sum(sizes.values()))
        for file, size in sizes.items():
            if at < size:
                disk.flip_bit(file, at, self.where % 8)
                bench.run.tell(f"on a copy of the disk, bit {self.where % 8} of byte {at} of {file} changes")
                told = read_damaged(bench, bench.restored(kept), disk, f"byte {at} of {file} has changed")
                bench.run.met["flips reported"] += told > 0
                bench.run.met["flips"] += 1
                return
            at -= size


@dataclass(frozen=True, slots=True)
class Cut:
    """On a copy of the disk a file ends too early. where: a number that chooses file and size. by: so many bytes, if not 0."""

    where: int
    by: int = 0

    def do(self, bench: Bench) -> None:
        kept, disk = _settled(bench), bench.disk.copy()
        sizes = {file: size for file, size in disk.files().items() if size}
        if not sizes:
            return
        file = sorted(sizes)[self.where % len(sizes)]
        left = max(0, sizes[file] - self.by) if self.by else self.where % sizes[file]
        disk.cut_short(file, left)
        bench.run.tell(f"on a copy of the disk, {file} ends after {left} of {sizes[file]} bytes")
        queue = bench.restored(kept)
        if queue.missing(dict(disk.files())) is None:
            read_damaged(bench, queue, disk, f"{file} ends after {left} bytes", is_missing=True)
        bench.run.met["cuts"] += 1


@dataclass(frozen=True, slots=True)
class Lose:
    """A file is gone. where: a number that chooses it. is_all: all are. Then the log makes the queue anew."""

    where: int
    is_all: bool = False

    def do(self, bench: Bench) -> None:
        kept = _settled(bench)
        files = sorted(bench.disk.files())
        if not files:
            return
        lost = files if self.is_all else [files[self.where % len(files)]]
        for file in lost:
            bench.disk.perform(Remove(file))
        bench.run.tell(f"gone: {', '.join(lost)}")
        queue = bench.restored(kept)
        if queue.missing(dict(bench.disk.files())) is None:
            read_damaged(bench, queue, bench.disk, f"{', '.join(lost)} is gone, and `missing` says None", is_missing=True)
        bench.kept = None
        bench.run.met["lost"] += 1
        bench.reopen(12)


def read_damaged(bench: Bench, queue: Any, disk: SimDisk, what: str, *, is_missing: bool = False) -> int:
    """Each message is found, or refused with a DamageError; returns how many are refused. is_missing: none may be."""
    model, told = bench.model, 0
    offsets = range(model.min_offset, model.max_offset)
    for begin in offsets[::_AT_ONCE]:
        some = offsets[begin - offsets.start :][:_AT_ONCE]
        try:
            found = at_once(queue, [Call("entries", (offset, 2)) for offset in some], disk)
        except DamageError:
            found = [_asked_alone(queue, offset, disk, what, is_missing=is_missing) for offset in some]
        for offset, got in zip(some, found, strict=True):
            told += got is None
            if got is not None:
                _check_found(bench, offset, got, what)
    for store_ms in {model.last_ms, model.facts[model.min_offset].store_ms + 1} if model.min_offset < model.max_offset else ():
        try:
            at = drive_on(queue, "offset_at", disk, store_ms)
        except DamageError:
            continue
        if at != model.offset_at(store_ms):
            raise broken(
                8, expected=f"{what}: a time leads to {model.offset_at(store_ms)}, or a DamageError is raised",
                found=f"`offset_at({store_ms})` says {at}",
            )  # fmt: skip
    return told


def _asked_alone(queue: Any, offset: int, disk: SimDisk, what: str, *, is_missing: bool) -> Any:
    """None when a DamageError tells of it."""
    try:
        return drive_on(queue, "entries", disk, offset, 2)
    except DamageError as error:
        if is_missing:
            raise broken(
                12, expected=f"{span(offset, 1)} is there, or its file is named ({what})", found=f"DamageError: {error}"
            ) from None
        return None


def _check_found(bench: Bench, offset: int, found: Any, what: str) -> None:
    try:
        judge.entries(2, bench.model, (offset, 2), found, bench.shelf)
    except PromiseBrokenError as error:
        raise broken(8, expected=f"{what}: {error.expected}, or a DamageError is raised", found=error.found) from None


Step = (
    Sizes | Put | Refused | Beside | Flush | FailedFlush | CarryOut | Snapshot | Trim | Crash | Anew | Compare | Flip | Cut | Lose
)
