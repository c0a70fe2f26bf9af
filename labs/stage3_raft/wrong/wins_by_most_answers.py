"""Wins with more yes than no among those who answered, not with a majority of all.

Breaks: one leader a term. Paper: Raft, section 5.2: "votes from a majority of the servers in the full cluster".
"""

from mq.raft.node import RaftNode
from mq.raft.role import Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _count_vote(self, voter: int, *, is_granted: bool) -> None:
        super()._count_vote(voter, is_granted=is_granted)
        yes = sum(self.votes.values())
        if self.role is Role.CANDIDATE and len(self.votes) > 1 and 2 * yes > len(self.votes):
            self._become_leader()
