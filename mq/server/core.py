"""What decides in a node: alone, or as a member of a group. One port for both."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mq.broker.replication.master_slave import Copy, MasterSlave
from mq.broker.replication.solo import Solo
from mq.broker.store.fresh_log import FreshLog
from mq.core.entry import Entry
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError
from mq.raft.hosting import Core
from mq.raft.messages import Message, Snapshot
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import NOTHING, ChunkWanted, EntriesWanted, Output
from mq.raft.role import Role
from mq.raft.view import NodeView
from mq.server.opening import OpenedStore

__all__ = ["GroupSettings", "LoneCore", "NodeCore", "core_after_a_start"]


class NodeCore(Core, Protocol):
    """Of `RaftNode` all that the broker's host and node call."""

    @property
    def configuration(self) -> Configuration:
        """Who belongs to the group."""

    def propose(self, payloads: Sequence[bytes]) -> Output:
        """Put commands into the log, together."""

    def read(self, context: int) -> Output:
        """Ask for the moment as it is now."""

    def tick(self) -> Output:
        """A moment passed."""

    def step(self, message: Message) -> Output:
        """A message arrived."""

    def campaign(self) -> Output:
        """As if the election time-out were over."""

    def transfer(self, to: int) -> Output:
        """Hand leadership over."""

    def change_members(self, voters: Sequence[int], learners: Sequence[int] = ()) -> Output:
        """Begin the way to other members."""

    def view(self) -> NodeView:
        """Everything that is to be known of this node."""

    def take_snapshot(self) -> Snapshot | None:
        """What a snapshot of the state as it is now stands for."""

    def snapshot_saved(self, snapshot: Snapshot, *, keep_from: LogIndex) -> Output:
        """What it stands for may go from the log, but for entries from there on."""

    def snapshot_received(self, snapshot: Snapshot) -> Output:
        """All of an incoming snapshot is durable."""

    def snapshot_failed(self, snapshot: Snapshot) -> Output:
        """There was no room for it."""

    def fetched(self, wanted: EntriesWanted, entries: Sequence[Entry]) -> Output:
        """Old entries were read."""

    def chunk_fetched(self, wanted: ChunkWanted, data: bytes | None, *, is_last: bool) -> Output:
        """A chunk was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """A node's part in a broker group. voters: of the group's very first configuration. tick_ms: between two ticks.

    copy: what a master waits for; None where there is none, but Raft.
    """

    node_id: int
    voters: tuple[int, ...]
    tick_ms: int = 50
    raft: RaftOptions = field(default_factory=RaftOptions)
    copy: Copy | None = None

    @property
    def has_master(self) -> bool:
        """Whether a person says who leads."""
        return self.copy is not None


class LoneCore(Solo):
    """A node by itself, in the shape that a host of a group needs: nobody sends, asks or campaigns."""

    def read(self, context: int) -> Output:
        """Nobody else can have changed anything."""
        raise StateError(f"read {context}: a node by itself has no need to ask")

    def tick(self) -> Output:
        """Time changes nothing here."""
        return NOTHING

    campaign = tick

    def transfer(self, to: int) -> Output:
        """There is nobody else."""
        raise ChangeRefusedError(f"there is no node {to}: this one is by itself")

    def change_members(self, voters: Sequence[int], learners: Sequence[int] = ()) -> Output:  # noqa: ARG002
        """There is no group to be changed."""
        raise ChangeRefusedError("this node is by itself; start it with --replication raft to make a group of it")

    def view(self) -> NodeView:
        """In the words of a group."""
        log, last = self.log, LogIndex(self.log.last_index)
        end = EntryId(log.term_at(last) or Term(0), last)
        return NodeView(
            self.node_id, Role.LEADER, Term(0), None, self.node_id, self.commit_index, self.commit_index, self.applied_index,
            log.first_index, log.durable_index, end, EntryId(Term(0), LogIndex(0)), self.configuration, (), is_transferring=False,
        )  # fmt: skip

    def step(self, message: Message) -> Output:
        """There is nobody to hear of."""
        raise StateError(f"a message to a node that is no member of a group: {message!r}")

    def snapshot_received(self, snapshot: Snapshot) -> Output:
        """See `step`."""
        raise StateError(f"a snapshot for a node that is no member of a group: {snapshot!r}")

    snapshot_failed = snapshot_received

    def fetched(self, wanted: EntriesWanted, entries: Sequence[Entry]) -> Output:  # noqa: ARG002
        """See `step`."""
        raise StateError(f"entries for a node that is no member of a group: {wanted!r}")

    def chunk_fetched(self, wanted: ChunkWanted, data: bytes | None, *, is_last: bool) -> Output:  # noqa: ARG002
        """See `step`."""
        raise StateError(f"a chunk for a node that is no member of a group: {wanted!r}")


def core_after_a_start(group: GroupSettings | None, opened: OpenedStore, log: FreshLog, raft_class: type[RaftNode]) -> NodeCore:
    """What decides on a node. group: None for a node by itself, whose state machine may have been loaded from a snapshot."""
    if group is None:
        return LoneCore(log, applied_index=opened.machine.applied_index)
    if group.copy is not None:
        return MasterSlave(
            group.node_id, log, copy=group.copy, options=group.raft, configuration=Configuration.of(*group.voters),
            snapshot=_base_of(opened, log), applied=opened.machine.applied_index,
        )  # fmt: skip
    return _raft_core(group, opened, log, raft_class)


def _raft_core(settings: GroupSettings, opened: OpenedStore, log: FreshLog, raft_class: type[RaftNode]) -> RaftNode:
    """A member of a group, as it is after a start.

    Its own snapshot is the oldest that its log can follow, so that a follower who lost everything gets all of the log that is
    kept here. The state machine was loaded from the newest.
    """
    first = Configuration.of(*settings.voters)
    base = _base_of(opened, log)
    later = opened.configurations
    return raft_class(
        settings.node_id, log, random.SystemRandom(), options=settings.raft, configuration=first, snapshot=base,
        later_configurations=[found for found in later if base is None or found[0] > base.last.index],
    )  # fmt: skip


def _base_of(opened: OpenedStore, log: FreshLog) -> Snapshot | None:
    newest = max(opened.snapshots.values(), key=lambda found: found.last, default=None)
    if newest is None or log.term_at(newest.last.index) != newest.last.term:
        return newest  # the crash came between a snapshot from a leader and the log that begins behind it
    fitting = [found for found in opened.snapshots.values() if _follows(log, found.last)]
    return min(fitting, key=lambda found: found.last)


def _follows(log: FreshLog, last: EntryId) -> bool:
    return last.index + 1 >= log.first_index and log.term_at(last.index) == last.term
