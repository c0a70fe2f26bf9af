"""Any answer of a follower confirms the newest round, also one that was on its way for long.

Seen in: etcd #20418, contexts of reads that were used again. Breaks: reads are never stale. Thesis: section 6.4.
"""

from mq.raft.messages import AppendReply
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_append_reply(self, message: AppendReply) -> None:
        super().on_append_reply(message._replace(round=self.round))
