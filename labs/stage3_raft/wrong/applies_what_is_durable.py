"""Applies what is on its own disk, committed or not.

Breaks: no two state machines differ. Paper: Raft, figure 2, "If commitIndex > lastApplied".
"""

from mq.core.ids import LogIndex
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    @property
    def apply_to(self) -> LogIndex:
        return self.log.storage.durable_index
