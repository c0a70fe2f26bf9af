"""When one write is durable all later ones are taken for durable, too.

Seen in: storage that tells "done" without saying what. Breaks: what is promised survives a loss of power. Paper: Raft, figure 2.
"""

from mq.raft.node import RaftNode
from mq.raft.output import Output

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def saved(self, sequence: int) -> Output:
        output = super().saved(sequence)
        self._saved_sequence = self._last_sequence
        return output
