"""Reading the log from front to back, group by group."""

from typing import TYPE_CHECKING, NamedTuple

from mq.broker.store.log_map import LogMap
from mq.broker.store.record import (
    GROUP_HEADER_BYTES,
    HARD_STATE_KIND,
    RECORD_HEADER_BYTES,
    GroupHeader,
    Record,
    decode_group_header,
    decode_hard_state,
    records_of,
)
from mq.broker.store.segment import Segment
from mq.core.entry import Entry, EntryKind, HardState, RecordPlace
from mq.core.errors import DamageError, FormatError
from mq.core.ids import CommitLogPosition, LogIndex, Term
from mq.core.ports import Read, Steps

if TYPE_CHECKING:
    from mq.broker.store.commit_log import CommitLog, StoredEntry

__all__ = ["Group", "GroupReader", "read_entries"]

_CHUNK_BYTES = 1 << 20


class Group(NamedTuple):
    """A whole group. records: without the hard state. data, at: the bytes read, and where in them the group begins."""

    header: GroupHeader
    records: tuple[Record, ...]
    hard_state: HardState | None
    data: bytes
    at: int

    @property
    def end_position(self) -> int:
        """Behind the group."""
        return self.header.position + self.header.size_bytes

    def place(self, record: Record) -> RecordPlace:
        """Where one of its records lies in the log."""
        return RecordPlace(CommitLogPosition(self.header.position + record.at - self.at), record.size_bytes)

    def entry(self, record: Record) -> Entry:
        """One of its entries. Raises: FormatError."""
        begin = record.at + RECORD_HEADER_BYTES
        try:
            kind = EntryKind(record.kind)
        except ValueError:
            raise FormatError(f"entry kind {record.kind} is not known to this program") from None
        return Entry(LogIndex(record.index), Term(record.term), kind, self.data[begin : record.at + record.size_bytes])


class GroupReader:
    """Reads the groups of one segment, from a position on. `position` is where the next group would begin."""

    def __init__(self, segment: Segment, position: int, chunk_bytes: int = _CHUNK_BYTES) -> None:
        self.segment, self.position = segment, position
        self.read_bytes = 0
        self.chunk_bytes = chunk_bytes
        self._data, self._data_at = b"", 0

    def _have(self, at: int, size_bytes: int) -> Steps[int]:
        """Make bytes of the file available in `_data`; returns where in it they begin (fewer at the file's end)."""
        begin = at - self._data_at
        if begin < 0 or begin + size_bytes > len(self._data):
            wanted = min(max(size_bytes, self.chunk_bytes), self.segment.size_bytes - at)
            self._data = yield Read(self.segment.file, at, wanted)
            self._data_at, begin = at, 0
            self.read_bytes += len(self._data)
        return begin

    def next_group(self) -> Steps[Group | None]:
        """The group at `position`, which moves behind it; None when there stands no whole group. Raises: FormatError."""
        at = self.position - self.segment.base_position
        begin = yield from self._have(at, GROUP_HEADER_BYTES)
        header = decode_group_header(self.segment.file, self._data, begin)
        if header is None or header.position != self.position or at + header.size_bytes > self.segment.size_bytes:
            return None
        begin = yield from self._have(at, header.size_bytes)
        found = records_of(self._data, begin, header)
        if found is None:
            return None
        records, hard_state = [], None
        for record in found:
            if record.kind == HARD_STATE_KIND:
                hard_state = decode_hard_state(self._data[record.at : record.at + record.size_bytes])
            else:
                records.append(record)
        self.position += header.size_bytes
        return Group(header, tuple(records), hard_state, self._data, begin)

    def is_zero_header(self) -> Steps[bool]:
        """Whether nothing was ever written at `position`, as far as a group's header reaches."""
        at = self.position - self.segment.base_position
        begin = yield from self._have(at, GROUP_HEADER_BYTES)
        return not any(self._data[begin : begin + GROUP_HEADER_BYTES])


def read_entries(log: "CommitLog", first: int, last: int, bytes_max: int) -> "Steps[tuple[StoredEntry, ...]]":
    """See `CommitLog.entries`."""
    from mq.broker.store.commit_log import StoredEntry  # noqa: PLC0415 - that module needs this one

    found: list[StoredEntry] = []
    size, wanted = 0, first
    while wanted <= last and (size < bytes_max or not found):
        position, upto = log.locate(LogIndex(wanted))
        segment = log.segment_at(position)
        if not segment.is_mapped:
            yield from _map_segment(log, segment)
            continue
        limit = last if upto is None else min(last, upto)
        # Small reads find a single entry, large ones a long run.
        reader = GroupReader(segment, position, min(_CHUNK_BYTES, max(64 << 10, bytes_max)))
        while wanted <= limit and (size < bytes_max or not found):
            group = yield from reader.next_group()
            if group is None:
                raise DamageError(
                    segment.file,
                    reader.position - segment.base_position,
                    f"no whole group stands where entry {wanted} should be",
                    reader.position,
                )
            if group.header.is_end_of_segment:
                segment = log.segment_behind(segment)
                reader = GroupReader(segment, segment.first_group_position, reader.chunk_bytes)
            for record in group.records:
                if record.index == wanted <= limit:
                    found.append(StoredEntry(group.entry(record), group.place(record)))
                    size += record.size_bytes
                    wanted += 1
    return tuple(found)


def _map_segment(log: "CommitLog", segment: Segment) -> Steps[None]:
    """Read a segment that recovery passed over, and enter its inside into the log's map."""
    found, last_index = LogMap(), 0
    reader = GroupReader(segment, segment.first_group_position)
    while reader.position < segment.end_position:
        group = yield from reader.next_group()
        if group is None:
            raise DamageError(
                segment.file, reader.position - segment.base_position, "no whole group stands here", reader.position
            )
        if group.header.is_end_of_segment:
            break
        if group.records:
            first = group.records[0].index
            if first <= last_index:
                found.cut(first, is_supersede=True)
            found.add_group(first, group.header.position, is_segment_head=not found.positions)
            last_index = group.records[-1].index
    log.learn(segment, list(zip(found.indexes, found.positions, strict=True)))
