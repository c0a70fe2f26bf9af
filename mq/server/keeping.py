"""State on disk beside the log: consume-queue files, snapshots, and the files that nobody needs any more.

Snapshots come where the entries applied so far fill another stretch of so many bytes, so that all nodes take them of the same
states, and can compare those (`mq.server.comparing`). Some come besides: where a segment begins, and where files are to go.
"""

import asyncio
import logging
import zlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from mq.broker.machine import BrokerMachine
from mq.broker.store.commit_log import CommitLog
from mq.broker.store.consume_queue import ConsumeQueue
from mq.broker.store.snapshot import Snapshot as SnapshotFile
from mq.broker.store.snapshot import encode_snapshot, snapshot_file, snapshots_in, superfluous_snapshots
from mq.core.errors import MqError
from mq.core.ids import EntryId
from mq.core.ports import Operation, Plan, Remove, Replace
from mq.raft.messages import Snapshot
from mq.server.disk import FileDisk
from mq.server.lane import StorageLane
from mq.server.piecemeal import ForgottenError, Piecemeal

__all__ = ["Keeper"]

_FLUSH_ENTRIES = 2048
"""Consume-queue entries that gather in memory before they are written out, unsynced."""
_LOOK_EVERY = 256
"""Entries of the log, until all queues are looked through for such: with thousands of them that takes milliseconds."""
_NOTE_AFTER_S = 0.05
_HASHES = 16
"""Of so many states is remembered what their hashes were, for nodes that ask when they have come so far."""
_log = logging.getLogger(__name__)


class _Removals(NamedTuple):
    """plan: the whole. cleanups: of it, what retention let go. dropped: the queues that the rest is of."""

    plan: Plan
    cleanups: Plan
    dropped: tuple[ConsumeQueue, ...]


_NONE = _Removals((), (), ())


class Keeper:
    """Writes the state of the machine down in time, all of it through the lane, and piecemeal what is long.

    stands_for: what a snapshot of the state as it is now stands for. offered: the index of the one that followers are given
    which have nothing; it stays. snapshots: those on the disk, by index.
    last_index: of the newest. hashes: of the states that were written down here lately, by index; the newest comes last.
    replacements: how often the state became another's. on_hash: called when there is one more hash. is_closing: nothing is
    removed any more. run: whatever comes from the event loop goes through it: an error there is nobody else's to tell.
    """

    def __init__(  # noqa: PLR0913 - all of it is needed, once
        self,
        disk: FileDisk,
        lane: StorageLane,
        log: CommitLog,
        machine: BrokerMachine,
        *,
        snapshots: dict[int, Snapshot],
        every_bytes: int,
        stands_for: Callable[[], Snapshot | None],
        offered: Callable[[], int],
        is_quiet: Callable[[], bool],
        is_of_group: bool,
        run: Callable[[Callable[[], None]], None],
    ) -> None:
        self._disk, self._lane, self._log, self._machine = disk, lane, log, machine
        self._run = run
        self._every_bytes, self._stands_for, self._offered, self._is_quiet = every_bytes, stands_for, offered, is_quiet
        self.snapshots = snapshots
        self.hashes: dict[int, int] = {}
        self.replacements = 0
        self.on_hash: Callable[[], None] = lambda: None
        self.is_closing = False
        self._is_of_group = is_of_group
        self._begin_stretch()
        self._works = Piecemeal(lane)
        self._are_queues_written = False
        self._running: set[int] = set()
        self._left = _NONE
        self._looked_at = machine.applied_index
        self._boundaries = {segment.first_index for segment in log.segments()}
        self._note_timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def last_index(self) -> int:
        """Of the newest snapshot on the disk; 0 without one."""
        return max(self.snapshots, default=0)

    # --- when

    def segment_began(self) -> None:
        """A new segment: the state as of its beginning can rebuild everything behind it."""
        self._boundaries.add(self._log.segments()[-1].first_index)

    def about_to_apply(self, index: int) -> None:
        """An entry is next."""
        is_boundary = index in self._boundaries and self._machine.applied_index > 0
        if is_boundary or self._machine.applied_bytes >= self._next_at_bytes:
            self._boundaries.discard(index)
            self.take_snapshot()

    def _begin_stretch(self) -> None:
        """The next snapshot is due so many bytes behind this one; in a group, where all nodes take one: at a multiple of that."""
        applied_bytes, every_bytes = self._machine.applied_bytes, self._every_bytes
        last_at_bytes = applied_bytes // every_bytes * every_bytes if self._is_of_group else applied_bytes
        self._next_at_bytes = last_at_bytes + every_bytes

    def applied(self) -> None:
        """Entries are applied, for now the last ones."""
        has_removals = bool(self._machine.dropped_queues or self._machine.cleanups)
        if has_removals or self._machine.applied_bytes >= self._next_at_bytes:
            self.take_snapshot()
        elif self._machine.applied_index - self._looked_at >= _LOOK_EVERY:
            self._looked_at = self._machine.applied_index
            self._write_queues()
        if self._note_timer is None:
            self._note_timer = self._loop.call_later(_NOTE_AFTER_S, self._run, self._note_durable)

    def _note_durable(self) -> None:
        """Nothing came for a moment: leave a mark that the last group is durable (under load, the next group says it)."""
        self._note_timer = None
        if self._is_quiet() and not self.is_closing:
            note = self._log.note_durable()
            if note:
                self._lane.submit(note)

    # --- consume queues

    def _flush(self, *, sync: bool) -> tuple[Plan, Callable[[], None]]:
        """What brings the consume queues' newest entries into their files, and what is to be called when that is done."""
        plan: list[Operation] = []
        counts = []
        for topic in self._machine.topics.values():
            for queue in topic.queues:
                if sync or queue.entry_count - queue.flushed_count >= _FLUSH_ENTRIES:
                    plan.extend(queue.flush(sync=sync))
                    counts.append((queue, queue.entry_count))

        def done() -> None:
            for queue, entry_count in counts:
                queue.flushed(entry_count, is_synced=sync)

        return tuple(plan), done

    def _write_queues(self) -> None:
        """Unsynced, and behind what is to be removed: some of that may have the same names."""
        if self._are_queues_written:  # it may have to wait for a long snapshot, and would take the same entries again
            return
        plan, flushed = self._flush(sync=False)

        def ended(error: MqError | None) -> None:
            self._are_queues_written = False
            if error is None:
                flushed()

        if plan:
            self._are_queues_written = True
            self._works.add(plan, lambda error: self._run(partial(ended, error)))

    def _files(self) -> dict[str, int]:
        """All that are there, or will be when what was begun is done."""
        return {**dict.fromkeys(self._works.files, 0), **self._disk.files()}

    def _take_removals(self) -> _Removals:
        """What removes the files that the machine needs no more; an older state may still need them."""
        machine = self._machine
        cleanups: list[Operation] = [*self._left.cleanups, *machine.cleanups]
        dropped = (*self._left.dropped, *machine.dropped_queues)
        files = self._files() if dropped else {}
        self._left = _NONE
        machine.cleanups.clear()
        machine.dropped_queues.clear()
        kept = {(q.topic, q.queue_id) for t in machine.topics.values() for q in t.queues} if dropped else set()
        plan: list[Operation] = []
        for queue in dropped:
            # A topic of the same name may be there by now, with files of the same names.
            its_own = queue.delete({operation.file: 0 for operation in cleanups})
            cleanups = [operation for operation in cleanups if operation not in its_own]
            if (queue.topic, queue.queue_id) not in kept:
                plan.extend(queue.delete(files))
        return _Removals((*cleanups, *plan), tuple(cleanups), dropped)

    # --- snapshots

    def take_snapshot(self) -> None:
        """Write the state down, behind what the consume queues' files need for it.

        Only then those files go that it does not need: after a crash the snapshot before it would miss them. What cannot be
        written ends it there: a snapshot whose queues are not in their files is none.
        """
        self._begin_stretch()
        index = self._machine.applied_index
        if index == self.last_index or index in self._running:
            return
        stands_for = self._stands_for()
        if stands_for is None:
            return
        self._running.add(index)
        flush, flushed = self._flush(sync=True)
        removals = self._take_removals()
        state = self._machine.to_bytes()
        self._keep_hash(index, zlib.crc32(state))
        plan = (*flush, self.file_of(stands_for, state), *removals.plan)
        on_snapshot = partial(self._on_snapshot, stands_for, flushed, removals)
        self._works.add(plan, lambda error: self._run(partial(on_snapshot, error)))

    async def wait(self) -> None:
        """Come back when what was begun so far is written, or cannot be."""
        await self._works.wait()

    def _keep_hash(self, index: int, found: int) -> None:
        self.hashes[index] = found
        for old in list(self.hashes)[:-_HASHES]:
            del self.hashes[old]
        self.on_hash()

    def file_of(self, stands_for: Snapshot, state: bytes) -> Replace:
        """The file of a snapshot, of our own state or of what a leader sent."""
        (term, index), members = stands_for.last, stands_for.configuration.to_bytes()
        data = encode_snapshot(SnapshotFile(index, term, self._log.checkpoint().to_bytes(), state, members))
        return Replace(snapshot_file(index), data)

    def _on_snapshot(self, stands_for: Snapshot, flushed: Callable[[], None], removals: _Removals, error: MqError | None) -> None:
        self._running.discard(stands_for.last.index)
        if isinstance(error, ForgottenError):
            return
        if error is not None:
            # Not the plan: when it is tried again, what it removes may be another topic's.
            self._left = _Removals((), removals.cleanups + self._left.cleanups, removals.dropped + self._left.dropped)
            _log.warning("a snapshot could not be written: %s", error)
            return
        flushed()
        self.came(stands_for)

    def came(self, stands_for: Snapshot) -> None:
        """A snapshot is durable; older ones that it makes superfluous go."""
        index = stands_for.last.index
        self.snapshots[index] = stands_for
        files = snapshots_in({snapshot_file(kept): 0 for kept in self.snapshots})
        boundaries = [segment.first_index for segment in self._log.segments()]
        offered = snapshot_file(self._offered())
        superfluous = [file for file in superfluous_snapshots(files, self._log.first_index, boundaries) if file != offered]
        self.snapshots = {kept: self.snapshots[kept] for kept, file in files if file not in superfluous}
        if superfluous and not self.is_closing:
            self._lane.submit(tuple(Remove(file) for file in superfluous))

    def newest_before(self, index: int) -> Snapshot | None:
        """The newest snapshot of a state before this entry: the log may begin behind it."""
        return max((found for at, found in self.snapshots.items() if at < index), key=lambda found: found.last, default=None)

    def state_was_replaced(self, last: EntryId) -> None:
        """The machine's state is that of a snapshot from a leader: the old queues' files are another's, and no older state is."""
        self._begin_stretch()
        self.replacements += 1
        files = self._files()
        self._works.forget()
        plan: list[Operation] = [Remove(file) for file in files if file.startswith("queues/")]
        plan += [Remove(file) for at, file in snapshots_in(files) if at < last.index]
        for topic in self._machine.topics.values():
            for queue in topic.queues:
                plan.extend(queue.hollow())
        self.snapshots = {at: found for at, found in self.snapshots.items() if at >= last.index}
        self._machine.dropped_queues.clear()
        self._machine.cleanups.clear()
        self._left = _NONE
        self._lane.submit(tuple(plan))
