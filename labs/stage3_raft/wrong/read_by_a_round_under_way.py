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
        is_round_under_way = bool(self.reads) and self.reads[0][1] <= self.round
        self.reads.append((context, self.round))
        if not is_round_under_way:
            self._beat()
        self._answer_reads()
        return self._finish()
