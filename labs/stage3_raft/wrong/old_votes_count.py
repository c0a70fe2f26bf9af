"""An answer to an earlier campaign counts in the present one.

Seen in: student guides ("check the term in the reply"). Breaks: one leader a term. Paper: Raft, section 5.2.
"""

from mq.raft.messages import Message, VoteReply
from mq.raft.node import RaftNode
from mq.raft.role import Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _refuse_older(self, message: Message) -> None:
        if isinstance(message, VoteReply) and self.role is Role.CANDIDATE:
            self._count_vote(message.sender, is_granted=message.is_granted)
        else:
            super()._refuse_older(message)
