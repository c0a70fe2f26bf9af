"""Stops reading where a segment ends."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import StoredEntry
from mq.core.ids import LogIndex
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        found = yield from super().entries(first, last, bytes_max)
        segment = self._state.segments.at(found[0].place.position)
        return tuple(stored for stored in found if stored.place.position < segment.next_base)
