"""Look-up by message id within one sealed segment of the commit log.

A file of slots sorted by a hash of topic and id. Its head says where the slots with each leading byte of the hash begin,
so that one read finds the few in question. A slot names a record, not a message: whoever looks up reads the record anyway,
and ids that share a hash must be compared there. Built once, off the write path, at a cost of a few hundred nanoseconds a
message. Little-endian:

    magic "MQIX", checksum u32 of the rest of the head, version u8, 3 zeros, records u32, slots u32,
    257 x u32 (first slot by leading byte), 256 x u32 (checksum of the slots of each leading byte)
    records: position u64, record bytes u32, checksum u32
    slots: record number u32, hash u32 - as one u64 that sorts by hash

RocketMQ: IndexFile.
"""

from array import array
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from mq.core.errors import DamageError, FormatError
from mq.core.ports import Read, Steps

__all__ = ["IndexBuilder", "IndexHit", "IndexedRecord", "build_index", "find_in_index", "index_file"]

_MAGIC = b"MQIX"
_VERSION = 1
_HEAD = Struct("<4sIB3xII257I256I")
_RECORD = Struct("<QI")
_CHECKSUM = Struct("<I")
_RECORD_BYTES = _RECORD.size + _CHECKSUM.size
_SLOT_BYTES = 8
_BUCKETS = 256


class IndexedRecord(NamedTuple):
    """A record of the segment that holds messages, and their ids."""

    topic: str
    ids: Sequence[str]
    position: int
    size_bytes: int


class IndexHit(NamedTuple):
    """A record in which the message may be: different ids may share a hash, so the stored ids must be compared."""

    position: int
    size_bytes: int


def index_file(base_position: int) -> str:
    """The index of the segment that begins at a position."""
    return f"index/{base_position:020d}.idx"


def _seed(topic: str) -> int:
    return crc32(topic.encode() + b"\0")


class IndexBuilder:
    """Gathers a segment's records, in any number of turns."""

    def __init__(self) -> None:
        self._records: list[bytes] = []
        self._buckets: list[list[int]] = [[] for _ in range(_BUCKETS)]

    def add(self, record: IndexedRecord) -> None:
        """Note one record."""
        number, seed, buckets = len(self._records), _seed(record.topic), self._buckets
        packed = _RECORD.pack(record.position, record.size_bytes)
        self._records.append(packed + _CHECKSUM.pack(crc32(packed)))
        for message_id in record.ids:
            hashed = crc32(message_id.encode(), seed)
            buckets[hashed >> 24].append(hashed << 32 | number)

    def to_bytes(self) -> bytes:
        """The whole file."""
        firsts, checksums, parts, count = [0], [], [], 0
        for bucket in self._buckets:
            bucket.sort()
            slots = array("Q", bucket).tobytes()
            parts.append(slots)
            checksums.append(crc32(slots))
            count += len(bucket)
            firsts.append(count)
        head = _HEAD.pack(_MAGIC, 0, _VERSION, len(self._records), count, *firsts, *checksums)
        return b"".join((_MAGIC, _CHECKSUM.pack(crc32(head[8:])), head[8:], *self._records, *parts))


def build_index(records: Iterable[IndexedRecord]) -> bytes:
    """The whole file of a segment with these records."""
    builder = IndexBuilder()
    for record in records:
        builder.add(record)
    return builder.to_bytes()


def find_in_index(file: str, topic: str, message_id: str) -> Steps[tuple[IndexHit, ...]]:
    """Records in which the message may be. Raises: DamageError, FormatError."""
    head = yield Read(file, 0, _HEAD.size)
    if len(head) < _HEAD.size or head[:4] != _MAGIC or crc32(head[8:]) != _CHECKSUM.unpack_from(head, 4)[0]:
        raise DamageError(file, 0, "the head of the message index is damaged")
    _, _, version, records, _, *rest = _HEAD.unpack(head)
    if version != _VERSION:
        raise FormatError(f"{file}: index format version {version} is not known to this program (it knows {_VERSION})")
    hashed = crc32(message_id.encode(), _seed(topic))
    leading = hashed >> 24
    first, upto, checksum = rest[leading], rest[leading + 1], rest[_BUCKETS + 1 + leading]
    at = _HEAD.size + records * _RECORD_BYTES + first * _SLOT_BYTES
    data = (yield Read(file, at, (upto - first) * _SLOT_BYTES)) if upto > first else b""
    if len(data) != (upto - first) * _SLOT_BYTES or crc32(data) != checksum:
        raise DamageError(file, at, "slots of the message index are damaged")
    hits = []
    for number in sorted({slot & 0xFFFFFFFF for slot in array("Q", data) if slot >> 32 == hashed}):
        at = _HEAD.size + number * _RECORD_BYTES
        row = yield Read(file, at, _RECORD_BYTES)
        if len(row) != _RECORD_BYTES or crc32(row[: _RECORD.size]) != _CHECKSUM.unpack_from(row, _RECORD.size)[0]:
            raise DamageError(file, at, "a record of the message index is damaged")
        hits.append(IndexHit(*_RECORD.unpack_from(row)))
    return tuple(hits)
