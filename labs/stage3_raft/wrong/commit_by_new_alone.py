"""While members change the new ones alone decide what is committed.

Breaks: two majorities always meet: the old members may elect another leader. Paper: Raft, section 6, "separate majorities".
"""

from collections.abc import Callable

from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode
from mq.raft.quorum import quorum_value

__all__ = ["Raft"]


class _New(Configuration):
    """The old voters are not asked about commits."""

    __slots__ = ()

    def quorum_value(self, value_of: Callable[[int], int]) -> int:
        return quorum_value(self.voters, value_of)


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _put_in_force(self) -> None:
        super()._put_in_force()
        self.configuration = _New(*self.configuration)
