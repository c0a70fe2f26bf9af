"""A learner's copy counts like a voter's.

Breaks: what is committed is on a majority of voters. Thesis: section 4.2.1.
"""

from collections.abc import Callable

from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode
from mq.raft.quorum import majority

__all__ = ["Raft"]


class _Everyone(Configuration):
    """Learners stand among the voters, where a majority of voters is looked for."""

    __slots__ = ()

    def quorum_value(self, value_of: Callable[[int], int]) -> int:
        values = sorted(map(value_of, (*self.voters, *self.learners)), reverse=True)
        return values[majority(len(self.voters)) - 1]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _put_in_force(self) -> None:
        super()._put_in_force()
        self.configuration = _Everyone(*self.configuration)
