"""Takes every record that is read by its place for a command, whatever it was appended as."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.entry import Entry, EntryKind, RecordPlace

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        return super().decode(place, data)._replace(kind=EntryKind.COMMAND)
