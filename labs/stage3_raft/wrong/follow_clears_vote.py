"""Who finds a leader forgets for whom it voted in this term.

Seen in: NATS before #7698, which voted twice after stepping down. Breaks: one leader a term. Paper: Raft, figure 2.
"""

from mq.raft.node import RaftNode
from mq.raft.role import Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _follow(self, leader: int) -> None:
        if self.role is not Role.FOLLOWER or self.leader != leader:
            self.vote, self._is_unsaved = None, True
        super()._follow(leader)
