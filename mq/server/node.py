"""One broker node: the loop around log, replication and state machine.

Commands of many callers go into the log together: while one group is being written and synced, the next one
gathers. The order is always the same: write and sync, then apply, then answer.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from mq.broker.batch import AppendMessages
from mq.broker.commands import Command, encode_command
from mq.broker.log_clock import LogClock
from mq.broker.outcomes import Outcome
from mq.broker.replication.solo import Proposed, Solo
from mq.broker.store.snapshot import Snapshot, encode_snapshot, snapshot_file, snapshots_in, superfluous_snapshots
from mq.broker.wall_clock import WallClock
from mq.core.errors import DiskError, DiskFullError, MqError, NotServingError, OutcomeUnknownError, RefusedError, StateError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Operation, Plan, Remove, Replace
from mq.server.disk import FileDisk
from mq.server.lane import StorageLane
from mq.server.opening import open_store
from mq.server.pacing import Pacing
from mq.server.reading import LogReader

__all__ = ["BrokerNode"]

_GROUP_BYTES_MAX = 8 << 20
_GROUP_COMMANDS_MAX = 4096
_NOTE_AFTER_S = 0.05
_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
_FLUSH_ENTRIES = 2048
"""Consume-queue entries that gather in memory before they are written out, unsynced."""
_log = logging.getLogger(__name__)

_Waiting = tuple[Command, bytes, "asyncio.Future[Outcome]"]


class BrokerNode:
    """Log, state and storage lane of one data folder; must be made inside a running event loop.

    on_applied: called with (command, outcome) after each applied command, in log order.
    on_failed: called once when the disk failed; the node takes nothing any more.
    """

    def __init__(self, disk: FileDisk, *, segment_bytes: int, snapshot_every_bytes: int = 64 << 20) -> None:
        self.disk = disk
        self.opened = open_store(disk, segment_bytes=segment_bytes)
        self.log, self.machine = self.opened.log, self.opened.machine
        self.replication = Solo(self.log)
        self.reader = LogReader(self.log, disk)
        self._wall_clock = WallClock(self.machine.wall_ms)
        self.clock = LogClock()
        self.clock.note(self.machine.log_ms, _monotonic_ms())
        self.on_applied: list[Callable[[Command, Outcome], None]] = []
        self.on_failed: Callable[[MqError], None] = lambda _error: None
        self.failure: MqError | None = None
        self.groups_written = 0
        self.bytes_written = 0
        self.last_snapshot_index = self.opened.snapshot_index
        self._loop = asyncio.get_running_loop()
        self._lane = StorageLane(disk, self._loop)
        self._gathering: deque[_Waiting] = deque()
        self._is_idle = asyncio.Event()  # nothing is being written, and nothing waits for it
        self._is_idle.set()
        self._is_closing = False
        self._pacing = Pacing()
        self._note_timer: asyncio.TimerHandle | None = None
        self._in_hand = 0
        self._snapshot_every_bytes = snapshot_every_bytes
        self._bytes_since_snapshot = 0
        self._snapshots_running: set[int] = set()
        self._removals: Plan = ()
        self._snapshot_indexes = [index for index, _ in snapshots_in(disk.files())]

    # --- time

    def log_ms(self) -> int:
        """Log time now, in ms."""
        return self.clock.now_ms(_monotonic_ms())

    def wall_ms(self) -> int:
        """Unix time now, in ms, as the log knows it: a machine's clock that is set changes it slowly."""
        return self._wall_clock.now_ms(_counting_ms(), time.time_ns() // 1_000_000)

    def stamps(self) -> tuple[int, int]:
        """(log_ms, wall_ms) for a new command; neither goes back."""
        return self.log_ms(), max(self.wall_ms(), self.machine.wall_ms)

    # --- the write path

    def propose(self, command: Command) -> "asyncio.Future[Outcome]":
        """Put a command into the log; the future ends when it is durable and applied.

        The outcome may be a RefusedError (returned). Raises, in the future: OutcomeUnknownError, DiskFullError.
        Raises: NotServingError when nothing was and will be done.
        """
        if self.failure is not None or self._is_closing:
            raise NotServingError(f"the broker takes no commands: {self.failure or 'it is stopping'}")
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self._gathering.append((command, encode_command(command), future))
        self._in_hand += 1
        self._pacing.arrived(self._in_hand, self._loop.time())
        if self._is_idle.is_set():
            self._is_idle.clear()
            self._write_soon()
        return future

    async def carry_out(self, command: Command) -> Outcome:
        """Like `propose`, waits for the end. Raises what it raises, and a refusal as RefusedError."""
        outcome = await self.propose(command)
        if isinstance(outcome, RefusedError):
            raise outcome
        return outcome

    def _write_soon(self) -> None:
        """Begin a group: not at once, for whoever else is ready in this turn of the loop shares it."""
        self._pacing.begin(len(self._gathering), self._loop.time())
        self._loop.call_soon(self._write_when_complete)

    def _write_when_complete(self) -> None:
        if self._pacing.is_complete(len(self._gathering), self._loop.time()):
            self._write_next()
        else:
            self._loop.call_soon(self._write_when_complete)

    def _write_next(self) -> None:
        if not self._gathering or self.failure is not None:
            self._is_idle.set()
            return
        self._is_idle.clear()
        group: list[_Waiting] = []
        size = 0
        while (
            self._gathering
            and len(group) < _GROUP_COMMANDS_MAX
            and (not group or size + len(self._gathering[0][1]) <= _GROUP_BYTES_MAX)
        ):
            waiting = self._gathering.popleft()
            size += len(waiting[1])
            group.append(waiting)
        try:
            proposed = self.replication.propose([payload for _, payload, _ in group])
        except Exception as bug:  # noqa: BLE001 - ours; callers must not wait for ever because of it
            self._break_down(_as_bug("the log took no more commands", bug), group)
            return
        self.groups_written += 1
        self.bytes_written += size
        self._bytes_since_snapshot += size + 64 * len(group)
        done = partial(self._on_written, proposed, group)
        if not (self._pacing.is_lone and len(group) == 1 and self._lane.try_here(proposed.appended.plan, done)):
            self._lane.submit(proposed.appended.plan, done)

    def _on_written(self, proposed: Proposed, group: list[_Waiting], error: MqError | None) -> None:
        self._in_hand -= len(group)
        if error is not None:
            self._on_write_failed(proposed, group, error)
            return
        try:
            self._apply(proposed, group)
        except Exception as bug:  # noqa: BLE001 - ours; this state is not to be trusted any more
            self._break_down(_as_bug("a command could not be applied", bug), group)

    def _apply(self, proposed: Proposed, group: list[_Waiting]) -> None:
        committed = self.replication.saved(proposed.appended.sequence)
        if len(proposed.appended.plan) > 2 and self.machine.applied_index > 0:
            # A new segment: the state as of its beginning can rebuild everything behind it.
            self._take_snapshot()
        if self._gathering:
            self._write_soon()
        else:
            self._is_idle.set()
        now_ms = _monotonic_ms()
        for (command, payload, future), (index, place) in zip(group, committed, strict=True):
            outcome = self.machine.apply(index, command, place)
            self.clock.note(command.log_ms, now_ms)
            if type(command) is AppendMessages:
                self.reader.remember(index, payload)
            for listener in self.on_applied:
                listener(command, outcome)
            if not future.done():
                future.set_result(outcome)
        self._after_apply()

    def _on_write_failed(self, proposed: Proposed, group: list[_Waiting], error: MqError) -> None:
        if isinstance(error, DiskFullError):
            # Nothing of the group was begun: these calls fail for certain, the node goes on.
            self.replication.refused(proposed.appended.sequence)
            for _, _, future in group:
                _fail(future, error)
            self._write_next()
            return
        self._break_down(error, group)

    def _break_down(self, error: MqError, group: list[_Waiting]) -> None:
        """Take nothing any more, and tell all who wait: nobody knows about the group, nothing else was begun."""
        self._is_idle.set()
        self.failure = error
        what = "the disk failed" if isinstance(error, DiskError) else "the broker failed"
        _log.error("%s, the broker stops: %s", what, error)
        for _, _, future in group:
            _fail(future, OutcomeUnknownError(f"{what} while this was being written: {error}"))
        while self._gathering:
            _fail(self._gathering.popleft()[2], NotServingError(f"{what}: {error}"))
        self.on_failed(error)

    async def carry_out_plan(self, plan: Plan) -> None:
        """Operations on files beside the log, in the order of everything else. Raises: DiskError."""
        await self._lane.carry_out(plan)

    # --- upkeep

    def _after_apply(self) -> None:
        has_removals = bool(self.machine.dropped_queues or self.machine.cleanups)
        if has_removals or self._bytes_since_snapshot >= self._snapshot_every_bytes:
            self._take_snapshot()
        else:
            self._flush_queues(sync=False)
        if self._note_timer is None:
            self._note_timer = self._loop.call_later(_NOTE_AFTER_S, self._note_durable)

    def _note_durable(self) -> None:
        """Nothing came for a moment: leave a mark that the last group is durable (under load, the next group says it)."""
        self._note_timer = None
        if self._is_idle.is_set() and not self._is_closing and self.failure is None:
            note = self.log.note_durable()
            if note:
                self._lane.submit(note)

    def _removals_of_machine(self) -> list[Operation]:
        """What removes the files that the machine needs no more; an older state may still need them."""
        plan: list[Operation] = list(self.machine.cleanups)
        self.machine.cleanups.clear()
        if self.machine.dropped_queues:
            files = self.disk.files()
            kept = {(q.topic, q.queue_id) for t in self.machine.topics.values() for q in t.queues}
            for queue in self.machine.dropped_queues:
                if (queue.topic, queue.queue_id) not in kept:
                    plan.extend(queue.delete(files))
            self.machine.dropped_queues.clear()
        return plan

    def _flush_queues(self, *, sync: bool) -> None:
        """Bring the consume queues' newest entries into their files."""
        plan: list[Operation] = []
        counts = []
        for topic in self.machine.topics.values():
            for queue in topic.queues:
                if sync or queue.entry_count - queue.flushed_count >= _FLUSH_ENTRIES:
                    plan.extend(queue.flush(sync=sync))
                    counts.append((queue, queue.entry_count))

        def done(error: MqError | None) -> None:
            if error is None:
                for queue, entry_count in counts:
                    queue.flushed(entry_count, is_synced=sync)

        if plan:
            self._lane.submit(tuple(plan), done)

    def _take_snapshot(self) -> None:
        """Write the state down, behind what the consume queues' files need for it.

        Only then those files go that it does not need: after a crash the snapshot before it would miss them.
        """
        self._bytes_since_snapshot = 0
        index = self.machine.applied_index
        if index == self.last_snapshot_index or index in self._snapshots_running:
            return
        self._snapshots_running.add(index)
        self._flush_queues(sync=True)
        snapshot = Snapshot(
            index, self.log.term_at(LogIndex(index)) or Term(0), self.log.checkpoint().to_bytes(), self.machine.to_bytes()
        )
        removals = (*self._removals, *self._removals_of_machine())
        self._removals = ()
        plan = (Replace(snapshot_file(index), encode_snapshot(snapshot)), *removals)
        self._lane.submit(plan, partial(self._on_snapshot, index, removals))

    def _on_snapshot(self, index: int, removals: Plan, error: MqError | None) -> None:
        self._snapshots_running.discard(index)
        if error is not None:
            self._removals = (*removals, *self._removals)
            _log.warning("a snapshot could not be written: %s", error)
            return
        self.last_snapshot_index = index
        names = {snapshot_file(i): 0 for i in (*self._snapshot_indexes, index)}
        superfluous = superfluous_snapshots(snapshots_in(names), self.log.first_index)
        self._snapshot_indexes = [i for i, file in snapshots_in(names) if file not in superfluous]
        if superfluous and not self._is_closing:
            self._lane.submit(tuple(Remove(file) for file in superfluous))

    def drop_log_before(self, index: int) -> None:
        """Remove the log's segments below an index (retention: the state does not need them any more)."""
        plan = self.log.drop_before(LogIndex(index))
        if plan:
            self._lane.submit(plan)

    async def close(self) -> None:
        """Finish what was taken, write a snapshot, and let go of the folder."""
        self._is_closing = True
        await self._is_idle.wait()
        if self.failure is None:
            self._take_snapshot()
            self._lane.submit(self.log.note_durable())
        await asyncio.to_thread(self._lane.close)
        self.disk.close()


def _fail(future: "asyncio.Future[Outcome]", error: MqError) -> None:
    if not future.done():
        future.set_exception(error)


def _as_bug(what: str, error: Exception) -> StateError:
    _log.debug("%s", what, exc_info=error)
    return StateError(f"{what}: {type(error).__name__}: {error}")


def _counting_ms() -> int:
    """A clock that cannot be set; where there is one, it counts on while the machine sleeps."""
    return _monotonic_ms() if _BOOT_CLOCK is None else time.clock_gettime_ns(_BOOT_CLOCK) // 1_000_000


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
