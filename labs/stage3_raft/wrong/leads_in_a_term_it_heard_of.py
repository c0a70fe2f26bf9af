"""A leader that hears of a higher term takes the term over and goes on leading, in it.

Breaks: one leader a term. Paper: Raft, section 5.1: "immediately reverts to follower state".
"""

from mq.raft.messages import AppendRequest, Message, SnapshotRequest
from mq.raft.node import RaftNode
from mq.raft.role import Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _meet_term(self, message: Message) -> bool:
        if self.role is Role.LEADER and message.term > self.term and not isinstance(message, AppendRequest | SnapshotRequest):
            self._enter_term(message.term)
        return super()._meet_term(message)
