"""Counts answers, not voters: a vote that the network delivers twice counts twice.

Seen in: PySyncObj 0.3.17. Breaks: one leader a term, with 4 voters or more. Paper: Raft, section 5.2.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _count_vote(self, voter: int, *, is_granted: bool) -> None:
        silent = [other for other in self.configuration.voters if other not in self.votes]
        super()._count_vote(silent[0] if voter in self.votes and silent else voter, is_granted=is_granted)
