"""Any request takes away what stands behind its entries, also one that comes late or twice.

Seen in: hashicorp/raft before 0f31a01, PySyncObj to this day. Breaks: an acknowledged entry stays.
Paper: Raft, figure 2, AppendEntries 3.
"""

from collections.abc import Sequence

from mq.core.entry import Entry
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _take(self, entries: Sequence[Entry]) -> None:
        new = [entry for entry in entries if entry.index > self.snapshot.last.index]
        if new:
            self._accept(new[0].index - 1, new)
