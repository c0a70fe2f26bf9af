"""The leader counts its own copy before that is on its disk.

Seen in: etcd #14370. Breaks: what is committed survives a loss of power. Thesis: section 10.2.1.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _durable_index_of(self, node_id: int) -> int:
        return self.log.last.index if node_id == self.node_id else super()._durable_index_of(node_id)
