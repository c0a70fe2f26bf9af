"""Who answered once counts as heard of for the rest of the reign.

Breaks: a leader without a quorum gives up. Thesis: section 6.2.
"""

from mq.raft.node import RaftNode
from mq.raft.role import Event

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _check_quorum(self) -> None:
        if self.options.has_check_quorum and not self.configuration.has_quorum(self._is_active):
            self._turn(Event.LOSES_QUORUM)
