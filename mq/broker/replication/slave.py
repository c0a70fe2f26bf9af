"""A slave: it takes its master's log, and never decides anything.

It is Raft's follower but for three things. It does not campaign: a person says who the next master is. What was acknowledged may
be gone from the log of that next master: then this node's state is of no use any more, and it says so. And what stood here before
is compared with what a new master has: in Raft an entry that is committed needs no second look, here it does.
"""

from collections.abc import Sequence
from typing import NoReturn

from mq.core.entry import Entry
from mq.core.errors import Code, MqError
from mq.core.ids import EntryId, LogIndex
from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError
from mq.raft.messages import AppendReply, AppendRequest, Message, Snapshot, SnapshotReply, SnapshotRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.raft.port import LogStorage
from mq.raft.role import Event, Role

__all__ = ["ContradictionError", "Slave"]


class ContradictionError(MqError):
    """What was acknowledged here, the master's log does not have: it is gone. The host puts all aside and is given all anew.

    index: of the first entry that goes, as far as it is known. count: how many go, at least. epoch, master: whose log it is.
    """

    code = Code.MASTER_PERSISTENCE_TIMEOUT
    definite = False

    def __init__(self, index: int, count: int, epoch: int, master: int) -> None:
        entries, gone = ("1 entry", "is not") if count == 1 else (f"{count} entries", "are not")
        super().__init__(
            f"{entries} that this node took for stored for ever, from {index} on, {gone} in the log of node {master}, the "
            f"master of epoch {epoch}, and so gone from the group"
        )
        self.index, self.count, self.epoch, self.master = index, count, epoch, master


class _AlwaysTheSame:
    """Nobody campaigns, so nobody has to be kept from doing it at the same moment."""

    def randrange(self, start: int, stop: int, /) -> int:  # noqa: ARG002 - see mq.raft.port.Chance
        return start


class Slave(RaftNode):
    """A node that hears. `term` is its epoch: of the newest master that it has heard of.

    A master sends only what is durable with it. So what is durable here, too, is committed, however it copies.

    heard_end: how far the master said that it has committed. agreed: (epoch, index): up to there this log is known to be that of
    this epoch's master. superseded: how many entries gave way to a master's, of which nobody knew that they were committed.
    """

    __slots__ = ("agreed", "heard_end", "superseded")

    def __init__(
        self,
        node_id: int,
        log: LogStorage,
        *,
        options: RaftOptions,
        configuration: Configuration,
        snapshot: Snapshot | None = None,
        committed: int | None = None,
    ) -> None:
        """committed: up to there the log is known to be committed, at the start; None: all of it."""
        super().__init__(node_id, log, _AlwaysTheSame(), options=options, configuration=configuration, snapshot=snapshot)
        self.agreed, self.superseded, self.heard_end = (0, 0), 0, 0
        if self.role is not Role.MUTE:
            end = self.log.last.index
            self.commit_index = LogIndex(max(self.commit_index, end if committed is None else min(committed, end)))
            self._has_work = True  # to apply it

    # --- nobody campaigns, votes, or changes who belongs here

    def _time_out(self) -> None:
        """The master is silent, or gone. That is known then, and nothing more."""
        if self.role is Role.FOLLOWER:
            self._turn(Event.TIMES_OUT_WITHOUT_VOTE)
            self._restart_timer()

    def _handle(self, message: Message) -> None:
        """Of all messages only those that carry the log. Who is the master of a lower epoch is none any more."""
        if isinstance(message, AppendRequest | AppendReply | SnapshotRequest | SnapshotReply) and self._meet_term(message):
            self._dispatch(message)

    def transfer(self, to: int) -> Output:
        """Raises: ChangeRefusedError, always."""
        raise ChangeRefusedError(f"a master does not hand over; on node {to} say `mq broker promote`")

    def change_members(self, voters: Sequence[int], learners: Sequence[int] = ()) -> Output:  # noqa: ARG002
        """Raises: ChangeRefusedError, always."""
        raise ChangeRefusedError("the nodes of a master and its slaves are those of --peers, for good")

    # --- the master's log

    def _agrees_at(self, previous: EntryId) -> bool:
        """Whether both logs hold this entry.

        Raises: ContradictionError when the master goes back behind what is kept here: it does so only after all that is kept here
        was refused.
        """
        if previous.index == 0:
            return True  # before all entries; or a sign of life of a master that does not know what stands before the next one
        if previous.index < self.log.storage.first_index - 1:
            if self.agreed[0] != self.term or previous.index > self.agreed[1]:
                self._contradicts(previous.index + 1)
            return True
        return self.log.has(previous)

    def _match_after(self, message: AppendRequest) -> LogIndex:
        match = super()._match_after(message)
        self._note_agreed(match)
        return match

    def _committed_of(self, message: AppendRequest) -> LogIndex:
        """All that agrees; it counts when it is durable (`apply_to`)."""
        self.heard_end = message.commit_index
        return self._match_after(message)

    def _note_agreed(self, index: int) -> None:
        self.agreed = (self.term, max(index, self.agreed[1]) if self.agreed[0] == self.term else index)

    def _take(self, entries: Sequence[Entry]) -> None:
        """Append what is not here yet; in the place of what the master does not have, if nobody was told of that.

        Raises: ContradictionError when somebody was.
        """
        first, agreed = self.log.storage.first_index, self.agreed[1] if self.agreed[0] == self.term else 0
        for number, entry in enumerate(entries):
            if entry.index < first:
                if entry.index > agreed:
                    self._contradicts(entry.index)
            elif self.log.term_at(entry.index) != entry.term:
                if entry.index <= self.commit_index:
                    self._contradicts(entry.index)
                self.superseded += self.log.last.index + 1 - entry.index
                self._accept(entry.index - 1, entries[number:] if number else entries)
                return

    def on_snapshot_request(self, message: SnapshotRequest) -> None:
        """A state in the place of the log. Raises: ContradictionError when more is committed here, and is not the master's."""
        self._follow(message.sender)
        last = message.snapshot.last
        is_known = self.log.has(last) or (self.agreed[0] == self.term and last.index <= self.agreed[1])
        if last.index <= self.commit_index and not is_known:
            self._contradicts(last.index)
        super().on_snapshot_request(message)

    def _take_snapshot_over(self, snapshot: Snapshot) -> None:
        super()._take_snapshot_over(snapshot)
        self._note_agreed(snapshot.last.index)

    def _contradicts(self, index: int) -> NoReturn:
        raise ContradictionError(index, self.commit_index - index + 1, self.term, self.leader or 0)
