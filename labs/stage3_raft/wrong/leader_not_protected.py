"""Votes are given to whoever asks, also while a leader is heard of.

Breaks: a removed or cut-off node does not end reign after reign. Paper: Raft, section 6, third issue; thesis: section 9.6.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _is_leader_well(self) -> bool:
        return False
