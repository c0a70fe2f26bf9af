"""The term stays in memory: after a restart it is 0, and old votes and old leaders count again.

Seen in: raft-java #57. Breaks: one leader a term. Paper: Raft, figure 2, "Persistent state on all servers".
"""

from mq.core.entry import HardState
from mq.core.ids import Term
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _hard_state(self) -> HardState:
        return HardState(Term(0), self.vote)
