"""A new leader answers reads before anything of its own term is committed, so that it does not know yet how much is.

Seen in: etcd before its read index waited for that; redisraft #18. Breaks: reads are never stale. Thesis: section 6.4.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _knows_what_is_committed(self) -> bool:
        return True
