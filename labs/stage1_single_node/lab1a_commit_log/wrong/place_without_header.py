"""A record's place is counted from the group's first byte: the group's header is forgotten."""

from collections.abc import Sequence
from dataclasses import replace

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.record import GROUP_HEADER_BYTES
from mq.core.entry import Appended, Entry, HardState, RecordPlace
from mq.core.ids import CommitLogPosition, LogIndex

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        appended = super().append(after_index, entries, hard_state)
        places = [RecordPlace(CommitLogPosition(p.position - GROUP_HEADER_BYTES), p.size_bytes) for p in appended.places]
        return replace(appended, places=tuple(places))
