"""A late answer to a heartbeat of an earlier reign confirms reads of this one, when its round has a higher number.

Easily made where rounds are counted from the start again by each process; etcd makes all of that anew with each term (#6275).
Breaks: reads are never stale. Thesis: section 6.4.
"""

from mq.raft.messages import AppendReply, Message
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _refuse_older(self, message: Message) -> None:
        if isinstance(message, AppendReply) and message.sender in self.peers:
            self.peers[message.sender].acked_round = message.round
            self._answer_reads()
        else:
            super()._refuse_older(message)
