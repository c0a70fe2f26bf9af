"""One broker node: commands of callers go in, outcomes come out.

Commands of many callers go into the log together: while one group is being written and synced, the next one
gathers. What happens then, and in which order, is the host's (`mq.server.host`): save, send, apply, then answer.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from mq.broker.batch import AppendMessages
from mq.broker.commands import Command, DropBefore, decode_command, encode_command
from mq.broker.outcomes import Outcome
from mq.broker.store.fresh_log import FreshLog
from mq.core.entry import Entry, EntryKind, RecordPlace
from mq.core.errors import DiskError, DiskFullError, MqError, NotServingError, OutcomeUnknownError, RefusedError
from mq.core.ports import Plan
from mq.raft.errors import NotLeaderError
from mq.raft.messages import Message
from mq.raft.output import Output, RoleChanged
from mq.raft.role import Role
from mq.raft.view import NodeView
from mq.server.core import GroupSettings, NodeCore, core_after_a_start
from mq.server.disk import FileDisk
from mq.server.gathering import Gathering
from mq.server.host import StoreHost, as_bug
from mq.server.lane import StorageLane
from mq.server.moments import Moments
from mq.server.node_clock import NodeClock
from mq.server.opening import open_store
from mq.server.organs import Organs
from mq.server.pacing import Pacing
from mq.server.pending import PendingCommands, Waiting, refuse, tell_unknown
from mq.server.reading import LogReader

__all__ = ["BrokerNode", "Reign"]

_UNDECIDED_MAX, _UNDECIDED_BYTES_MAX = 64 << 10, 64 << 20
"""Commands of a leader that no quorum has yet: more wait outside of the log."""
_log = logging.getLogger(__name__)


class Reign(NamedTuple):
    """Who leads, as far as a node knows. is_here: this node does, and has applied all that was committed before."""

    term: int
    leader: int | None
    is_here: bool


class BrokerNode:
    """Log, state and storage lane of one data folder; must be made inside a running event loop.

    group: its part in a broker group; None for a node by itself. organs: the classes it is made of. send: hands a message over.
    stall: why no command is taken now, though this node leads; empty: they are.
    on_applied: called with (command, outcome) after each applied command, in log order. on_reign: called when who leads
    changed. on_replaced: called when the state was replaced by a leader's. on_failed: called once when the disk failed; the
    node takes nothing any more.
    """

    def __init__(  # noqa: PLR0913 - all of it is needed, once
        self,
        disk: FileDisk,
        *,
        segment_bytes: int,
        snapshot_every_bytes: int = 64 << 20,
        group: GroupSettings | None = None,
        organs: Organs | None = None,
        send: Callable[[Message], None] = lambda _message: None,
        make_host: Callable[..., StoreHost] = StoreHost,
    ) -> None:
        self.disk, self.group = disk, group
        self.organs = organs or Organs()
        self.opened = open_store(disk, segment_bytes=segment_bytes, is_of_group=group is not None, organs=self.organs)
        self.log, self.machine = self.opened.log, self.opened.machine
        self.reader = LogReader(self.log, disk)
        self.clock = NodeClock(self.machine.log_ms, self.machine.wall_ms)
        self.on_applied: list[Callable[[Command, Outcome], None]] = []
        self.on_reign: list[Callable[[Reign], None]] = []
        self.on_replaced: list[Callable[[], None]] = []
        self.on_failed: Callable[[MqError], None] = lambda _error: None
        self.failure: MqError | None = None
        self.stall = ""
        self.groups_written = self.bytes_written = 0
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._lane = StorageLane(disk, self._loop)
        self._gathering = Gathering()
        self._pending = PendingCommands(partial(self.organs.broken, ("raft", "commit_log")))
        self._reads: dict[int, asyncio.Future[bool]] = {}
        self._moments = Moments()
        self._context = self._reign_begins_at = 0
        self._own_sequence = 0  # of the newest group of ours that is not durable yet
        self._is_idle = asyncio.Event()  # nothing is being written, and nothing waits for it
        self._is_idle.set()
        self._is_closing, self._pacing = False, Pacing()
        self._tick_timer: asyncio.TimerHandle | None = None
        self.host = make_host(disk, self._lane, self.opened, self._make_core, self, snapshot_every_bytes=snapshot_every_bytes)
        self.organs.on_mistake = self.host.ends_soon
        self.reign = Reign(0, None, is_here=False) if group else Reign(0, 1, is_here=True)

    def _make_core(self, log: FreshLog) -> NodeCore:
        return core_after_a_start(self.group, self.opened, log, self.organs.raft)

    @property
    def core(self) -> NodeCore:
        """What decides here."""
        return self.host.core

    @property
    def last_snapshot_index(self) -> int:
        """Of the newest snapshot on the disk."""
        return self.host.keeper.last_index

    # --- time

    def log_ms(self) -> int:
        """Log time now, in ms."""
        return self.clock.log_ms()

    def wall_ms(self) -> int:
        """Unix time now, in ms, as the log knows it: a machine's clock that is set changes it slowly."""
        return self.clock.wall_ms()

    def stamps(self) -> tuple[int, int]:
        """(log_ms, wall_ms) for a new command; neither goes back."""
        return max(self.log_ms(), self.machine.log_ms), max(self.wall_ms(), self.machine.wall_ms)

    def begin_ticking(self) -> None:
        """Time passes for the group's core from now on."""
        if self.group is not None and self._tick_timer is None:
            self._tick_timer = self._loop.call_later(self.group.tick_ms / 1000, self._tick)

    def _tick(self) -> None:
        assert self.group is not None
        self._tick_timer = self._loop.call_later(self.group.tick_ms / 1000, self._tick)
        self.host.run(self.host.tick)

    # --- the group

    def receive(self, message: Message) -> None:
        """Another node says something."""
        self.host.run(lambda: self.host.hear(message))

    def campaign(self) -> None:
        """The leader is gone for sure, or there never was one: do not wait for the time-out."""
        self.host.run(lambda: self.host.carry_out(self.core.campaign()))

    def order(self, do: Callable[[NodeCore], Output]) -> None:
        """Something that a person wants of the group. Raises: NotLeaderError; RefusedError."""
        output = do(self.core)
        self.host.run(lambda: self.host.carry_out(output))

    def view(self) -> NodeView:
        """The group's core as others may see it."""
        return self.core.view()

    @property
    def has_pending(self) -> bool:
        """Whether someone waits for a command that is on its way."""
        return bool(self._gathering or len(self._pending))

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Come back when this holds; it is looked at when something was applied, and when who leads has changed."""
        await self._moments.until(is_true)

    async def read_index(self) -> None:
        """Come back when the state here is as new as any that was ever answered from. Raises: NotLeaderError."""
        if self.group is None:
            return
        self._check_takes()
        self._context += 1
        context = self._context
        future = self._reads[context] = self._loop.create_future()
        try:
            try:
                output = self.core.read(context)
            except NotLeaderError:
                if (broken := self.organs.contradiction("read", self.core.view())) is not None:
                    self.host.ends_soon(broken)
                raise
            self.host.run(lambda: self.host.carry_out(output))
            if not await future:
                raise NotLeaderError(self.reign.leader)
        finally:
            self._reads.pop(context, None)

    # --- the write path

    def propose(self, command: Command) -> "asyncio.Future[Outcome]":
        """Put a command into the log; the future ends when it is durable and applied.

        The outcome may be a RefusedError (returned). Raises, in the future: OutcomeUnknownError, DiskFullError, NotLeaderError.
        Raises: NotServingError (also: too many messages wait already), NotLeaderError when nothing was and will be done.
        """
        self._check_takes()
        if self.stall:
            raise NotServingError(self.stall)
        self._gathering.check_room(command)
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self._gathering.add((command, encode_command(command), future))
        self._pacing.arrived(len(self._gathering) + len(self._pending), self._loop.time())
        if self._is_idle.is_set():
            self._is_idle.clear()
            self._write_soon()
        return future

    def _check_takes(self) -> None:
        if self.failure is not None or self._is_closing:
            raise NotServingError(f"the broker takes no commands: {self.failure or 'it is stopping'}")
        if not self.reign.is_here:
            raise NotLeaderError(self.reign.leader)

    def give_up(self, why: MqError) -> None:
        """Whoever waits for a command that is in the log is told this: it may take for ever."""
        self._pending.forget_up_to(self.log.last_index, why)

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
        if len(self._pending) >= _UNDECIDED_MAX or self._pending.size_bytes >= _UNDECIDED_BYTES_MAX:
            self._loop.call_later(0.001, self._write_next)
            return
        group = self._gathering.take()
        if not group:  # whoever waited has gone
            self._is_idle.set()
            return
        self.groups_written += 1
        self.bytes_written += sum(len(payload) for _, payload, _ in group)
        self.host.run(partial(self._propose, group))

    def _propose(self, group: list[Waiting]) -> None:
        try:
            output = self.core.propose(tuple(payload for _, payload, _ in group))
        except NotLeaderError as error:
            if (broken := self.organs.contradiction("propose", self.core.view())) is not None:
                tell_unknown((future for _, _, future in group), broken)
                raise broken from error
            refuse(group, error)
            self._is_idle.set()
            return
        except Exception as bug:
            tell_unknown((future for _, _, future in group), as_bug("the log took no more commands", bug))
            raise
        assert output.proposed is not None
        sequence = self._own_sequence = output.saves[-1].sequence
        term, first = output.proposed
        for number, waiting in enumerate(group):
            self._pending.add(first + number, term, sequence, waiting)
        self.host.carry_out(output)

    # --- what the host says

    def is_lone(self) -> bool:
        """Whether one caller alone waits for this write, and no other node for anything.

        A group's members are heard, sent to and passed calls on also while a disk takes its time, or hangs.
        """
        return self.group is None and self._pacing.is_lone

    def deliver(self, message: Message) -> None:
        """To another node."""
        self._send(message)

    def was_saved(self, sequence: int) -> None:
        """What gathered meanwhile is the next group."""
        if sequence >= self._own_sequence and not self._is_idle.is_set():
            if self._gathering:
                self._write_soon()
            else:
                self._is_idle.set()

    def was_taken_back(self, sequence: int) -> None:
        """Nothing of these is in the log here, and the node goes on. Others may have them already, and may keep them."""
        error = DiskFullError if self.group is None else OutcomeUnknownError
        self._pending.take_back(sequence, error("no space left on the disk"))
        self._loop.call_soon(self._write_next)

    def apply_entry(self, entry: Entry, place: RecordPlace) -> None:
        """Into the state machine, and to whoever waits for it."""
        index, term, kind, payload = entry
        own = self._pending.command_at(index, term, payload)
        if kind is not EntryKind.COMMAND:
            self.machine.skip(index)
            self._pending.settle(index, term, None, self.reign.leader)
            self._look_at_reign()
            self._moments.passed()
            return
        command = own or decode_command(payload, is_to_apply=True)
        outcome = self.machine.apply(index, command, place)
        if own is None:
            self.clock.note(command.log_ms, term=term)
        if type(command) is AppendMessages:
            self.reader.remember(index, payload)
        elif type(command) is DropBefore:
            self.host.let_go_before(command.index)
        for listener in self.on_applied:
            listener(command, outcome)
        self._pending.settle(index, term, outcome, self.reign.leader)
        self._moments.passed()

    def state_was_replaced(self) -> None:
        """By a leader's snapshot."""
        self.reader.forget_all()
        error = OutcomeUnknownError("this node lost its leadership, and was given a newer state")
        self._pending.forget_up_to(self.machine.applied_index, error)
        for told in self.on_replaced:
            told()

    def read_done(self, context: int, *, is_fresh: bool) -> None:
        """See `read_index`."""
        future = self._reads.get(context)
        if future is not None and not future.done():
            future.set_result(is_fresh)

    def role_is(self, change: RoleChanged) -> None:
        """Who leads has changed."""
        if change.role is Role.LEADER:
            self._reign_begins_at = self.log.last_index  # its own first entry: all before it is applied with it
        elif self._gathering:
            refuse(self._gathering.take_all(), NotLeaderError(change.leader))
        self._look_at_reign(change)

    def _look_at_reign(self, change: RoleChanged | None = None) -> None:
        term, leader = (self.reign.term, self.reign.leader) if change is None else (change.term, change.leader)
        is_leader = self.group is None or leader == self.group.node_id
        reign = Reign(term, leader, is_leader and self.machine.applied_index >= self._reign_begins_at)
        if reign != self.reign:
            self.reign = reign
            for told in self.on_reign:
                told(reign)
            self._moments.passed()

    def breaks_down(self, error: MqError) -> None:
        """Take nothing any more, and tell all who wait: nobody knows about what is in the log, nothing else was begun."""
        self._is_idle.set()
        self.failure = error
        what = "the disk failed" if isinstance(error, DiskError) else "the broker failed"
        _log.error("%s, the broker stops: %s", what, error)
        self._pending.end(error)
        refuse(self._gathering.take_all(), NotServingError(f"{what}: {error}"))
        for context in list(self._reads):
            self.read_done(context, is_fresh=False)
        self.on_failed(error)

    # --- files

    async def carry_out_plan(self, plan: Plan) -> None:
        """Operations on files beside the log, behind all that was begun before. Raises: DiskError."""
        await self.host.keeper.wait()
        await self._lane.carry_out(plan)

    def take_snapshot(self) -> None:
        """Of the state as it is now."""
        self.host.run(self.host.keeper.take_snapshot)

    def has_snapshot_before(self, index: int) -> bool:
        """Whether the log may begin at this entry: a snapshot stands for all before it."""
        return index - 1 in self.host.keeper.snapshots

    async def close(self) -> None:
        """Finish what was taken, write a snapshot, and let go of the folder."""
        self._is_closing = self.host.keeper.is_closing = True
        if self.group is None:
            await self._is_idle.wait()
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        if self.failure is None:
            self.take_snapshot()
            self._lane.submit(self.log.note_durable())
        stopping = NotServingError("the broker is stopping")
        self._pending.end(stopping)
        refuse(self._gathering.take_all(), stopping)
        self.host.is_over = True
        await self.host.close()
        await self.host.keeper.wait()
        await asyncio.to_thread(self._lane.close)
        self.disk.close()
