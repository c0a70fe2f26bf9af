"""While members change a majority of all old and new voters together decides.

Breaks: two majorities always meet. Paper: Raft, section 6: "separate majorities from both the old and new".
"""

from collections.abc import Callable, Mapping

from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class _Union(Configuration):
    """Old and new voters in one heap."""

    __slots__ = ()

    def _heap(self) -> Configuration:
        return Configuration(tuple(sorted({*self.voters, *self.old_voters})))

    def has_quorum(self, is_for: Callable[[int], bool]) -> bool:
        return self._heap().has_quorum(is_for)

    def is_won(self, votes: Mapping[int, bool]) -> bool | None:
        return self._heap().is_won(votes)

    def quorum_value(self, value_of: Callable[[int], int]) -> int:
        return self._heap().quorum_value(value_of)


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _put_in_force(self) -> None:
        super()._put_in_force()
        self.configuration = _Union(*self.configuration)
