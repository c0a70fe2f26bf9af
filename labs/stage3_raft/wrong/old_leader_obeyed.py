"""Takes entries from a leader of an earlier term.

Seen in: solutions of courses that check the term of votes alone. Breaks: equal logs. Paper: Raft, figure 2, AppendEntries 1.
"""

from mq.raft.messages import AppendRequest, Message
from mq.raft.node import RaftNode
from mq.raft.role import Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _meet_term(self, message: Message) -> bool:
        if isinstance(message, AppendRequest) and message.term < self.term and self.role is not Role.LEADER:
            return True
        return super()._meet_term(message)
