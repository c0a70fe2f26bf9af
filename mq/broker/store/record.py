"""The bytes of the commit log: segment header, group, record. All numbers little-endian, all parts with a checksum.

A segment file begins with its header. Behind it stand groups, each aligned to 8 bytes: what was written and
synced together. A group counts as a whole or not at all. Behind the last group the file is zero.

    segment header  magic "MQSG", crc u32, version u8, flags u8 (1: reset), 2 zeros, base position u64, size u64,
                    next index u64, last term u64, durable end u64, hard state: term u64, vote i64 (-1: none)
    group header    magic "MQGR", crc u32, body bytes u32, records u32, own position u64, durable end u64,
                    version u8, flags u8 (1: the segment ends here), 2 zeros, crc u32 of the records' crcs
    record          crc u32, payload bytes u32, term u64, index u64, version u8, kind u8 | payload

*Reset*: all entries before this segment are forgotten, and the segments before it may be gone. A segment that is a
reset and a group that holds a PLACE record have version 2, all others version 1: an older program refuses what it
would misread, and reads the rest.

*Durable end*: the position below which everything was synced when this was written. The checksum over the records'
checksums makes sure that a header never counts together with records of another group that lay there before.
"""

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from mq.core.entry import Entry, EntryKind, HardState
from mq.core.errors import FormatError
from mq.core.ids import EntryId, LogIndex, Term

__all__ = [
    "GROUP_HEADER_BYTES",
    "GROUP_MAGIC",
    "HARD_STATE_KIND",
    "PLACE_KIND",
    "RECORD_HEADER_BYTES",
    "SEGMENT_HEADER_BYTES",
    "GroupHeader",
    "SegmentHeader",
    "decode_group_header",
    "decode_hard_state",
    "decode_record",
    "decode_segment_header",
    "encode_group",
    "encode_segment_header",
    "entry_kind",
    "records_of",
]

VERSION = 1
VERSION_MAX = 2
GROUP_MAGIC = b"MQGR"
_SEGMENT_MAGIC = b"MQSG"
_CRC_AT = Struct("<4sI")
_SEGMENT = Struct("<BB2xQQQQQQq")
_GROUP = Struct("<IIQQBB2xI")
_RECORD_CRC = Struct("<I")
_RECORD = Struct("<IQQBB")
_HARD_STATE = Struct("<Qq")
SEGMENT_HEADER_BYTES = _CRC_AT.size + _SEGMENT.size + 4  # a multiple of 8
GROUP_HEADER_BYTES = _CRC_AT.size + _GROUP.size
RECORD_HEADER_BYTES = _RECORD_CRC.size + _RECORD.size
HARD_STATE_KIND = 255
"""The record kind of term and vote; no entry, it has index 0."""
PLACE_KIND = 254
"""The record kind that says behind which entry, by index and term, a group stands that goes back behind its segment's
header: what the header says of the entry before does not hold for it."""
_END_OF_SEGMENT = 1
_RESET = 1


class SegmentHeader(NamedTuple):
    """next_index, last_term, hard_state: as they were when the segment was made, or as the reset made them."""

    base_position: int
    size_bytes: int
    next_index: int
    last_term: int
    durable_end: int
    hard_state: HardState
    is_reset: bool = False


class GroupHeader(NamedTuple):
    """body_bytes: of the records, without padding. body_checksum: over the records' checksums."""

    position: int
    body_bytes: int
    record_count: int
    durable_end: int
    is_end_of_segment: bool
    body_checksum: int

    @property
    def size_bytes(self) -> int:
        """Of the whole group, header and padding included."""
        return GROUP_HEADER_BYTES + self.body_bytes + -self.body_bytes % 8


def encode_segment_header(header: SegmentHeader) -> bytes:
    """The first bytes of a segment file."""
    state = header.hard_state
    version, flags = (2, _RESET) if header.is_reset else (VERSION, 0)
    rest = _SEGMENT.pack(version, flags, *header[:5], state.term, -1 if state.vote is None else state.vote)
    return _CRC_AT.pack(_SEGMENT_MAGIC, crc32(rest)) + rest + bytes(4)


def decode_segment_header(file: str, data: bytes) -> SegmentHeader | None:
    """None when these bytes are no segment header. Raises: FormatError when it has another version."""
    if len(data) < SEGMENT_HEADER_BYTES:
        return None
    magic, checksum = _CRC_AT.unpack_from(data)
    if magic != _SEGMENT_MAGIC or crc32(data[_CRC_AT.size : _CRC_AT.size + _SEGMENT.size]) != checksum:
        return None
    version, flags, base, size_bytes, next_index, last_term, durable_end, term, vote = _SEGMENT.unpack_from(data, _CRC_AT.size)
    _check_version_of(f"{file}: segment", version)
    is_reset = bool(flags & _RESET)
    return SegmentHeader(base, size_bytes, next_index, last_term, durable_end, _hard_state(term, vote), is_reset)


def _hard_state(term: int, vote: int) -> HardState:
    return HardState(Term(term), None if vote < 0 else vote)


def encode_group(
    position: int, durable_end: int, entries: Sequence[Entry], hard_state: HardState | None = None, *,
    before: EntryId | None = None, ends_segment: bool = False,
) -> tuple[bytes, list[int]]:  # fmt: skip
    """A group's bytes, and the size of each entry's record. before: the entry that they stand behind, if it is to be said."""
    parts: list[bytes] = [b""]
    sizes: list[int] = []
    for entry in entries:
        _add_record(parts, entry.payload, entry.term, entry.index, entry.kind)
        sizes.append(RECORD_HEADER_BYTES + len(entry.payload))
    body_bytes, count = sum(sizes), len(sizes)
    if before is not None:
        _add_record(parts, b"", before.term, before.index, PLACE_KIND)
        body_bytes, count = body_bytes + RECORD_HEADER_BYTES, count + 1
    if hard_state is not None:
        payload = _HARD_STATE.pack(hard_state.term, -1 if hard_state.vote is None else hard_state.vote)
        _add_record(parts, payload, hard_state.term, 0, HARD_STATE_KIND)
        body_bytes, count = body_bytes + RECORD_HEADER_BYTES + len(payload), count + 1
    flags = _END_OF_SEGMENT if ends_segment else 0
    checksum = crc32(b"".join(parts[1::3]))
    version = VERSION if before is None else 2
    rest = _GROUP.pack(body_bytes, count, position, durable_end, version, flags, checksum)
    parts[0] = _CRC_AT.pack(GROUP_MAGIC, crc32(rest)) + rest
    parts.append(bytes(-body_bytes % 8))
    return b"".join(parts), sizes


def _add_record(parts: list[bytes], payload: bytes, term: int, index: int, kind: int) -> None:
    """Three parts: checksum, the rest of the header, payload."""
    head = _RECORD.pack(len(payload), term, index, VERSION, kind)
    parts += (_RECORD_CRC.pack(crc32(payload, crc32(head))), head, payload)


def decode_group_header(file: str, data: bytes, at: int = 0) -> GroupHeader | None:
    """None when these bytes are no group header. Raises: FormatError when it has another version."""
    if len(data) - at < GROUP_HEADER_BYTES:
        return None
    magic, checksum = _CRC_AT.unpack_from(data, at)
    rest = data[at + _CRC_AT.size : at + GROUP_HEADER_BYTES]
    if magic != GROUP_MAGIC or crc32(rest) != checksum:
        return None
    body_bytes, count, position, durable_end, version, flags, body_checksum = _GROUP.unpack(rest)
    _check_version_of(f"{file}: group", version)
    return GroupHeader(position, body_bytes, count, durable_end, bool(flags & _END_OF_SEGMENT), body_checksum)


class Record(NamedTuple):
    """One verified record. at: where it begins in the bytes it was read from."""

    at: int
    size_bytes: int
    index: int  # type: ignore[assignment] # nobody looks for a value in a record, as tuple.index does
    term: int
    kind: int


def records_of(data: bytes, at: int, header: GroupHeader) -> tuple[Record, ...] | None:
    """The records of the group whose header stands at `at`, all verified; None when the group is not whole.

    Raises: FormatError when a record has another version.
    """
    found: list[Record] = []
    checksums = bytearray()
    at += GROUP_HEADER_BYTES
    end = at + header.body_bytes
    if end > len(data):
        return None
    view = memoryview(data)
    for _ in range(header.record_count):
        if at + RECORD_HEADER_BYTES > end:
            return None
        size, term, index, version, kind = _RECORD.unpack_from(data, at + 4)
        after = at + RECORD_HEADER_BYTES + size
        if after > end or crc32(view[at + 4 : after]) != _RECORD_CRC.unpack_from(data, at)[0]:
            return None
        _check_version(version)
        checksums += view[at : at + 4]
        found.append(Record(at, after - at, index, term, kind))
        at = after
    return tuple(found) if at == end and crc32(checksums) == header.body_checksum else None


def decode_record(data: bytes) -> Entry | None:
    """The entry of one record's bytes; None when they are not a whole record. Raises: FormatError."""
    if len(data) < RECORD_HEADER_BYTES:
        return None
    size, term, index, version, kind = _RECORD.unpack_from(data, 4)
    if len(data) != RECORD_HEADER_BYTES + size or crc32(memoryview(data)[4:]) != _RECORD_CRC.unpack_from(data)[0]:
        return None
    _check_version(version)
    return Entry(LogIndex(index), Term(term), entry_kind(kind), data[RECORD_HEADER_BYTES:])


def entry_kind(kind: int) -> EntryKind:
    """Raises: FormatError for a kind that this program does not know."""
    try:
        return EntryKind(kind)
    except ValueError:
        raise FormatError(f"entry kind {kind} is not known to this program") from None


def _check_version_of(what: str, version: int) -> None:
    if not VERSION <= version <= VERSION_MAX:
        known = f"{VERSION} and {VERSION_MAX}"
        raise FormatError(f"{what} format version {version} is not known to this program (it knows {known})")


def _check_version(version: int) -> None:
    if version != VERSION:
        raise FormatError(f"record format version {version} is not known to this program (it knows {VERSION})")


def decode_hard_state(data: bytes) -> HardState:
    """Term and vote of a HARD_STATE record's bytes."""
    return _hard_state(*_HARD_STATE.unpack_from(data, RECORD_HEADER_BYTES))
