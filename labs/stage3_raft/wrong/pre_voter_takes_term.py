"""Who is asked whether it would vote takes the term that is only asked about.

Breaks: a leader that is well stays. Thesis: section 9.6: no server changes its term for a pre-vote.
"""

from mq.raft.messages import VoteRequest
from mq.raft.node import RaftNode
from mq.raft.role import Event

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_pre_vote_request(self, message: VoteRequest) -> None:
        if message.term > self.term:
            self._enter_term(message.term)
            self._turn(Event.HEARS_HIGHER_TERM)
        super().on_pre_vote_request(message)
