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
        self.elapsed_ticks = 0
        self.timeout_ticks = self.chance.randrange(self.options.election_ticks, 2 * self.options.election_ticks)

    def _turn(self, event: Event, *, leader: int | None = None) -> None:
        super()._turn(event, leader=leader)
        if self.role not in {Role.PRE_CANDIDATE, Role.CANDIDATE}:
            self.votes = {}

    # --- candidates

    def _time_out(self) -> None:
        """No leader was heard of for too long. A node without a vote of its own never campaigns."""
        if self.role in {Role.LEADER, Role.MUTE}:
            return
        if not self._may_campaign():
            self._turn(Event.TIMES_OUT_WITHOUT_VOTE)  # and the leader is not protected any more from those who may
            self._restart_timer()
        elif self.options.has_pre_vote:
            self._become_pre_candidate()
        else:
            self._become_candidate(Event.TIMES_OUT_UNASKED)

    def _may_campaign(self) -> bool:
        return self.configuration.is_voter(self.node_id)

    def _become_pre_candidate(self) -> None:
        """Ask whether an election could be won, before a new term disturbs a leader who is well. Thesis: section 9.6."""
        self._turn(Event.TIMES_OUT)
        self._restart_timer()
        self.votes = {}
        self._ask_for_votes(Term(self.term + 1), is_pre_vote=True)
        self._count_vote(self.node_id, is_granted=True)

    def _become_candidate(self, event: Event) -> None:
        """A new term, a vote for oneself, and requests for all others'. Paper: Raft, section 5.2."""
        self._enter_term(Term(self.term + 1), vote=self.node_id)
        self._turn(event)
        self._restart_timer()
        self.votes = {}
        self._ask_for_votes(self.term, is_transfer=event is Event.IS_ASKED_TO_LEAD)
        self._promise(VoteReply(self.node_id, self.node_id, self.term, is_granted=True))

    def _ask_for_votes(self, term: Term, *, is_pre_vote: bool = False, is_transfer: bool = False) -> None:
        # A pre-vote promises nothing; a real request says that the term is on the disk, and the log that it names. (Meanwhile a
        # snapshot may take the place of that log: who has the entry that it stands for votes for no log without it.)
        send = self._tell if is_pre_vote else self._promise
        for voter in self.configuration.members:
            if voter != self.node_id and self.configuration.is_voter(voter):
                send(VoteRequest(self.node_id, voter, term, self.log.last, is_pre_vote, is_transfer))

    def on_vote_reply(self, message: VoteReply) -> None:
        """Count it, if it belongs to the campaign that is under way."""
        if message.is_pre_vote:
            # A yes names the term that was asked for, a no the voter's own: one from above made a follower of us, one from below
            # was dropped, so that a campaign among voters of older terms ends with the time-out.
            if self.role is Role.PRE_CANDIDATE and (not message.is_granted or message.term == self.term + 1):
                self._count_vote(message.sender, is_granted=message.is_granted)
        elif self.role is Role.CANDIDATE and message.term == self.term:
            self._count_vote(message.sender, is_granted=message.is_granted)

    def _count_vote(self, voter: int, *, is_granted: bool) -> None:
        """One vote for each voter, however often it answers. A yes is a promise; a no may be that of an earlier question."""
        self.votes[voter] = is_granted or self.votes.get(voter, False)
        is_won = self.configuration.is_won(self.votes)
        if is_won is False:
            self._turn(Event.LOSES)
        elif is_won:
            if self.role is Role.PRE_CANDIDATE:
                self._become_candidate(Event.WOULD_WIN)
            else:
                self._become_leader()

    # --- voters

    def on_vote_request(self, message: VoteRequest) -> None:
        """One vote a term, first come, first served, and only for a log that lacks nothing of ours. Paper: Raft, figure 2."""
        is_granted = self._may_vote_for(message.sender) and self._is_up_to_date(message.last)
        if is_granted:
            if self.vote is None:
                self.vote, self._is_unsaved = message.sender, True
            self.elapsed_ticks = 0
        self._promise(VoteReply(self.node_id, message.sender, self.term, is_granted))

    def on_pre_vote_request(self, message: VoteRequest) -> None:
        """What would be answered to a campaign in that term. Changes nothing, so it may be asked often. Thesis: section 9.6."""
        is_free = message.term > self.term or (message.term == self.term and self._may_vote_for(message.sender))
        is_granted = is_free and self._is_up_to_date(message.last) and not self._is_leader_well()
        term = message.term if is_granted else self.term
        self._promise(VoteReply(self.node_id, message.sender, term, is_granted, is_pre_vote=True))

    def _may_vote_for(self, candidate: int) -> bool:
        """Whether the vote is free, or this candidate's. Where a term has its leader, another candidate cannot win any more."""
        return self.vote == candidate or (self.vote is None and self.leader is None)

    def _is_up_to_date(self, last: EntryId) -> bool:
        """Whether a log that ends so has at least what ours has: the later term wins, then the longer log.

        Entry ids compare exactly so. Paper: Raft, section 5.4.1.
        """
        return last >= self.log.last

    def _is_leader_well(self) -> bool:
        """Whether there is a leader that has to be protected from nodes that only do not hear it. Paper: Raft, section 6."""
        if not self.options.has_check_quorum:
            return False  # a leader that hears of nobody would be protected for ever
        return self.role is Role.LEADER or (self.leader is not None and self.elapsed_ticks < self.options.election_ticks)

    # --- terms

    def _meet_term(self, message: Message) -> bool:
        """Compare a message's term with ours. True when the message is of our term then, and is to be handled.

        Paper: Raft, section 5.1: a higher term makes a follower; what comes from a lower one is refused.
        """
        if message.term < self.term:
            self._refuse_older(message)
            return False
        if message.term > self.term:
            if isinstance(message, VoteRequest) and not message.is_transfer and self._is_leader_well():
                return False  # Paper: Raft, section 6: a removed node must not end reign after reign
            self._enter_term(message.term)
            self._turn(Event.HEARS_HIGHER_TERM)
        return True

    def _refuse_older(self, message: Message) -> None:
        """The sender of a request learns of our term by the answer; old answers are dropped."""
        if isinstance(message, VoteRequest):
            self._promise(VoteReply(self.node_id, message.sender, self.term, is_granted=False))

    def _become_leader(self) -> None:
        """A quorum voted for this node."""
        self._turn(Event.WINS, leader=self.node_id)
        self.elapsed_ticks = 0
