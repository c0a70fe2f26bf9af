"""Reads entries from the front, and takes the first record that has the index: what was superseded comes back."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import StoredEntry
from mq.broker.store.scan import GroupReader
from mq.core.ids import LogIndex
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        found: list[StoredEntry] = []
        for segment in self._state.segments:
            reader = GroupReader(segment, segment.first_group_position)
            while (group := (yield from reader.next_group())) is not None:
                wanted = first + len(found)
                matching = [record for record in group.records if wanted <= record.index <= last]
                found += [StoredEntry(group.entry(record), group.place(record)) for record in matching]
                if sum(stored.place.size_bytes for stored in found) >= bytes_max:
                    return tuple(found[: last - first + 1])
        return tuple(found[: last - first + 1])
