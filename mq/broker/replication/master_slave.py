"""Master and slaves: one node takes the commands, the others copy its log. Nobody votes; a person says who the master is.

    asynchronous copy   committed = durable at the master           slaves copy behind it
    synchronous copy    committed = durable at the master and at one slave, whichever it is

It fits into the same host as Raft (`mq.raft.hosting`), and says what it has to say in Raft's messages, with the *epoch* in the
place of the term. What is left out, and what follows from that, is the lesson of it (`docs/master_slave.md`): no election, so
nothing is written until a person acts; no majority, so two nodes can be masters, and what one of them acknowledged is lost.
RocketMQ: HAService, brokerRole SYNC_MASTER and ASYNC_MASTER.
"""

from enum import StrEnum

from mq.broker.replication.epochs import next_epoch
from mq.broker.replication.slave import Slave
from mq.core.ids import LogIndex
from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError
from mq.raft.messages import AppendReply, Message, Snapshot, SnapshotReply, VoteReply
from mq.raft.options import RaftOptions
from mq.raft.output import EntriesWanted, Output, ReadReady
from mq.raft.port import LogStorage
from mq.raft.progress import Progress
from mq.raft.role import Event, Role

__all__ = ["Copy", "MasterSlave"]


class Copy(StrEnum):
    """What a master waits for before anything counts as committed. SYNC: also for one slave, whichever it is."""

    ASYNC = "async"
    SYNC = "sync"


class MasterSlave(Slave):
    """A node that can be the master, or a slave. `vote` is its own number in an epoch of its own, else None.

    is_alone: a person has said to go on without a slave; until one has caught up. silent_ticks: since a slave was heard of.
    """

    __slots__ = ("copy", "is_alone", "silent_ticks")

    def __init__(  # noqa: PLR0913 - all of it is needed, by its name
        self,
        node_id: int,
        log: LogStorage,
        *,
        copy: Copy,
        options: RaftOptions,
        configuration: Configuration,
        snapshot: Snapshot | None = None,
        applied: int = 0,
    ) -> None:
        """applied: what the state has at the start. What any slave has of the log behind it, a synchronous master cannot say.

        Any other node holds nothing but what is committed.
        """
        is_unsure = copy is Copy.SYNC and log.hard_state.vote == node_id
        super().__init__(
            node_id,
            log,
            options=options,
            configuration=configuration,
            snapshot=snapshot,
            committed=applied if is_unsure else None,
        )
        self.copy, self.is_alone, self.silent_ticks = copy, False, 0

    # --- what a person says

    def promote(self, *, is_alone: bool = False) -> Output:
        """Be the master from now on, in a new epoch. Nothing is sent in it before it is on the disk.

        Nobody else is asked. Who else takes itself for the master hears of the higher epoch when it can, and gives way.
        Raises: ChangeRefusedError.
        """
        if self.role is not Role.FOLLOWER:
            raise ChangeRefusedError(f"node {self.node_id} cannot be promoted: it is {_in_words(self.role)}")
        self._enter_term(next_epoch(self.term, self.node_id, self.configuration.voters), vote=self.node_id)
        self.is_alone = is_alone
        self._turn(Event.IS_ASKED_TO_LEAD)
        self._promise(VoteReply(self.node_id, self.node_id, self.term, is_granted=True))
        return self._finish()

    def resume(self) -> Output:
        """After a start: go on as the master, where the disk says that this is an epoch of this node. Else nothing changes."""
        if self.role is Role.FOLLOWER and self.vote == self.node_id:
            self._turn(Event.IS_ASKED_TO_LEAD)
            self._become_leader()
        return self._finish()

    def go_alone(self) -> Output:
        """Acknowledge without a slave until one has caught up. Raises: NotLeaderError."""
        self._check_leads()
        self.is_alone = True
        self._advance_commit()
        return self._finish()

    def _handle(self, message: Message) -> None:
        if isinstance(message, VoteReply):  # of this node to itself: the epoch is on the disk
            if message.sender == self.node_id and message.term == self.term and self.role is Role.CANDIDATE:
                self._become_leader()
        else:
            super()._handle(message)

    # --- what counts as committed

    @property
    def needs_slave(self) -> bool:
        """Whether nothing is committed without one."""
        return self.copy is Copy.SYNC and not self.is_alone

    @property
    def is_stalled(self) -> bool:
        """Whether this is a master that waits for a slave in vain: nothing is committed until somebody does something."""
        return self.role is Role.LEADER and self.needs_slave and self.silent_ticks >= self.options.election_ticks

    def _advance_commit(self) -> None:
        index = self._committable()
        if index > self.commit_index and self._may_count(index):
            self._commit_to(index)

    def _committable(self) -> int:
        own = self.log.storage.durable_index
        return min(own, max((peer.match_index for peer in self.peers.values()), default=0)) if self.needs_slave else own

    def _check_quorum(self) -> None:
        """There is none: a master never steps down because nobody hears it."""
        for peer in self.peers.values():
            peer.was_active, peer.is_active = peer.is_active, False

    def _answer_reads(self) -> None:
        """At once: no other node is asked whether there is another master meanwhile."""
        if self._knows_what_is_committed():
            self._reads += [ReadReady(context, self.commit_index) for context, _ in self.reads]
            self._has_work = self._has_work or bool(self.reads)
            self.reads.clear()

    def read(self, context: int) -> Output:
        """See `RaftNode.read`; a master asks nobody. Raises: NotLeaderError."""
        self._check_leads()
        self.reads.append((context, 0))
        self._answer_reads()
        return self._finish()

    # --- what is sent

    def _become_leader(self) -> None:
        super()._become_leader()
        self.silent_ticks = 0

    def _on_saved(self) -> None:
        super()._on_saved()
        if self.role is Role.LEADER:
            for peer in tuple(self.peers.values()):
                self._feed(peer)

    def _feed(self, peer: Progress) -> bool:
        """Only what is durable here: a master that starts again goes on in its epoch, and must not put other entries there."""
        is_sent = False
        while peer.next_index <= self._sendable() and peer.may_send(self.options.in_flight_max):
            previous = self._entry_before(peer.next_index)
            if previous is None:
                self._send_snapshot(peer)
                break
            entries_max = min(self.options.entries_max, self._sendable() + 1 - peer.next_index)
            entries = self.log.recent(peer.next_index, entries_max, self.options.append_bytes_max)
            if entries is None:
                if peer.again_in_ticks == 0:
                    self._want_entries(peer)
                break
            self._send_entries(peer, previous, entries)
            is_sent = True
        return is_sent

    def _sendable(self) -> int:
        return self.log.storage.durable_index

    def _want_entries(self, peer: Progress) -> None:
        first, last = LogIndex(peer.next_index), min(self._sendable(), peer.next_index + self.options.entries_max - 1)
        peer.fetching = EntriesWanted(peer.node_id, self.term, first, LogIndex(last), self.options.append_bytes_max)
        self._has_work = True
        self._fetch.append(peer.fetching)

    def _turn(self, event: Event, *, leader: int | None = None) -> None:
        """A master whose disk is full stays it: nobody takes its place by himself, and what was not written was not sent."""
        if event is Event.DISK_FULL:
            if self.role is Role.LEADER:
                return
            self.vote = None  # the new epoch was not begun: a start must not go on with it
        super()._turn(event, leader=leader)

    # --- what slaves say

    def _tick_leader(self) -> None:
        super()._tick_leader()
        self.silent_ticks += 1

    def on_append_reply(self, message: AppendReply) -> None:
        """See `Replication`. A slave that holds less than it did begins anew: its folder was emptied."""
        self.silent_ticks = 0
        known = self.peers.get(message.sender)
        if known is not None and not message.is_matching and message.hint.index < known.match_index:
            self.peers[message.sender] = Progress(message.sender, message.rejected_index + 1)
        super().on_append_reply(message)

    def on_snapshot_reply(self, message: SnapshotReply) -> None:
        """See `Snapshotting`."""
        self.silent_ticks = 0
        super().on_snapshot_reply(message)

    def _on_matched(self, peer: Progress) -> None:
        if self.is_alone and peer.match_index + self.options.learner_lag_max >= self.log.last.index:
            self.is_alone = False
        super()._on_matched(peer)

    def _on_reign_ended(self) -> None:
        super()._on_reign_ended()
        self.is_alone = False


def _in_words(role: Role) -> str:
    return {Role.LEADER: "the master already", Role.CANDIDATE: "about to be the master"}.get(role, str(role))
