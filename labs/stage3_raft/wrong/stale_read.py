"""A leader answers from what it knows, without asking anyone whether it still leads.

Seen in: Redpanda #5090. Breaks: reads are never stale. Paper: Raft, section 8; thesis: section 6.4.
"""

from mq.raft.node import RaftNode
from mq.raft.output import Output, ReadReady

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def read(self, context: int) -> Output:
        self._check_leads()
        self._reads.append(ReadReady(context, self.commit_index))
        self._has_work = True
        return self._finish()
