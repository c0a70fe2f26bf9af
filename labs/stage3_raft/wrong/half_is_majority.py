"""With an even number of voters one half decides, and so may the other.

Seen in: hashicorp/raft before 163a55f. Breaks: one leader a term, with 2 or 4 voters. Paper: Raft, section 5.2.
"""

from collections.abc import Callable, Mapping

from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class _Halves(Configuration):
    """A half is enough."""

    __slots__ = ()

    def is_won(self, votes: Mapping[int, bool]) -> bool | None:
        if 2 * sum(votes.get(voter) is True for voter in self.voters) >= len(self.voters):
            return True
        return super().is_won(votes)

    def quorum_value(self, value_of: Callable[[int], int]) -> int:
        return sorted(map(value_of, self.voters), reverse=True)[(len(self.voters) + 1) // 2 - 1]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _put_in_force(self) -> None:
        super()._put_in_force()
        self.configuration = _Halves(*self.configuration)
