"""Reads a segment that opening passed over as if its map were there: what was superseded in it comes back."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import StoredEntry
from mq.core.ids import LogIndex
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        for segment in self._state.segments:
            segment.unmapped_end = 0
        return (yield from super().entries(first, last, bytes_max))
