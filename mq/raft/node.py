"""A whole Raft node: what its host calls. Paper: Raft, figure 2, "Rules for Servers".

Every call returns an `Output`; `mq.raft.output` says in which order a host carries it out. Nothing else ever happens: without
a call there is no time, and no work.
"""

from collections.abc import Sequence

from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import (
    AppendReply,
    AppendRequest,
    Message,
    Snapshot,
    SnapshotReply,
    SnapshotRequest,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from mq.raft.options import RaftOptions
from mq.raft.output import NOTHING, Output
from mq.raft.port import Chance, LogStorage
from mq.raft.role import Role
from mq.raft.state import Start
from mq.raft.transfer import Transfer
from mq.raft.view import NodeView

__all__ = ["RaftNode"]


class RaftNode(Transfer):
    """One member of a group, from its start to its end; a restart makes a new one from what is on disk.

    configuration: the group's first one, until a snapshot or an entry tells of another. later_configurations: those found in the
    log behind the snapshot. A node with a damaged log is mute from its start.
    """

    __slots__ = ()

    def __init__(  # noqa: PLR0913  # all of it is needed, by its name
        self,
        node_id: int,
        log: LogStorage,
        chance: Chance,
        *,
        options: RaftOptions,
        configuration: Configuration,
        snapshot: Snapshot | None = None,
        later_configurations: Sequence[tuple[LogIndex, Configuration]] = (),
    ) -> None:
        super().__init__(Start(node_id, log, chance, options, snapshot or Snapshot(EntryId(Term(0), LogIndex(0)), configuration)))
        if later_configurations and later_configurations[-1][0] > self.log.last.index:
            raise StateError(
                f"a configuration of entry {later_configurations[-1][0]}, where the log ends at {self.log.last.index}"
            )
        self.configurations += tuple(later_configurations)
        self._put_in_force()

    # --- time

    def tick(self) -> Output:
        """A moment passed, as long as all others."""
        if self.role is Role.MUTE:
            return NOTHING
        self.elapsed_ticks += 1
        if self.role is Role.LEADER:
            self._tick_leader()
        elif self.elapsed_ticks >= self.timeout_ticks:
            self._time_out()
        elif not (self._is_unsaved or self._has_work):  # a full disk may have room again; a start may have left something to do
            return NOTHING
        return self._finish()

    def campaign(self) -> Output:
        """As if the election time-out were over: the host knows that the leader is gone, or there is only this node."""
        self._time_out()
        return self._finish()

    # --- messages

    def step(self, message: Message) -> Output:
        """A message arrived: late, twice, or out of order, as networks are."""
        if self.role is not Role.MUTE:
            self._handle(message)
        return self._finish()

    def _handle(self, message: Message) -> None:
        """Terms first: they order all that is said. Paper: Raft, section 5.1."""
        match message:
            case VoteRequest(is_pre_vote=True):
                self.on_pre_vote_request(message)  # a question about a term that nobody has entered
            case VoteReply(is_pre_vote=True, is_granted=True):
                self.on_vote_reply(message)
            case _:
                if self._meet_term(message):
                    self._dispatch(message)

    def _dispatch(self, message: Message) -> None:
        match message:
            case AppendRequest():
                self.on_append_request(message)
            case AppendReply():
                self.on_append_reply(message)
            case VoteRequest():
                self.on_vote_request(message)
            case VoteReply():
                self.on_vote_reply(message)
            case SnapshotRequest():
                self.on_snapshot_request(message)
            case SnapshotReply():
                self.on_snapshot_reply(message)
            case TimeoutNow():
                self.on_timeout_now(message)

    # --- the state machine

    def applied(self, index: LogIndex) -> Output:
        """The state machine has applied everything up to here, or was loaded from a snapshot of it."""
        self.applied_index = max(self.applied_index, index)
        return NOTHING

    # --- for others to see

    def view(self) -> NodeView:
        """Everything that is to be known of this node, as plain data."""
        return NodeView(
            self.node_id, self.role, self.term, self.vote, self.leader, self.commit_index, self.apply_to, self.applied_index,
            self.log.storage.first_index, self.log.storage.durable_index, self.log.last, self.snapshot.last, self.configuration,
            tuple(peer.view() for peer in self.peers.values()), self.transfer_to is not None,
        )  # fmt: skip

    def check(self) -> None:
        """Raises: StateError when an invariant is broken."""
        snapshot, last = self.snapshot.last.index, self.log.last.index
        if self.role is Role.MUTE:
            return  # what the disk holds now is not known
        if not snapshot <= self.commit_index <= last:
            raise StateError(f"snapshot {snapshot}, commit index {self.commit_index} and last index {last} are out of order")
        if not self.applied_index <= self.apply_to <= self.commit_index:
            raise StateError(f"applied {self.applied_index}, to be applied {self.apply_to}, committed {self.commit_index}")
        if (self.role is Role.LEADER) != (self.leader == self.node_id):
            raise StateError(f"a {self.role} that takes node {self.leader} for its leader")
        for peer in self.peers.values():
            if not peer.match_index < peer.next_index <= last + 1:
                raise StateError(f"of node {peer.node_id}: match {peer.match_index}, next {peer.next_index}, last {last}")
