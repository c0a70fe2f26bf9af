"""Every request for a vote begins the time-out anew, also one that is refused.

Seen in: student guides. Breaks: some time one is elected whose log is good enough. Paper: Raft, section 5.2, figure 2, Followers.
"""

from mq.raft.messages import Message, VoteRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _handle(self, message: Message) -> None:
        super()._handle(message)
        if isinstance(message, VoteRequest):
            self.elapsed_ticks = 0
