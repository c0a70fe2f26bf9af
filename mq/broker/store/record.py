"""The bytes of the commit log: segment header, group, record. All numbers little-endian, all parts with a checksum.

A segment file begins with its header. Behind it stand groups, each aligned to 8 bytes: what was written and
synced together. A group counts as a whole or not at all. Behind the last group the file is zero.

    segment header  magic "MQSG", crc u32, version u8, 3 zeros, base position u64, size u64, next index u64,
                    last term u64, durable end u64, hard state: term u64, vote i64 (-1: none)
    group header    magic "MQGR", crc u32, body bytes u32, records u32, own position u64, durable end u64,
                    version u8, flags u8, 6 zeros
    record          crc u32, payload bytes u32, term u64, index u64, version u8, kind u8 | payload

*Durable end*: the position below which everything was synced when this was written.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from mq.core.entry import Entry, EntryKind, HardState
from mq.core.errors import FormatError
from mq.core.ids import LogIndex, Term

__all__ = [
    "GROUP_HEADER_BYTES",
    "GROUP_MAGIC",
    "HARD_STATE_KIND",
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
    "records_of",
]

VERSION = 1
GROUP_MAGIC = b"MQGR"
_SEGMENT_MAGIC = b"MQSG"
_CRC_AT = Struct("<4sI")
_SEGMENT = Struct("<B3xQQQQQQq")
_GROUP = Struct("<IIQQBB6x")
_RECORD_CRC = Struct("<I")
_RECORD = Struct("<IQQBB")
_HARD_STATE = Struct("<Qq")
SEGMENT_HEADER_BYTES = _CRC_AT.size + _SEGMENT.size + 4  # a multiple of 8
GROUP_HEADER_BYTES = _CRC_AT.size + _GROUP.size
RECORD_HEADER_BYTES = _RECORD_CRC.size + _RECORD.size
HARD_STATE_KIND = 255
"""The record kind of term and vote; no entry, it has index 0."""
_END_OF_SEGMENT = 1


class SegmentHeader(NamedTuple):
    """next_index, last_term, hard_state: as they were when the segment was made."""

    base_position: int
    size_bytes: int
    next_index: int
    last_term: int
    durable_end: int
    hard_state: HardState


class GroupHeader(NamedTuple):
    """size_bytes: of the whole group with header and padding."""

    position: int
    body_bytes: int
    count: int
    durable_end: int
    is_end_of_segment: bool

    @property
    def size_bytes(self) -> int:
        """Of the whole group, header and padding included."""
        return GROUP_HEADER_BYTES + self.body_bytes + -self.body_bytes % 8


def encode_segment_header(header: SegmentHeader) -> bytes:
    """The first bytes of a segment file."""
    state = header.hard_state
    rest = _SEGMENT.pack(VERSION, *header[:5], state.term, -1 if state.vote is None else state.vote)
    return _CRC_AT.pack(_SEGMENT_MAGIC, crc32(rest)) + rest + bytes(4)


def decode_segment_header(file: str, data: bytes) -> SegmentHeader | None:
    """None when these bytes are no segment header. Raises: FormatError when it has another version."""
    if len(data) < SEGMENT_HEADER_BYTES:
        return None
    magic, checksum = _CRC_AT.unpack_from(data)
    if magic != _SEGMENT_MAGIC or crc32(data[_CRC_AT.size : _CRC_AT.size + _SEGMENT.size]) != checksum:
        return None
    version, *numbers, term, vote = _SEGMENT.unpack_from(data, _CRC_AT.size)
    if version != VERSION:
        raise FormatError(f"{file}: segment format version {version} is not known to this program (it knows {VERSION})")
    return SegmentHeader(*numbers, HardState(Term(term), None if vote < 0 else vote))


def encode_group(
    position: int, durable_end: int, entries: Sequence[Entry], hard_state: HardState | None = None, *, ends_segment: bool = False
) -> tuple[bytes, list[int]]:
    """A group's bytes, and the size of each entry's record."""
    parts: list[bytes] = [b""]
    sizes: list[int] = []
    for entry in entries:
        payload = entry.payload
        head = _RECORD.pack(len(payload), entry.term, entry.index, VERSION, entry.kind)
        parts += (_RECORD_CRC.pack(crc32(payload, crc32(head))), head, payload)
        sizes.append(RECORD_HEADER_BYTES + len(payload))
    body_bytes, count = sum(sizes), len(sizes)
    if hard_state is not None:
        payload = _HARD_STATE.pack(hard_state.term, -1 if hard_state.vote is None else hard_state.vote)
        head = _RECORD.pack(len(payload), hard_state.term, 0, VERSION, HARD_STATE_KIND)
        parts += (_RECORD_CRC.pack(crc32(payload, crc32(head))), head, payload)
        body_bytes, count = body_bytes + RECORD_HEADER_BYTES + len(payload), count + 1
    rest = _GROUP.pack(body_bytes, count, position, durable_end, VERSION, _END_OF_SEGMENT if ends_segment else 0)
    parts[0] = _CRC_AT.pack(GROUP_MAGIC, crc32(rest)) + rest
    parts.append(bytes(-body_bytes % 8))
    return b"".join(parts), sizes


def decode_group_header(file: str, data: bytes, at: int = 0) -> GroupHeader | None:
    """None when these bytes are no group header. Raises: FormatError when it has another version."""
    if len(data) - at < GROUP_HEADER_BYTES:
        return None
    magic, checksum = _CRC_AT.unpack_from(data, at)
    rest = data[at + _CRC_AT.size : at + GROUP_HEADER_BYTES]
    if magic != GROUP_MAGIC or crc32(rest) != checksum:
        return None
    body_bytes, count, position, durable_end, version, flags = _GROUP.unpack(rest)
    if version != VERSION:
        raise FormatError(f"{file}: group format version {version} is not known to this program (it knows {VERSION})")
    return GroupHeader(position, body_bytes, count, durable_end, bool(flags & _END_OF_SEGMENT))


class Record(NamedTuple):
    """One verified record. at: where it begins in the bytes it was read from."""

    at: int
    size_bytes: int
    index: int
    term: int
    kind: int


def records_of(data: bytes, at: int, header: GroupHeader) -> Iterator[Record] | None:
    """The records of the group whose header stands at `at`, all verified; None when one of them is not whole."""
    found: list[Record] = []
    at += GROUP_HEADER_BYTES
    end = at + header.body_bytes
    if end > len(data):
        return None
    view = memoryview(data)
    for _ in range(header.count):
        if at + RECORD_HEADER_BYTES > end:
            return None
        size, term, index, version, kind = _RECORD.unpack_from(data, at + 4)
        after = at + RECORD_HEADER_BYTES + size
        if after > end or crc32(view[at + 4 : after]) != _RECORD_CRC.unpack_from(data, at)[0]:
            return None
        if version != VERSION:
            raise FormatError(f"record format version {version} is not known to this program (it knows {VERSION})")
        found.append(Record(at, after - at, index, term, kind))
        at = after
    return iter(found) if at == end else None


def decode_record(data: bytes) -> Entry | None:
    """The entry of one record's bytes; None when they are not a whole record. Raises: FormatError."""
    if len(data) < RECORD_HEADER_BYTES:
        return None
    size, term, index, version, kind = _RECORD.unpack_from(data, 4)
    if len(data) != RECORD_HEADER_BYTES + size or crc32(memoryview(data)[4:]) != _RECORD_CRC.unpack_from(data)[0]:
        return None
    if version != VERSION:
        raise FormatError(f"record format version {version} is not known to this program (it knows {VERSION})")
    return Entry(LogIndex(index), Term(term), EntryKind(kind), data[RECORD_HEADER_BYTES:])


def decode_hard_state(data: bytes) -> HardState:
    """Term and vote of a HARD_STATE record's bytes."""
    term, vote = _HARD_STATE.unpack_from(data, RECORD_HEADER_BYTES)
    return HardState(Term(term), None if vote < 0 else vote)
