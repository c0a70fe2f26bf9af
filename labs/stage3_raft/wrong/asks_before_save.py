"""Asks for votes at once: the term and the log's end that it names may be forgotten after a loss of power.

Seen in: sofa-jraft before #1245; etcd's messages may leave so, too. Breaks: a leader has all that was committed.
Paper: Raft, figure 2.
"""

from mq.raft.messages import Message, VoteRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _promise(self, message: Message) -> None:
        if isinstance(message, VoteRequest):
            self._tell(message)
        else:
            super()._promise(message)
