"""Masters and slaves with one mistake each, which the world has to find."""

from collections.abc import Sequence

from mq.broker.replication.master_slave import Copy, MasterSlave
from mq.core.entry import Entry
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.messages import AppendReply, Message
from mq.raft.output import Output
from mq.raft.replication import Replication
from mq.raft.role import Event, Role
from mq.sim.replication.stories import anything, careful, two_masters, two_people
from mq.sim.replication.world import Story

__all__ = ["WRONG"]


class AnswersWithoutASlave(MasterSlave):
    """Synchronous copy that is none."""

    def _committable(self) -> int:
        return self.log.storage.durable_index


class BelievesWhatItSent(MasterSlave):
    """An entry counts as copied when it has left."""

    def _committable(self) -> int:
        sent = max((peer.next_index - 1 for peer in self.peers.values()), default=0)
        return min(self.log.storage.durable_index, sent) if self.needs_slave else self.log.storage.durable_index


class SendsWhatIsNotSaved(MasterSlave):
    """As a leader of Raft may, whose next reign has another term."""

    def _sendable(self) -> int:
        return self.log.last.index


class CountsEpochsByOne(MasterSlave):
    """Two persons may name the same epoch."""

    def promote(self, *, is_alone: bool = False) -> Output:
        before = self.term
        output = super().promote(is_alone=is_alone)
        if self.term > before + 1:
            self._enter_term(Term(before + 1), vote=self.node_id)
            self._promises.clear()
            self._become_leader()
            return self._finish()
        return output


class GoesOnInTheOldEpoch(MasterSlave):
    """A promotion is no new epoch."""

    def promote(self, *, is_alone: bool = False) -> Output:
        if self.term == 0:
            return super().promote(is_alone=is_alone)
        self.vote, self._is_unsaved, self.is_alone = self.node_id, True, is_alone
        self._turn(Event.IS_ASKED_TO_LEAD)
        self._become_leader()
        return self._finish()


class CutsWithoutAWord(MasterSlave):
    """What contradicts the master is cut off the log; what was applied of it stays in the state."""

    def _take(self, entries: Sequence[Entry]) -> None:
        for number, entry in enumerate(entries):
            if self.log.term_at(entry.index) != entry.term and entry.index > self.snapshot.last.index:
                self.commit_index = LogIndex(min(self.commit_index, entry.index - 1))
                self._accept(entry.index - 1, entries[number:])
                return


class TrustsItsSnapshot(MasterSlave):
    """What a snapshot stands for is taken to be the master's, too: right in Raft, where it is committed for ever."""

    def _agrees_at(self, previous: EntryId) -> bool:
        return self.log.has(previous) or previous.index <= self.snapshot.last.index

    def _take(self, entries: Sequence[Entry]) -> None:
        MasterSlave._take(self, [entry for entry in entries if entry.index > self.snapshot.last.index])


class IgnoresHigherEpochs(MasterSlave):
    """The old master stays one."""

    def _meet_term(self, message: Message) -> bool:
        return self.role is not Role.LEADER and super()._meet_term(message)


class RemembersTheEmptied(MasterSlave):
    """A slave that lost its disk is taken to have what it had."""

    def on_append_reply(self, message: AppendReply) -> None:
        self.silent_ticks = 0
        Replication.on_append_reply(self, message)


class AppliesWhatIsNotSaved(MasterSlave):
    """Of what came."""

    @property
    def apply_to(self) -> LogIndex:
        return max(self.snapshot.last.index, self.commit_index)


class StaysMasterOnItsDisk(MasterSlave):
    """The disk says for ever that this node is the master, also of the epoch of another one."""

    def _enter_term(self, term: Term, vote: int | None = None) -> None:
        super()._enter_term(term, self.vote if vote is None else vote)


WRONG: tuple[tuple[type[MasterSlave], Story, Copy], ...] = (
    (AnswersWithoutASlave, careful, Copy.SYNC),
    (BelievesWhatItSent, careful, Copy.SYNC),
    (SendsWhatIsNotSaved, anything, Copy.ASYNC),
    (CountsEpochsByOne, two_people, Copy.ASYNC),
    (GoesOnInTheOldEpoch, two_people, Copy.ASYNC),
    (CutsWithoutAWord, two_masters, Copy.ASYNC),
    (TrustsItsSnapshot, two_masters, Copy.ASYNC),
    (IgnoresHigherEpochs, anything, Copy.SYNC),
    (RemembersTheEmptied, careful, Copy.SYNC),
    (AppliesWhatIsNotSaved, anything, Copy.SYNC),
    (StaysMasterOnItsDisk, careful, Copy.SYNC),
)
"""Each with a story in which its mistake shows."""
