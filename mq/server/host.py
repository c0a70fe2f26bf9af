"""A node's host loop on the real disk: `mq.raft.hosting` with the storage lane, the broker's state machine and its snapshots.

The order of all that happens is the loop's; here is what each step is. The deterministic world has its own twin of this file
(`mq.sim.group.host`).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

from mq.broker.machine import BrokerMachine
from mq.broker.store.commit_log import CommitLog
from mq.broker.store.fresh_log import FreshLog
from mq.broker.store.snapshot import decode_snapshot, snapshot_file
from mq.broker.store.write_queue import WriteQueue
from mq.core.entry import Appended, Entry, RecordPlace
from mq.core.errors import DamageError, DiskFullError, MqError, StateError
from mq.core.ids import LogIndex
from mq.core.ports import Plan, Read, drive
from mq.raft.hosting import HostLoop
from mq.raft.messages import Message, Snapshot
from mq.raft.output import Chunk, ChunkWanted, EntriesWanted, RoleChanged
from mq.raft.role import Role
from mq.server.blanks import blanks
from mq.server.core import LoneCore, NodeCore
from mq.server.disk import FileDisk
from mq.server.durable_note import DurableNote
from mq.server.keeping import Keeper
from mq.server.lane import StorageLane
from mq.server.opening import OpenedStore
from mq.server.organs import OrganError
from mq.server.reading import LogReader
from mq.server.rejections import RejectionWatch
from mq.server.transit import StatesInTransit

__all__ = ["StoreHost", "Upstairs"]

_SLICE_BYTES = 256 << 10
"""Of entries that are read from the disk and applied in one go: between two slices the event loop goes on."""
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Upstairs(Protocol):
    """The node that a host works for."""

    def apply_entry(self, entry: Entry, place: RecordPlace) -> None:
        """Into the state machine."""

    def was_saved(self, sequence: int) -> None:
        """The saves up to this one are durable."""

    def was_taken_back(self, sequence: int) -> None:
        """There was no room for this save."""

    def role_is(self, change: RoleChanged) -> None:
        """Of this node."""

    def state_was_replaced(self) -> None:
        """The state machine was loaded from a leader's snapshot."""

    def read_done(self, context: int, *, is_fresh: bool) -> None:
        """A read may be answered, or has to be asked again elsewhere."""

    def breaks_down(self, error: MqError) -> None:
        """Nothing can go on."""

    def deliver(self, message: Message) -> None:
        """To another node."""

    def is_lone(self) -> bool:
        """Whether a short write may be done at once, in the event loop's own thread, which does nothing else then."""


class StoreHost(HostLoop):
    """See the module. keeper: of the files beside the log. turns: how often the loop was entered.

    states: on their way between nodes. on_damage: called when what a follower needs is found damaged.
    """

    def __init__(
        self,
        disk: FileDisk,
        lane: StorageLane,
        opened: OpenedStore,
        make_core: Callable[[FreshLog], NodeCore],
        upstairs: Upstairs,
        *,
        snapshot_every_bytes: int,
    ) -> None:
        super().__init__()
        self._disk, self._lane, self._up = disk, lane, upstairs
        self.log, self.machine = opened.log, opened.machine
        self._reader = LogReader(self.log, disk)
        self.fresh_log = self.make_log(opened.log)
        self.core: NodeCore = make_core(self.fresh_log)
        self.begin(self.machine.applied_index)
        self.keeper = Keeper(
            disk, lane, self.log, self.machine, snapshots=dict(opened.snapshots), every_bytes=snapshot_every_bytes,
            stands_for=self._stands_for, offered=lambda: self.core.view().snapshot.index, is_quiet=lambda: self._writes.is_empty,
            is_of_group=not isinstance(self.core, LoneCore), run=self.run,
        )  # fmt: skip
        self._writes = WriteQueue()
        self._under_way: Plan = ()
        self._newest_save = -1
        self._depth = self.turns = 0
        self._is_catching_up = False
        self.states = StatesInTransit()
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_over = False
        self.on_damage: Callable[[DamageError], None] = lambda _damage: None
        self._rejections = RejectionWatch(self.core.view)
        self._note = DurableNote(disk.folder, self.log.durable_index)

    def make_log(self, log: CommitLog) -> FreshLog:
        """What the core takes for its log."""
        return FreshLog(log)

    # --- the way in

    def hear(self, message: Message) -> None:
        """Another node says something."""
        self.carry_out(self.core.step(message))
        self._rejections.heard(message)

    def tick(self) -> None:
        """A moment passed."""
        self.carry_out(self.core.tick())
        if not self.states.is_empty:
            self.states.let_go(self.core.view())

    def run(self, do: Callable[[], _T]) -> _T | None:
        """Whatever goes wrong in the loop is our own fault, and its state is not to be trusted any more."""
        if self.is_over:
            return None
        self.turns += 1
        self._depth += 1
        try:
            return do()
        except MqError as error:
            self._end(error)
        except Exception as bug:  # noqa: BLE001 - ours; who waits must not wait for ever because of it
            self._end(as_bug("a step of the node failed", bug))
        finally:
            self._depth -= 1
            if not self._depth and not self.is_over:
                self._write_more()
        return None

    def _end(self, error: MqError) -> None:
        if not self.is_over:
            self.is_over = True
            self._up.breaks_down(error)

    def ends_soon(self, error: MqError) -> None:
        """From any thread, at any depth: nothing can go on, also when whoever meets this error takes it for his own affair."""
        with suppress(RuntimeError):  # the loop is closed: there is nothing left to end
            self._loop.call_soon_threadsafe(self._end, error)

    @property
    def disk_busy_s(self) -> float:
        """For how long the disk has been at one operation; 0 while there is nothing to do."""
        return self._lane.busy_s

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is being written, and nothing waits for it."""
        return self._writes.is_empty

    # --- saving

    def save(self, saves: Sequence[Appended]) -> None:
        """See `HostLoop`. Writing begins when the output is carried out, so that messages leave before it."""
        for appended in saves:
            before, self._newest_save = self._newest_save, appended.sequence
            if appended.sequence != before + 1 and appended.sequence != self.fresh_log.sequence_after(before):
                # The disk being done with this one would say that what is left out is durable, too.
                raise StateError(f"save {appended.sequence} of the log is to be written, and another one is next behind {before}")
            self._writes.put(appended)
            if len(appended.plan) > 2:
                self.keeper.segment_began()
        self._note.lower_to(self.log.durable_index)

    def _write_more(self) -> None:
        if self._writes.is_busy:
            return
        plan = self._under_way = self._writes.take()
        if plan and not (self._up.is_lone() and self._lane.try_here(plan, self._on_written)):
            self._lane.submit(plan, self._on_written)

    def _on_written(self, error: MqError | None) -> None:
        self.run(partial(self._written, error))

    def _written(self, error: MqError | None) -> None:
        if error is None:
            sequence = self._writes.done()
            self._up.was_saved(sequence)
            self.saved(sequence)
            # Not before: what was taken back may stand at the log's end on the disk, until something is written over it.
            self._note.raise_to(self.log.durable_index)
        elif isinstance(error, DiskFullError):
            self._lane.submit(blanks(self._under_way))
            self.take_back(self._writes.refused())
            if self.core.view().role is Role.MUTE:
                # A snapshot was installed and there is no room for the log behind it: a start with more room mends that.
                self._end(error)
        else:
            self.disk_failed()
            self._end(error)

    def taking_back(self, sequence: int) -> None:
        """See `HostLoop`."""
        self._newest_save = sequence - 1
        self._up.was_taken_back(sequence)

    def forget(self, plan: Plan) -> None:
        """See `HostLoop`."""
        self._lane.submit(plan)

    # --- messages, roles, reads

    def send(self, message: Message) -> None:
        """See `HostLoop`."""
        self._up.deliver(message)

    def role_changed(self, changes: Sequence[RoleChanged]) -> None:
        """See `HostLoop`."""
        for change in changes:
            self._up.role_is(change)

    def read_answered(self, context: int) -> None:
        """See `HostLoop`."""
        self._up.read_done(context, is_fresh=True)

    def read_lost(self, context: int) -> None:
        """See `HostLoop`."""
        self._up.read_done(context, is_fresh=False)

    # --- applying

    def apply(self) -> None:
        """See `HostLoop`. What was appended lately is at hand; older entries are read, slice by slice."""
        if self._is_catching_up:
            return
        fresh, machine, before = self.fresh_log.fresh, self.machine, self.machine.applied_index
        while machine.applied_index < self.apply_to:
            found = fresh.pop(machine.applied_index + 1, None)
            if found is None:
                self._is_catching_up = True
                self._loop.call_soon(self.run, self._catch_up)
                break
            self._apply_one(*found)
        if machine.applied_index > before:
            self._have_applied()

    def _apply_one(self, entry: Entry, place: RecordPlace) -> None:
        self.keeper.about_to_apply(entry.index)
        self._up.apply_entry(entry, place)
        self.machine.applied_bytes += len(entry.payload)

    def _have_applied(self) -> None:
        self.applied_up_to(self.machine.applied_index)
        self.keeper.applied()

    def _catch_up(self) -> None:
        """The next slice from the disk. What is to be applied is durable, so it can be read."""
        first = LogIndex(self.machine.applied_index + 1)
        self._is_catching_up = False
        if first > self.apply_to or first in self.fresh_log.fresh:
            self.apply()
            return
        for entry, place in drive(self.log.entries(first, LogIndex(self.apply_to), _SLICE_BYTES), self._disk):
            self.fresh_log.fresh.pop(entry.index, None)
            self._apply_one(entry, place)
        self._have_applied()
        self.apply()

    # --- snapshots

    def _stands_for(self) -> Snapshot | None:
        self.carry_out(self.core.applied(LogIndex(min(self.machine.applied_index, self.apply_to))))
        if self.machine.applied_index > self.apply_to:
            return None
        return self.core.take_snapshot()

    def let_go_before(self, index: int) -> None:
        """Retention: the log may begin at `index`, or where a snapshot lets it begin before that."""
        snapshot = self.keeper.newest_before(index)
        if snapshot is not None and snapshot.last.index >= self.log.first_index:
            self.carry_out(self.core.snapshot_saved(snapshot, keep_from=LogIndex(snapshot.last.index + 1)))

    def save_chunk(self, chunk: Chunk) -> None:
        """See `HostLoop`. The chunks gather in memory, the whole goes to the disk in one step."""
        state = self.states.add(chunk)
        if state is not None:
            plan = (self.keeper.file_of(chunk.snapshot, state),)
            self._lane.submit(plan, lambda error: self.run(partial(self._snapshot_came, chunk.snapshot, error)) and None)

    def _snapshot_came(self, snapshot: Snapshot, error: MqError | None) -> None:
        if error is None:
            self.keeper.came(snapshot)
            self.carry_out(self.core.snapshot_received(snapshot))
        elif isinstance(error, DiskFullError):
            self.carry_out(self.core.snapshot_failed(snapshot))
        else:
            self.disk_failed()
            self._end(error)

    def install(self, snapshot: Snapshot) -> None:
        """See `HostLoop`."""
        state = self._state_of(snapshot)
        if state is None:
            raise StateError(f"the snapshot of entry {snapshot.last.index} is to be installed, and is not there")
        self.machine.take_over(BrokerMachine.from_bytes(state, self.machine.table_class, self.machine.queue_class))
        fresh = self.fresh_log.fresh
        for index in [index for index in fresh if index <= snapshot.last.index]:
            del fresh[index]
        self.keeper.state_was_replaced(snapshot.last)
        self.apply_to = max(self.apply_to, snapshot.last.index)
        self._up.state_was_replaced()
        self.applied_up_to(snapshot.last.index)

    def _state_of(self, snapshot: Snapshot) -> bytes | None:
        file = snapshot_file(snapshot.last.index)
        try:
            found = decode_snapshot(file, self._disk.read(Read(file, 0, self._disk.files().get(file, 0))))
        except DamageError as error:
            _log.error("a snapshot cannot be read: %s", error)
            return None
        return found.body if found.term == snapshot.last.term else None

    # --- for followers that are behind

    def fetch(self, wanted: EntriesWanted | ChunkWanted) -> None:
        """See `HostLoop`. What is cold is read in a thread; the log itself, which learns where its entries lie, is asked here."""
        task = self._loop.create_task(self._fetch(wanted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, wanted: EntriesWanted | ChunkWanted) -> None:
        try:
            if isinstance(wanted, EntriesWanted):
                last = LogIndex(min(wanted.last, self.log.durable_index))
                entries: Sequence[Entry] = ()
                if wanted.first <= last:
                    found = await self._reader.entries(wanted.first, last, wanted.bytes_max)
                    entries = [stored.entry for stored in found]
                self.run(lambda: self.carry_out(self.core.fetched(wanted, entries)))
                return
            if (sent := self.states.sent) is None or sent[0] != wanted.snapshot:
                state = await asyncio.to_thread(self._state_of, wanted.snapshot)
                sent = self.states.sent = None if state is None else (wanted.snapshot, state)
            if sent is None:
                self.run(lambda: self.carry_out(self.core.chunk_fetched(wanted, None, is_last=False)))
                return
            state = sent[1]
            data, is_last = state[wanted.at : wanted.at + wanted.bytes_max], wanted.at + wanted.bytes_max >= len(state)
            self.run(lambda: self.carry_out(self.core.chunk_fetched(wanted, data, is_last=is_last)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the follower must not wait for it for ever
            _log.error("what a follower needs cannot be read: %s", error)
            if isinstance(error, OrganError):
                self._end(error)
                return
            if isinstance(error, DamageError):
                self.on_damage(error)
            if isinstance(wanted, EntriesWanted):
                self.run(lambda: self.carry_out(self.core.fetched(wanted, ())))
            else:
                self.run(lambda: self.carry_out(self.core.chunk_fetched(wanted, None, is_last=False)))

    async def close(self) -> None:
        """Nothing more is fetched."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._note.close()


def as_bug(what: str, error: Exception) -> StateError:
    """An error that is nobody's but ours."""
    _log.debug("%s", what, exc_info=error)
    return StateError(f"{what}: {type(error).__name__}: {error}")
