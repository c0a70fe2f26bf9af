"""A node without a vote campaigns.

Breaks: a leader that is well stays, and leaders are voters. Thesis: section 4.2.1.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _may_campaign(self) -> bool:
        return True
