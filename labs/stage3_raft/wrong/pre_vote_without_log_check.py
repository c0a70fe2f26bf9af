"""Says "I would" to a candidate whose log lacks something, so that it raises its term for nothing.

Breaks: a node that cannot win disturbs nobody. Thesis: section 9.6.
"""

from mq.raft.messages import VoteRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_pre_vote_request(self, message: VoteRequest) -> None:
        super().on_pre_vote_request(message._replace(last=max(message.last, self.log.last)))
