"""Entries that contradict the leader's stay; only what is behind the end of the log is taken.

Seen in: many solutions of courses. Breaks: equal logs. Paper: Raft, figure 2, AppendEntries 3.
"""

from collections.abc import Sequence

from mq.core.entry import Entry
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _take(self, entries: Sequence[Entry]) -> None:
        new = [entry for entry in entries if entry.index > self.log.last.index]
        if new:
            self._accept(new[0].index - 1, new)
