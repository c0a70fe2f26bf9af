"""Rafts with one mistake each, and the promise that it breaks."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mq.core.entry import EntryKind, HardState
from mq.core.ids import EntryId, LogIndex
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, AppendRequest, Message, SnapshotReply, VoteReply
from mq.raft.node import RaftNode
from mq.raft.output import Output, ReadReady
from mq.raft.role import Role
from mq.sim.group import checkers as c
from mq.sim.group import promises as p
from mq.sim.group.host import Host
from mq.sim.group.watch import Checker

__all__ = ["WRONG", "Wrong"]


class LeadsWithItsOwnVote(RaftNode):
    """A candidate does not wait for the others' votes."""

    def _count_vote(self, voter: int, *, is_granted: bool) -> None:  # that is the mistake
        if self.role is Role.CANDIDATE:
            self._become_leader()
        elif self.role is Role.PRE_CANDIDATE:
            super()._count_vote(voter, is_granted=True)


class ChecksOnlyTheIndex(RaftNode):
    """The term of the entry before the new ones does not matter."""

    def _agrees_at(self, previous: EntryId) -> bool:
        return previous.index <= self.log.last.index


class VotesForAnyLog(RaftNode):
    """The candidate's log may lack what was committed."""

    def _is_up_to_date(self, last: EntryId) -> bool:  # that is the mistake
        return True


class CountsOlderTerms(RaftNode):
    """What figure 8 warns of."""

    def _may_count(self, index: int) -> bool:  # that is the mistake
        return True


class CommitsToItsOwnEnd(RaftNode):
    """Up to the leader's commit index, also what the leader did not speak of."""

    def on_append_request(self, message: AppendRequest) -> None:
        super().on_append_request(message)
        self._commit_to(min(message.commit_index, self.log.last.index))


class TakesRefusalsForMatches(RaftNode):
    """Who refuses an entry is counted as having what stands before it."""

    def on_append_reply(self, message: AppendReply) -> None:
        super().on_append_reply(message)
        peer = self.peers.get(message.sender)
        if peer is not None and not message.is_matching and message.rejected_index:
            peer.match_index = max(peer.match_index, peer.next_index - 1)
            self._advance_commit()


class ForgetsItsVote(RaftNode):
    """The vote is not saved."""

    def _note_save(self, appended: object) -> None:
        log = self.log.storage
        group = log.medium.waiting.pop()  # type: ignore[attr-defined]
        if group.hard_state is not None:
            group = group._replace(hard_state=HardState(group.hard_state.term, None))
        log.medium.waiting.append(group)  # type: ignore[attr-defined]
        super()._note_save(appended)  # type: ignore[arg-type]


class FreesItsVote(RaftNode):
    """With a leader known, the vote is given back."""

    def _follow(self, leader: int) -> None:
        super()._follow(leader)
        self.vote = None


class AcknowledgesAtOnce(RaftNode):
    """Before the entries are on the disk."""

    def _promise(self, message: Message) -> None:
        if isinstance(message, AppendReply) and message.is_matching:
            self._tell(message)
        else:
            super()._promise(message)


class SaysInstalledAtOnce(RaftNode):
    """Before the log that begins behind the snapshot is on the disk."""

    def _promise(self, message: Message) -> None:
        if isinstance(message, SnapshotReply) and message.is_installed:
            self._tell(message)
        else:
            super()._promise(message)


class VotesAtOnce(RaftNode):
    """Before the vote is on the disk."""

    def _promise(self, message: Message) -> None:
        if isinstance(message, VoteReply) and message.to != self.node_id:
            self._tell(message)
        else:
            super()._promise(message)


class ReadsWithoutAsking(RaftNode):
    """A leader believes that it still leads."""

    def read(self, context: int) -> Output:
        self._check_leads()
        self._reads.append(ReadReady(context, self.commit_index))
        self._has_work = True
        return self._finish()


class ProposesTwice(RaftNode):
    """A command comes into the log twice."""

    def propose(self, payloads: Sequence[bytes]) -> Output:
        return super().propose([*payloads, payloads[0]])


class Invents(RaftNode):
    """A command that nobody asked for."""

    def propose(self, payloads: Sequence[bytes]) -> Output:
        return super().propose([*payloads, b"mine-%d" % self.log.last.index])


class SpeaksThoughDamaged(RaftNode):
    """A node that lost what it had promised goes on as if nothing had happened."""

    def __init__(self, node_id: int, log: object, chance: object, **rest: object) -> None:
        super().__init__(node_id, log, chance, **rest)  # type: ignore[arg-type]
        if self.role is Role.MUTE:
            log.is_damaged = False  # type: ignore[attr-defined]
            self.role = Role.FOLLOWER


class NamesTheNewestMembers(RaftNode):
    """A snapshot names those whom the node goes by when it takes it, which entries behind it may have decided on."""

    def _configuration_at(self, index: LogIndex) -> Configuration:  # that is the mistake
        return self.configuration


class NeverCommitsWhatWasLeft(RaftNode):
    """A new leader has no entry of its own term, so that older ones wait for the next client."""

    def _append_own(self, contents: Sequence[tuple[EntryKind, bytes]]) -> None:
        if contents[0][0] is not EntryKind.NOOP:
            super()._append_own(contents)


class NeverLooksFurtherBack(RaftNode):
    """After a refusal the same is tried again."""

    def _is_current_rejection(self, peer: object, message: AppendReply) -> bool:  # that is the mistake
        return False


class Wrong(NamedTuple):
    """A Raft, the one checker that looks on, and how many seeds it may take."""

    make: type[RaftNode]
    checker: type[Checker] | None
    seeds: int = 60

    def checkers(self, hosts: Mapping[int, Host]) -> list[Checker]:
        """The one, so that no other sees it first."""
        if self.checker is None:
            return []
        return [c.CommittedIsDurable(hosts)] if self.checker is c.CommittedIsDurable else [self.checker()]


WRONG = (
    Wrong(LeadsWithItsOwnVote, c.ElectionSafety),
    Wrong(ChecksOnlyTheIndex, c.LogMatching),
    Wrong(VotesForAnyLog, c.LeaderCompleteness),
    Wrong(CountsOlderTerms, c.OwnTermCounts),
    Wrong(CommitsToItsOwnEnd, c.CommittedForEver),
    Wrong(VotesForAnyLog, c.StateMachineSafety),
    Wrong(TakesRefusalsForMatches, c.CommittedIsDurable),
    Wrong(FreesItsVote, p.MonotoneTerms),
    Wrong(ForgetsItsVote, p.OneVoteEachTerm),
    Wrong(AcknowledgesAtOnce, p.PromisesAfterSaves),
    Wrong(VotesAtOnce, p.PromisesAfterSaves),
    Wrong(SpeaksThoughDamaged, p.DamagedIsSilent),
    Wrong(ReadsWithoutAsking, p.ReadsAreFresh),
    Wrong(ProposesTwice, p.History),
    Wrong(Invents, p.History),
    Wrong(NamesTheNewestMembers, c.SnapshotsNameMembers),
    Wrong(NeverCommitsWhatWasLeft, None),
    Wrong(NeverLooksFurtherBack, None),
)
