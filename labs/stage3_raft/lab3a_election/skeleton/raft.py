"""Your Raft, the methods of lab 3a. What is not written here is inherited from `mq.raft.node.RaftNode`, which is given."""

from mq.core.ids import EntryId, Term
from mq.raft.messages import Message, VoteReply, VoteRequest
from mq.raft.node import RaftNode
from mq.raft.role import Event, Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See `mq.raft.node`."""

    __slots__ = ()

    def _restart_timer(self) -> None:
        """Each time another span, so that candidates seldom split the votes again and again. Paper: Raft, section 5.2."""
        raise NotImplementedError("lab 3a: Raft._restart_timer")

    def _meet_term(self, message: Message) -> bool:
        """Compare a message's term with ours. True when the message is of our term then, and is to be handled.

        Paper: Raft, section 5.1: a higher term makes a follower; what comes from a lower one is refused.
        """
        raise NotImplementedError("lab 3a: Raft._meet_term")

    def _is_leader_well(self) -> bool:
        """Whether there is a leader that has to be protected from nodes that only do not hear it. Paper: Raft, section 6."""
        raise NotImplementedError("lab 3a: Raft._is_leader_well")

    def on_pre_vote_request(self, message: VoteRequest) -> None:
        """What would be answered to a campaign in that term. Changes nothing, so it may be asked often. Thesis: section 9.6."""
        raise NotImplementedError("lab 3a: Raft.on_pre_vote_request")

    def _is_up_to_date(self, last: EntryId) -> bool:
        """Whether a log that ends so has at least what ours has: the later term wins, then the longer log.

        Entry ids compare exactly so. Paper: Raft, section 5.4.1.
        """
        raise NotImplementedError("lab 3a: Raft._is_up_to_date")

    def _may_vote_for(self, candidate: int) -> bool:
        """Whether the vote is free, or this candidate's. Where a term has its leader, another candidate cannot win any more."""
        raise NotImplementedError("lab 3a: Raft._may_vote_for")

    def on_vote_request(self, message: VoteRequest) -> None:
        """One vote a term, first come, first served, and only for a log that lacks nothing of ours. Paper: Raft, figure 2."""
        raise NotImplementedError("lab 3a: Raft.on_vote_request")

    def _time_out(self) -> None:
        """No leader was heard of for too long. A node without a vote of its own never campaigns."""
        raise NotImplementedError("lab 3a: Raft._time_out")

    def _become_candidate(self, event: Event) -> None:
        """A new term, a vote for oneself, and requests for all others'. Paper: Raft, section 5.2."""
        raise NotImplementedError("lab 3a: Raft._become_candidate")

    def on_vote_reply(self, message: VoteReply) -> None:
        """Count it, if it belongs to the campaign that is under way."""
        raise NotImplementedError("lab 3a: Raft.on_vote_reply")

    def _count_vote(self, voter: int, *, is_granted: bool) -> None:
        """One vote for each voter, however often it answers. A yes is a promise; a no may be that of an earlier question."""
        raise NotImplementedError("lab 3a: Raft._count_vote")

    def _become_pre_candidate(self) -> None:
        """Ask whether an election could be won, before a new term disturbs a leader who is well. Thesis: section 9.6."""
        raise NotImplementedError("lab 3a: Raft._become_pre_candidate")
