"""The vote stays in memory: after a restart the node votes again in the same term.

Seen in: PySyncObj before 2026 (#84). Breaks: one leader a term. Paper: Raft, figure 2, "Persistent state on all servers".
"""

from mq.core.entry import HardState
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _hard_state(self) -> HardState:
        return HardState(self.term, None)
