"""A read is answered by a round of heartbeats that began before it was asked.

Breaks: reads are never stale: another leader may have been elected in between. Thesis: section 6.4.
"""

from mq.raft.node import RaftNode
from mq.raft.output import Output

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def read(self, context: int) -> Output:
        self._check_leads()
        self.reads.append((context, self.round))
        self._answer_reads()
        return self._finish()
