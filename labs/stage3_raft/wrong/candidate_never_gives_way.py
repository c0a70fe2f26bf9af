"""A candidate takes the entries of its term's leader, and goes on campaigning.

Breaks: a leader that is well stays. Paper: Raft, section 5.2: "the candidate recognizes the leader as legitimate".
"""

from mq.raft.node import RaftNode
from mq.raft.role import Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _follow(self, leader: int) -> None:
        if self.role is not Role.CANDIDATE:
            super()._follow(leader)
