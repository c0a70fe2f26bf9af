"""A node's disk in the group's world with the real thing on it: the broker's commit log and snapshot files, byte by byte.

It takes the place of `LightStorage` (`run.py sim --log store`). What the checkers ask for is answered by the model
beside the log, and each start holds what the log recovered against that.
"""

from collections.abc import Sequence
from random import Random

from mq.broker.store.commit_log import CommitLog
from mq.broker.store.record import SEGMENT_HEADER_BYTES
from mq.core.entry import Entry
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Operation, Plan, Sync, drive, perform
from mq.raft.messages import Snapshot
from mq.raft.output import Chunk
from mq.raft.restart import later_configurations
from mq.sim.crash import after_power_loss, draw_survival
from mq.sim.disk import SimDisk
from mq.sim.group.light_log import Group
from mq.sim.group.storage import Opened
from mq.sim.group.store_log import NotedLog, StoreMedium, kept_groups, open_log, read_entries
from mq.sim.group.store_snapshot import SavedSnapshot, forget_plan, save_plan, saved_snapshots

__all__ = ["StoreStorage", "StoreStorages"]

_SEGMENT_BYTES = (1024, 4096, 64 << 10)
_FLIPS_MAX = 60


class StoreStorage:
    """See `mq.sim.group.storage.Storage`. rng: tears writes and flips bits; the run's own chance is not touched."""

    __slots__ = ("_incoming", "_log", "_rng", "_segment_bytes", "disk", "durable")

    def __init__(self, rng: Random) -> None:
        self._rng, self._segment_bytes = rng, rng.choice(_SEGMENT_BYTES)
        self.disk, self.durable = SimDisk(), StoreMedium()
        self._log = self._new_log()
        self._incoming: list[Chunk] = []

    def _new_log(self) -> NotedLog:
        return NotedLog(self.durable, segment_bytes=self._segment_bytes)

    @property
    def unsynced(self) -> int:
        """See `Storage`."""
        return len(self.durable.waiting)

    @property
    def is_damaged(self) -> bool:
        """See `Storage`."""
        return self.durable.is_damaged

    # --- life

    def open(self) -> Opened:
        """See `Storage`. Raises: StateError when the log is not what was written."""
        self._incoming = []
        self.durable.waiting.clear()
        log, newest = self._new_log(), self._newest()
        recovery, entries = open_log(log, self.disk, newest.checkpoint if newest else None)
        if bool(recovery.damage) != self.is_damaged:
            raise StateError(f"damaged is {self.is_damaged}, and the log says {recovery.damage}")
        if not recovery.damage and (difference := self.durable.disagreement(log, entries)):
            raise StateError(f"the log that was recovered is another one: {difference}")
        if not recovery.damage:
            self.durable.take_over(log, entries)
        self._log = log
        last = newest.snapshot.last if newest else EntryId(Term(0), LogIndex(0))
        later = drive(later_configurations(log, last), self.disk)
        return Opened(log, newest.snapshot, newest.state, later) if newest else Opened(log, None, b"", later)

    def _newest(self) -> SavedSnapshot | None:
        return next(saved_snapshots(self.disk), None)

    def crash(self, kept: int, *, is_power_lost: bool) -> int:
        """See `Storage`. A power loss also tears the write that is under way; whether all of it arrived, the log itself says."""
        waiting = list(self.durable.waiting)
        self.sync(waiting[kept - 1].sequence if kept else 0)
        if not is_power_lost:
            self.durable.crash(0)
            return kept
        if kept < len(waiting):
            plan = self._log.plans[waiting[kept].sequence]
            perform(self.disk, plan[: self._rng.randrange(len(plan))])  # the last operation is the sync
        self.disk = after_power_loss(self.disk, draw_survival(self.disk, self._rng))
        trial, newest = CommitLog(segment_bytes=self._segment_bytes), self._newest()
        recovery, entries = open_log(trial, self.disk.copy(), newest.checkpoint if newest else None)
        more = kept_groups(self.durable, trial, entries) if not self.is_damaged else 0
        if more is None:
            difference = self.durable.disagreement(trial, entries)
            raise StateError(f"a power loss left another log: {difference} ({recovery})")
        self.durable.crash(more)
        return kept + more

    def damage(self) -> None:
        """See `Storage`. A bit is flipped where the log can prove that the byte was durable."""
        newest = self._newest()
        for _ in range(_FLIPS_MAX):
            files = [(file, size) for file, size in self.disk.files().items() if file.startswith("log/")]
            if not files:
                return
            file, size_bytes = self._rng.choice(files)
            at, bit = self._rng.randrange(SEGMENT_HEADER_BYTES, size_bytes), self._rng.randrange(8)
            self.disk.flip_bit(file, at, bit)
            trial = CommitLog(segment_bytes=self._segment_bytes)
            recovery = drive(trial.recover(self.disk.files(), newest.checkpoint if newest else None), self.disk)
            if recovery.damage:
                self.durable.is_damaged = True
                return
            self.disk.flip_bit(file, at, bit)

    # --- the log

    def group(self, sequence: int) -> Group:
        """See `Storage`."""
        return next(group for group in reversed(self.durable.waiting) if group.sequence == sequence)

    def sync(self, sequence: int) -> None:
        """See `Storage`."""
        for waiting in sorted(self._log.plans):
            if waiting <= sequence:
                perform(self.disk, self._log.plans.pop(waiting))
        self.durable.sync(sequence)

    def entries(self, first: int, last: int, bytes_max: int) -> Sequence[Entry]:
        """See `Storage`. What is not durable is not read: nothing of it may be there."""
        last = min(last, self._log.durable_index)
        return read_entries(self._log, self.disk, first, last, bytes_max) if self._log.first_index <= first <= last else ()

    def forget(self, plan: Plan) -> None:
        """See `Storage`."""
        perform(self.disk, plan)
        if plan:
            self.durable.drop_before(self._log.first_index)

    # --- snapshots

    def save_snapshot(self, snapshot: Snapshot, state: bytes) -> None:
        """See `Storage`."""
        perform(self.disk, save_plan(snapshot, state, self._log))
        self._perform_synced(self._log.note_durable())

    def _perform_synced(self, plan: Plan) -> None:
        operations: list[Operation] = []
        for operation in plan:
            operations += [operation, Sync(operation.file)]
        perform(self.disk, tuple(operations))

    def save_chunk(self, chunk: Chunk) -> None:
        """See `Storage`."""
        if chunk.at == 0:
            self._incoming = []
        self._incoming.append(chunk)
        if chunk.is_last:
            self.save_snapshot(chunk.snapshot, b"".join(part.data for part in self._incoming))

    def state_of(self, snapshot: Snapshot) -> bytes | None:
        """See `Storage`."""
        return next((saved.state for saved in saved_snapshots(self.disk) if saved.snapshot == snapshot), None)

    def forget_snapshots(self, index: int) -> None:
        """See `Storage`."""
        perform(self.disk, forget_plan(self.disk, index))


class StoreStorages:
    """Makes one for each node, from the seed of the run."""

    def __init__(self, seed: int) -> None:
        self._seed, self._count = seed, 0

    def __call__(self) -> StoreStorage:
        """The next node's."""
        self._count += 1
        return StoreStorage(Random(f"disk {self._count} of {self._seed}"))  # noqa: S311 - repeatable is what it has to be
