"""Every request for a vote begins the time-out anew, also one that is refused.

Seen in: student guides. Breaks: some time one is elected whose log is good enough. Paper: Raft, section 5.2, figure 2, Followers.
"""

from mq.raft.messages import VoteRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_vote_request(self, message: VoteRequest) -> None:
        super().on_vote_request(message)
        self.elapsed_ticks = 0

    def on_pre_vote_request(self, message: VoteRequest) -> None:
        super().on_pre_vote_request(message)
        self.elapsed_ticks = 0
