"""Your Raft, the methods of lab 3f. What is not written here is inherited from `mq.raft.node.RaftNode`, which is given."""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See `mq.raft.node`."""

    __slots__ = ()


