"""Gives every entry that is read in order as a command, whatever it was appended as."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import StoredEntry
from mq.core.entry import EntryKind
from mq.core.ids import LogIndex
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        found = yield from super().entries(first, last, bytes_max)
        return tuple(stored._replace(entry=stored.entry._replace(kind=EntryKind.COMMAND)) for stored in found)
