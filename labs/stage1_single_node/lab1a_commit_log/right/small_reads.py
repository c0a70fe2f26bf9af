"""Reads a log a few bytes at a time, and looks for each entry anew: more reads, no promise less."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_state import LogState
from mq.broker.store.log_view import StoredEntry
from mq.broker.store.scan import GroupReader, _map_inside
from mq.core.errors import DamageError, StateError
from mq.core.ids import LogIndex
from mq.core.ports import Steps

__all__ = ["CommitLog"]

_READ_BYTES = 64


class CommitLog(Reference):
    """See above."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        if not self.first_index <= first <= last <= self.last_index:
            raise StateError(f"entries {first} to {last}: the log holds {self.first_index} to {self.last_index}")
        state, found, size, superseded = self._state, list[StoredEntry](), 0, self._state.superseded_count
        while first + len(found) <= min(last, state.last_index) and (size < bytes_max or not found):
            wanted = first + len(found)
            reader = yield from _reader_at(state, wanted)
            while True:
                group = yield from reader.next_group()
                if state.superseded_count != superseded:
                    if found:
                        return tuple(found)
                    superseded = state.superseded_count
                    break
                if group is None:
                    if wanted < self.first_index:
                        raise StateError(f"entry {wanted} is not kept any more")
                    if reader.position >= self.durable_end:
                        raise StateError(f"entry {wanted} is not written yet")
                    raise DamageError(reader.segment.file, reader.at, f"entry {wanted} should be here", reader.position)
                matching = [record for record in group.records if record.index == wanted]
                if matching:
                    found.append(StoredEntry(group.entry(matching[0]), group.place(matching[0])))
                    size += matching[0].size_bytes
                    break
        return tuple(found)


def _reader_at(state: LogState, wanted: int) -> Steps[GroupReader]:
    """From where the log's map leads to an entry; a segment that opening passed over is entered into the map first."""
    while True:
        position, _ = state.locate(wanted)
        segment = state.segments.at(position)
        if position >= segment.unmapped_end:
            return GroupReader(segment, position, _READ_BYTES)
        yield from _map_inside(state, segment)
