"""How a group gets a leader: time-outs, campaigns, votes. Paper: Raft, sections 5.2 and 5.4.1; thesis: section 9.6 (pre-vote).

At most one leader a term: each node gives one vote a term, and a leader needs a majority.
"""

from mq.core.ids import EntryId, Term
from mq.raft.messages import Message, VoteReply, VoteRequest
from mq.raft.persistence import Persistence
from mq.raft.role import Event, Role
from mq.raft.state import Start

__all__ = ["Election"]


class Election(Persistence):
    """A node's part in elections.

    votes: who answered in this campaign, and what; empty when none is under way. elapsed_ticks: since the node heard from a
    leader, gave its vote, or began a campaign. timeout_ticks: how many of these it waits for.
    """

    __slots__ = ("elapsed_ticks", "timeout_ticks", "votes")

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self.votes: dict[int, bool] = {}
        self._restart_timer()

    def _restart_timer(self) -> None:
        """Each time another span, so that candidates seldom split the votes again and again. Paper: Raft, section 5.2."""
        raise NotImplementedError("lab 3a: Election._restart_timer")

    def _turn(self, event: Event, *, leader: int | None = None) -> None:
        super()._turn(event, leader=leader)
        if self.role not in {Role.PRE_CANDIDATE, Role.CANDIDATE}:
            self.votes = {}

    # --- candidates

    def _time_out(self) -> None:
        """No leader was heard of for too long. A node without a vote of its own never campaigns."""
        raise NotImplementedError("lab 3a: Election._time_out")

    def _may_campaign(self) -> bool:
        return self.configuration.is_voter(self.node_id)

    def _become_pre_candidate(self) -> None:
        """Ask whether an election could be won, before a new term disturbs a leader who is well. Thesis: section 9.6."""
        raise NotImplementedError("lab 3a: Election._become_pre_candidate")

    def _become_candidate(self, event: Event) -> None:
        """A new term, a vote for oneself, and requests for all others'. Paper: Raft, section 5.2."""
        raise NotImplementedError("lab 3a: Election._become_candidate")

    def _ask_for_votes(self, term: Term, *, is_pre_vote: bool = False, is_transfer: bool = False) -> None:
        # A pre-vote promises nothing; a real request says that the term is on the disk, and the log that it names. (Meanwhile a
        # snapshot may take the place of that log: who has the entry that it stands for votes for no log without it.)
        send = self._tell if is_pre_vote else self._promise
        for voter in self.configuration.members:
            if voter != self.node_id and self.configuration.is_voter(voter):
                send(VoteRequest(self.node_id, voter, term, self.log.last, is_pre_vote, is_transfer))

    def on_vote_reply(self, message: VoteReply) -> None:
        """Count it, if it belongs to the campaign that is under way."""
        raise NotImplementedError("lab 3a: Election.on_vote_reply")

    def _count_vote(self, voter: int, *, is_granted: bool) -> None:
        """One vote for each voter, however often it answers. A yes is a promise; a no may be that of an earlier question."""
        raise NotImplementedError("lab 3a: Election._count_vote")

    # --- voters

    def on_vote_request(self, message: VoteRequest) -> None:
        """One vote a term, first come, first served, and only for a log that lacks nothing of ours. Paper: Raft, figure 2."""
        raise NotImplementedError("lab 3a: Election.on_vote_request")

    def on_pre_vote_request(self, message: VoteRequest) -> None:
        """What would be answered to a campaign in that term. Changes nothing, so it may be asked often. Thesis: section 9.6."""
        raise NotImplementedError("lab 3a: Election.on_pre_vote_request")

    def _may_vote_for(self, candidate: int) -> bool:
        """Whether the vote is free, or this candidate's. Where a term has its leader, another candidate cannot win any more."""
        raise NotImplementedError("lab 3a: Election._may_vote_for")

    def _is_up_to_date(self, last: EntryId) -> bool:
        """Whether a log that ends so has at least what ours has: the later term wins, then the longer log.

        Entry ids compare exactly so. Paper: Raft, section 5.4.1.
        """
        raise NotImplementedError("lab 3a: Election._is_up_to_date")

    def _is_leader_well(self) -> bool:
        """Whether there is a leader that has to be protected from nodes that only do not hear it. Paper: Raft, section 6."""
        raise NotImplementedError("lab 3a: Election._is_leader_well")

    # --- terms

    def _meet_term(self, message: Message) -> bool:
        """Compare a message's term with ours. True when the message is of our term then, and is to be handled.

        Paper: Raft, section 5.1: a higher term makes a follower; what comes from a lower one is refused.
        """
        raise NotImplementedError("lab 3a: Election._meet_term")

    def _refuse_older(self, message: Message) -> None:
        """The sender of a request learns of our term by the answer; old answers are dropped."""
        if isinstance(message, VoteRequest):
            self._promise(VoteReply(self.node_id, message.sender, self.term, is_granted=False))

    def _become_leader(self) -> None:
        """A quorum voted for this node."""
        self._turn(Event.WINS, leader=self.node_id)
        self.elapsed_ticks = 0
