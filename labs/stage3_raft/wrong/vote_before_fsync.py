"""The granted vote leaves before it is on disk.

Seen in: sofa-jraft #1241. Breaks: one leader a term, after a loss of power. Paper: Raft, figure 2, "before responding to RPCs".
"""

from mq.raft.messages import Message, VoteReply
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _promise(self, message: Message) -> None:
        if isinstance(message, VoteReply) and message.to != self.node_id:
            self._tell(message)
        else:
            super()._promise(message)
