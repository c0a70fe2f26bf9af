"""A voter's first answer counts for good: a late no to an earlier question "would you?" hides its yes to this one.

Breaks: some time a leader is elected. Thesis: section 9.6.
"""

from mq.raft.node import RaftNode
from mq.raft.role import Event, Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _count_vote(self, voter: int, *, is_granted: bool) -> None:
        self.votes.setdefault(voter, is_granted)
        is_won = self.configuration.is_won(self.votes)
        if is_won is False:
            self._turn(Event.LOSES)
        elif is_won:
            if self.role is Role.PRE_CANDIDATE:
                self._become_candidate(Event.WOULD_WIN)
            else:
                self._become_leader()
