"""Begins a new segment also when another leader's entries come: more and smaller segments, no promise less."""

from collections.abc import Sequence

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import LogIndex

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        if entries and self.last_index and entries[0].term != self.last_term:
            self._must_roll = True
        return super().append(after_index, entries, hard_state)
