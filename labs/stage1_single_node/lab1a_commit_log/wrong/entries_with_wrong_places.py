"""Counts the place of an entry from the first byte that was read, and not from its group: right in the first group alone."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import StoredEntry
from mq.core.entry import RecordPlace
from mq.core.ids import CommitLogPosition, LogIndex
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        found = yield from super().entries(first, last, bytes_max)
        read_from, wrong = found[0].place.position if found else 0, list[StoredEntry]()
        for stored in found:
            at = stored.place.position - read_from
            place = RecordPlace(CommitLogPosition(stored.place.position + at), stored.place.size_bytes)
            wrong.append(stored._replace(place=place))
        return tuple(wrong)
