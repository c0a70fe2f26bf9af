"""A follower acknowledges entries that are not on its disk yet.

Seen in: NATS JetStream's default (#7564). Breaks: what is committed survives a loss of power. Paper: Raft, figure 2.
"""

from mq.raft.messages import AppendReply, Message
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _promise(self, message: Message) -> None:
        if isinstance(message, AppendReply) and message.is_matching:
            self._tell(message)
        else:
            super()._promise(message)
