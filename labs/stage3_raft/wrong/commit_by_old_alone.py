"""While members change the old ones alone decide what is committed.

Breaks: two majorities always meet: the new members may have elected a leader already. Paper: Raft, section 6.
"""

from collections.abc import Callable

from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode
from mq.raft.quorum import quorum_value

__all__ = ["Raft"]


class _Old(Configuration):
    """The new voters are not asked about commits, as long as there are old ones."""

    __slots__ = ()

    def quorum_value(self, value_of: Callable[[int], int]) -> int:
        return quorum_value(self.old_voters or self.voters, value_of)


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _put_in_force(self) -> None:
        super()._put_in_force()
        self.configuration = _Old(*self.configuration)
