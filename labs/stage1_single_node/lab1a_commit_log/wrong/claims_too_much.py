"""Each group says that all before it is durable, also what is still being written: a torn write looks like damage."""

from collections.abc import Sequence

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import CommitLogPosition, LogIndex

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        self._state.durable_end = CommitLogPosition(self._state.segments.end_position)
        return super().append(after_index, entries, hard_state)
