"""The joint configuration is committed, and that is all.

Breaks: a change of members ends. Paper: Raft, section 6.
"""

from mq.core.ids import LogIndex
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _on_committed(self, before: LogIndex) -> None:
        if not self.configuration.is_joint:
            super()._on_committed(before)
        else:
            self._answer_reads()
