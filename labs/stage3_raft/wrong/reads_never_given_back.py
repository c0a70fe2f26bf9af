"""Reads that wait when a reign ends are neither answered nor given back.

Seen in: futures that hang for ever, DLedger #251. Breaks: who asks is told something. Thesis: section 6.4.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _on_reign_ended(self) -> None:
        self.reads.clear()
        super()._on_reign_ended()
