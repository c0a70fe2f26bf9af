"""Once an append was taken back that had begun a segment, begins one for every append."""

from collections.abc import Sequence

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import LogIndex

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        must_roll = self._must_roll
        appended = super().append(after_index, entries, hard_state)
        self._must_roll = must_roll
        return appended
