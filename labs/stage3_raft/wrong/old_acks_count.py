"""An acknowledgement of an earlier term counts, though what it speaks of may be superseded.

Seen in: student guides ("term confusion"); PySyncObj's answers carry no term. Breaks: what is committed is on a quorum.
Paper: Raft, section 5.1.
"""

from mq.raft.messages import AppendReply, Message
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _refuse_older(self, message: Message) -> None:
        if isinstance(message, AppendReply):
            self.on_append_reply(message)
        else:
            super()._refuse_older(message)
