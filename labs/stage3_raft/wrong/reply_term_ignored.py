"""A higher term in an answer is not taken over: a leader of the past never learns that it is one.

Seen in: student guides. Breaks: a follower whose term ran ahead comes back. Paper: Raft, section 5.1.
"""

from mq.raft.messages import AppendReply, Message, VoteReply
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _meet_term(self, message: Message) -> bool:
        if isinstance(message, AppendReply | VoteReply) and message.term > self.term:
            return False
        return super()._meet_term(message)
