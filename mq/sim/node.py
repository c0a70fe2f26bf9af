"""A broker node on a simulated disk: log, replication, machine and snapshots, one disk operation a step.

It keeps the same order as the real one (`mq.server.node`): write and sync, then apply, then answer; and it can be
stopped between any two operations. Every part that a learner may build is an argument.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from mq.broker.commands import Command, decode_command, encode_command
from mq.broker.delivery.picker import Picker
from mq.broker.log_clock import LogClock
from mq.broker.machine import BrokerMachine
from mq.broker.outcomes import Outcome
from mq.broker.replication.solo import Solo
from mq.broker.store.commit_log import Checkpoint, CommitLog, Recovery
from mq.broker.store.record_reader import RecordReader
from mq.broker.store.snapshot import (
    Snapshot,
    decode_snapshot,
    encode_snapshot,
    snapshot_file,
    snapshots_in,
    superfluous_snapshots,
)
from mq.core.entry import Appended, Entry, EntryKind, RecordPlace
from mq.core.errors import DamageError, DiskFullError, FormatError, MqError, NotServingError, OutcomeUnknownError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Create, Operation, Plan, Read, Remove, Replace, Steps, Sync, Write, drive
from mq.sim.clock import SimClock
from mq.sim.disk import SimDisk
from mq.sim.store_view import checksum

__all__ = ["Answer", "NodeOptions", "Note", "Parts", "SimNode"]

_T = TypeVar("_T")
_REPLAY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The replaceable parts of a node; defaults = reference."""

    log: Callable[..., CommitLog] = CommitLog
    machine: type[BrokerMachine] = BrokerMachine
    picker: Callable[[BrokerMachine, RecordReader], Picker] = Picker


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """segment_bytes: small, so that many are made. snapshot_every: commands between two snapshots."""

    segment_bytes: int = 4096
    snapshot_every: int = 60
    group_commands_max: int = 4


@dataclass(slots=True)
class _Job:
    plan: Plan
    done: Callable[[MqError | None], None]
    at: int = 0


Answer = Callable[[Outcome | MqError], None]
Note = Callable[..., None]


class SimNode:
    """One life of a node: from its opening to its end.

    note: called with (event, details) for `mq.sim.trace`. failure: the disk failed, the node takes nothing any more.
    """

    def __init__(self, disk: SimDisk, clock: SimClock, note: Note, *, options: NodeOptions, parts: Parts) -> None:
        self.disk, self._clock, self._note, self._options, self._parts = disk, clock, note, options, parts
        self._booted_ms = clock.now_ms
        self.failure: MqError | None = None
        self.recovery: Recovery | None = None
        self._gathering: deque[tuple[Command, bytes, Answer]] = deque()
        self._jobs: deque[_Job] = deque()
        self._is_writing = False
        self._since_snapshot = 0
        self.log = parts.log(segment_bytes=options.segment_bytes)
        self.machine = parts.machine()
        self._snapshots = snapshots_in(disk.files())

    # --- opening

    def open(self, *, repairs_max: int | None = None) -> Recovery:
        """Snapshot, recovery, repairs, replay; after it the node serves.

        repairs_max: the process ends after so many operations of the repairs, if there are more.
        Raises: DamageError, FormatError; NotServingError when the process ended; DiskError.
        """
        snapshot = self._take_newest_snapshot()
        checkpoint = Checkpoint.from_bytes(snapshot.checkpoint) if snapshot is not None else None
        self.recovery = self.read(self.log.recover(self.disk.files(), checkpoint))
        if self.recovery.damage:
            first = self.recovery.damage[0]
            raise DamageError(first.file, first.at, first.reason, first.position)
        for number, operation in enumerate(self.recovery.repairs):
            if number == repairs_max:
                raise NotServingError("the process ended while it repaired the log")
            self.disk.perform(operation)
        if self.machine.applied_index + 1 < self.log.first_index:
            raise DamageError("snapshots", 0, f"no usable snapshot for a log that begins at index {self.log.first_index}")
        before = self.machine.applied_index
        self._replay()
        self.replication = Solo(self.log)
        self.picker = self._parts.picker(self.machine, RecordReader(self.log))
        self.clock = LogClock()
        self.clock.begin(self.machine.log_ms, self._monotonic_ms())
        self._note(
            "opened",
            first=self.log.first_index,
            last=self.log.last_index,
            torn=self.recovery.torn.size_bytes if self.recovery.torn else 0,
            replayed=self.machine.applied_index - before,
            snapshot=snapshot.index if snapshot else 0,
        )
        return self.recovery

    def _take_newest_snapshot(self) -> Snapshot | None:
        """The newest that is whole and whose consume queues are there; its state becomes ours."""
        files = self.disk.files()
        for _, file in snapshots_in(files):
            try:
                snapshot = decode_snapshot(file, self.disk.read(Read(file, 0, files[file])))
                machine = self._parts.machine.from_bytes(snapshot.body)
            except (DamageError, FormatError):
                continue
            if not any(q.missing(files) for t in machine.topics.values() for q in t.queues):
                self.machine = machine
                return snapshot
        return None

    def _replay(self) -> None:
        while self.machine.applied_index < self.log.last_index:
            first = LogIndex(self.machine.applied_index + 1)
            for entry, place in self.read(self.log.entries(first, self.log.last_index, _REPLAY_BYTES)):
                self._apply(entry, place)

    def _apply(self, entry: Entry, place: RecordPlace) -> None:
        if entry.kind == EntryKind.COMMAND:
            self.machine.apply(entry.index, decode_command(entry.payload), place)
        else:
            self.machine.skip(entry.index)

    # --- the outside

    def read(self, steps: Steps[_T]) -> _T:
        """Run a reading core to its end."""
        return drive(steps, self.disk)

    def stamps(self) -> tuple[int, int]:
        """(log_ms, wall_ms) for a new command."""
        return self.clock.now_ms(self._monotonic_ms()), max(self._clock.now_ms, self.machine.wall_ms)

    def _monotonic_ms(self) -> int:
        # Each life has a monotonic clock of its own, which begins anywhere.
        return self._clock.now_ms - self._booted_ms + 77

    def propose(self, command: Command, answer: Answer) -> None:
        """Put a command into the log; `answer` is told its outcome, or why there is none."""
        if self.failure is not None:
            answer(NotServingError(f"the disk failed: {self.failure}"))
            return
        self._gathering.append((command, encode_command(command), answer))

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do before someone asks for something."""
        return not self._jobs and not self._gathering

    def step(self) -> bool:
        """Carry out one operation of the disk, or begin with the next group. False when there is nothing to do."""
        if self.failure is not None:
            return False
        if self._jobs:
            self._work_on(self._jobs[0])
            return True
        if self._gathering:
            self._begin_group()
            return True
        return False

    def _work_on(self, job: _Job) -> None:
        error: MqError | None = None
        if job.at < len(job.plan):
            operation = job.plan[job.at]
            try:
                self.disk.perform(operation)
            except MqError as raised:
                error = raised
                self._note("disk-full" if isinstance(raised, DiskFullError) else "sync-failed", file=operation.file)
            else:
                self._note_operation(operation)
            job.at += 1
        if error is not None or job.at >= len(job.plan):
            self._jobs.popleft()
            if error is not None and not error.definite:
                self.failure = error
            job.done(error)

    def _note_operation(self, operation: Operation) -> None:
        match operation:
            case Write(file, at, data):
                self._note("write", file=file, at=at, size=len(data))
            case Sync(file):
                self._note("sync", file=file)
            case Create(file, size_bytes):
                self._note("create", file=file, size=size_bytes)
            case Replace(file, data):
                self._note("replace", file=file, size=len(data))
            case Remove(file):
                self._note("remove", file=file)

    # --- the write path

    def _begin_group(self) -> None:
        group = [self._gathering.popleft() for _ in range(min(len(self._gathering), self._options.group_commands_max))]
        proposed = self.replication.propose([payload for _, payload, _ in group])
        (appended,) = proposed.saves
        for number, (_, payload, _) in enumerate(group):
            self._note("append", index=self.log.last_index + 1 - len(group) + number, term=0, body=checksum(payload))
        self._jobs.append(_Job(appended.plan, lambda error: self._on_written(appended, group, error)))

    def _on_written(self, appended: Appended, group: list[tuple[Command, bytes, Answer]], error: MqError | None) -> None:
        if error is not None:
            self._on_write_failed(appended, group, error)
            return
        committed = self.replication.saved(appended.sequence).apply_to
        self._note("synced", index=committed)
        for (command, _, answer), place in zip(group, appended.places, strict=True):
            answer(self.machine.apply(self.machine.applied_index + 1, command, place))
        self._since_snapshot += len(group)
        if self._since_snapshot >= self._options.snapshot_every:
            self._take_snapshot()
        elif not self._gathering and (note := self.log.note_durable()):
            self._submit(note)

    def _on_write_failed(self, appended: Appended, group: list[tuple[Command, bytes, Answer]], error: MqError) -> None:
        if isinstance(error, DiskFullError):
            self.replication.save_failed(appended.sequence)
            self._note("abandon", last=self.log.last_index)
            for _, _, answer in group:
                answer(error)
            return
        for _, _, answer in group:
            answer(OutcomeUnknownError(f"the disk failed while this was being written: {error}"))
        while self._gathering:
            self._gathering.popleft()[2](NotServingError(f"the disk failed: {error}"))

    def _submit(self, plan: Plan, done: Callable[[MqError | None], None] = lambda _error: None) -> None:
        if plan:
            self._jobs.append(_Job(plan, done))

    def _take_snapshot(self) -> None:
        """State on disk, behind the consume queues' files that it relies on."""
        self._since_snapshot = 0
        index = self.machine.applied_index
        for topic in self.machine.topics.values():
            for queue in topic.queues:
                count = queue.entry_count
                plan = queue.flush(sync=True)
                self._submit(plan, lambda error, queue=queue, count=count: None if error else queue.flushed(count))  # type: ignore[misc]
        term = self.log.term_at(LogIndex(index)) or Term(0)
        snapshot = Snapshot(index, term, self.log.checkpoint().to_bytes(), self.machine.to_bytes())
        self._submit(
            (Replace(snapshot_file(index), encode_snapshot(snapshot)),),
            lambda error: self._on_snapshot(index, error),
        )

    def _on_snapshot(self, index: int, error: MqError | None) -> None:
        if error is not None:
            return
        self._snapshots = [*self._snapshots, (index, snapshot_file(index))]
        gone = superfluous_snapshots(self._snapshots, self.log.first_index)
        self._snapshots = [one for one in self._snapshots if one[1] not in gone]
        self._submit(tuple(Remove(file) for file in gone))

    def check(self) -> None:
        """Raises: StateError when an invariant of log or queues is broken."""
        self.log.check()
        for topic in self.machine.topics.values():
            for queue in topic.queues:
                queue.check()
