"""Reading the log from front to back, group by group."""

from typing import NamedTuple

from mq.broker.store.log_map import LogMap
from mq.broker.store.log_state import LogState
from mq.broker.store.log_view import StoredEntry
from mq.broker.store.record import (
    GROUP_HEADER_BYTES,
    HARD_STATE_KIND,
    PLACE_KIND,
    RECORD_HEADER_BYTES,
    GroupHeader,
    Record,
    decode_group_header,
    decode_hard_state,
    entry_kind,
    records_of,
)
from mq.broker.store.segment import Segment
from mq.core.entry import Entry, HardState, RecordPlace
from mq.core.errors import DamageError, FormatError, StateError
from mq.core.ids import CommitLogPosition, EntryId, LogIndex, Term
from mq.core.ports import Read, Steps

__all__ = ["CHUNK_BYTES", "Group", "GroupReader", "read_entries"]

CHUNK_BYTES = 1 << 20
"""Read at once where much is to be read."""
_SMALL_READ_BYTES = 64 << 10


class Group(NamedTuple):
    """A whole group. records: of entries. data, at: the bytes read, and where in them the group begins.

    before: the entry that the first one stands behind, when the group says so.
    """

    header: GroupHeader
    records: tuple[Record, ...]
    before: EntryId | None
    hard_state: HardState | None
    data: bytes
    at: int

    def place(self, record: Record) -> RecordPlace:
        """Where one of its records lies in the log."""
        return RecordPlace(CommitLogPosition(self.header.position + record.at - self.at), record.size_bytes)

    def entry(self, record: Record) -> Entry:
        """One of its entries. Raises: FormatError."""
        begin = record.at + RECORD_HEADER_BYTES
        payload = self.data[begin : record.at + record.size_bytes]
        return Entry(LogIndex(record.index), Term(record.term), entry_kind(record.kind), payload)


class GroupReader:
    """Reads the groups of one segment, from a position on. `position` is where the next group would begin."""

    def __init__(self, segment: Segment, position: int, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.segment, self.position = segment, position
        self.read_bytes = 0
        self.chunk_bytes = chunk_bytes
        self._data, self._data_at = b"", 0

    @property
    def at(self) -> int:
        """`position` as a byte of the file."""
        return self.position - self.segment.base_position

    def _have(self, size_bytes: int) -> Steps[int]:
        """Make bytes from `position` on available in `_data`; returns where in it they begin (fewer at the file's end)."""
        begin = self.at - self._data_at
        if begin < 0 or begin + size_bytes > len(self._data):
            wanted = min(max(size_bytes, self.chunk_bytes), self.segment.size_bytes - self.at)
            self._data = yield Read(self.segment.file, self.at, wanted)
            self._data_at, begin = self.at, 0
            self.read_bytes += len(self._data)
        return begin

    def header(self) -> Steps[GroupHeader | None]:
        """The header at `position`, when there stands a whole one that belongs there. Raises: FormatError."""
        begin = yield from self._have(GROUP_HEADER_BYTES)
        header = decode_group_header(self.segment.file, self._data, begin)
        if header is None or header.position != self.position or self.position + header.size_bytes > self.segment.next_base:
            return None
        return header

    def next_group(self) -> Steps[Group | None]:
        """The group at `position`, which moves behind it; None when there stands no whole group. Raises: FormatError."""
        header = yield from self.header()
        if header is None:
            return None
        begin = yield from self._have(header.size_bytes)
        try:
            found = records_of(self._data, begin, header)
        except FormatError as error:
            raise FormatError(f"{self.segment.file}, group at byte {self.at}: {error}") from error
        if found is None:
            return None
        hard_state = before = None
        if found and found[-1].kind == HARD_STATE_KIND:
            last = found[-1]
            hard_state = decode_hard_state(self._data[last.at : last.at + last.size_bytes])
            found = found[:-1]
        if found and found[-1].kind == PLACE_KIND:
            before = EntryId(Term(found[-1].term), LogIndex(found[-1].index))
            found = found[:-1]
        self.position += header.size_bytes
        return Group(header, found, before, hard_state, self._data, begin)

    def is_zero(self) -> Steps[bool]:
        """Whether nothing was ever written at `position`, as far as a group's header reaches."""
        begin = yield from self._have(GROUP_HEADER_BYTES)
        return not any(self._data[begin : begin + GROUP_HEADER_BYTES])


def read_entries(state: LogState, first: int, last: int, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
    """See `CommitLog.entries`.

    While it reads, the log may go on, or supersede its end; then what was found before is all. It may also forget its
    beginning: then a StateError says so, when what is wanted next is not kept any more.
    """
    found: list[StoredEntry] = []
    size, wanted, durable_end = 0, first, state.durable_end
    superseded_count = state.superseded_count
    while wanted <= min(last, state.last_index) and (size < bytes_max or not found):
        position, upto = state.locate(wanted)
        segment = state.segments.at(position)
        if position < segment.unmapped_end:
            yield from _map_inside(state, segment)
            continue
        # No way leads out of its segment: the first entries of each one are a point of the map.
        limit = min(last, state.last_index if upto is None else upto)
        # Small reads find a single entry, large ones a long run.
        reader = GroupReader(segment, position, min(CHUNK_BYTES, max(_SMALL_READ_BYTES, bytes_max)))
        while wanted <= limit and (size < bytes_max or not found):
            group = yield from reader.next_group()
            if state.superseded_count != superseded_count:
                if found:
                    return tuple(found)
                superseded_count = state.superseded_count
                break
            if group is None:
                raise _missing(state, reader, wanted, durable_end)
            for record in group.records:
                if record.index == wanted <= limit and (size < bytes_max or not found):
                    found.append(StoredEntry(group.entry(record), group.place(record)))
                    size += record.size_bytes
                    wanted += 1
    return tuple(found)


def _missing(state: LogState, reader: GroupReader, wanted: int, durable_end: int) -> DamageError | StateError:
    """Why no whole group was found where an entry should be. durable_end: when the reading began."""
    if wanted < state.first_index:
        return StateError(f"entry {wanted} is not kept any more: the log begins at {state.first_index}")
    if reader.position >= durable_end and not state.damage:
        return StateError(f"entry {wanted} is not durable yet, and not all of it is written")
    reason = f"no whole group stands where entry {wanted} should be"
    return DamageError(reader.segment.file, reader.at, reason, reader.position)


def _map_inside(state: LogState, segment: Segment) -> Steps[None]:
    """Read the part of a segment that recovery passed over, and enter it into the log's map."""
    found, last_index = LogMap(), 0
    reader = GroupReader(segment, segment.first_group_position)
    while reader.position < segment.unmapped_end:
        group = yield from reader.next_group()
        if group is None:
            if segment.base_position < state.segments.first_position:
                raise StateError(f"{segment.file} is not kept any more")
            raise DamageError(segment.file, reader.at, "no whole group stands here", reader.position)
        if group.header.is_end_of_segment:
            break
        if group.records:
            first = group.records[0].index
            if is_superseding := first <= last_index:
                found.cut(first)
            at, base = group.header.position, segment.base_position
            found.add_group(first, at, segment_position=base, is_superseding=is_superseding)
            last_index = group.records[-1].index
    if segment.base_position >= state.segments.first_position:
        state.map.learn(segment.base_position, segment.unmapped_end, found.points)
        segment.unmapped_end = 0
