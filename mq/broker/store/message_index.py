"""Look-up by message id within one sealed segment of the commit log.

A file of fixed-size slots sorted by a 64-bit hash of topic and id, behind a header with the number of slots that
begin with each leading byte: one read finds the few slots in question. Built once, off the write path.

    magic "MQIX", crc u32 of the rest of the header, version u8, 3 zeros, slots u32, 257 x u32 (first slot by leading byte)
    slot: hash u64, position u64, record bytes u32, number in the batch u16, checksum u16

RocketMQ: IndexFile.
"""

from collections.abc import Iterable
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from mq.core.errors import DamageError, FormatError
from mq.core.ports import Read, Steps

__all__ = ["IndexHit", "IndexItem", "build_index", "find_in_index", "index_file"]

_MAGIC = b"MQIX"
_VERSION = 1
_HEAD = Struct("<4sIB3xI257I")
_SLOT = Struct("<QQIHH")


class IndexItem(NamedTuple):
    """One message of the segment. text: its id; position, size_bytes: of its record; number: within the batch."""

    topic: str
    text: str
    position: int
    size_bytes: int
    number: int


class IndexHit(NamedTuple):
    """Where a message may be: different ids may share a hash, so the stored id must be compared."""

    position: int
    size_bytes: int
    number: int


def index_file(base_position: int) -> str:
    """The index of the segment that begins at a position."""
    return f"index/{base_position:020d}.idx"


def _hash(topic: str, text: str) -> int:
    return int.from_bytes(blake2b(f"{topic}\0{text}".encode(), digest_size=8).digest(), "big")


def _slot(hashed: int, position: int, size_bytes: int, number: int) -> bytes:
    body = _SLOT.pack(hashed, position, size_bytes, number, 0)
    return body[:-2] + (crc32(body) & 0xFFFF).to_bytes(2, "little")


def build_index(items: Iterable[IndexItem]) -> bytes:
    """The whole file."""
    rows = sorted((_hash(i.topic, i.text), i.position, i.size_bytes, i.number) for i in items)
    firsts, at = [], 0
    for leading in range(257):
        while at < len(rows) and rows[at][0] >> 56 < leading:
            at += 1
        firsts.append(at)
    head = _HEAD.pack(_MAGIC, 0, _VERSION, len(rows), *firsts)
    return b"".join((_MAGIC, crc32(head[8:]).to_bytes(4, "little"), head[8:], *(_slot(*row) for row in rows)))


def find_in_index(file: str, topic: str, text: str) -> Steps[tuple[IndexHit, ...]]:
    """Where the message may be. Raises: DamageError, FormatError."""
    head = yield Read(file, 0, _HEAD.size)
    if len(head) < _HEAD.size or head[:4] != _MAGIC or crc32(head[8:]) != int.from_bytes(head[4:8], "little"):
        raise DamageError(file, 0, "the header of the message index is damaged")
    _, _, version, _count, *firsts = _HEAD.unpack(head)
    if version != _VERSION:
        raise FormatError(f"{file}: index format version {version} is not known to this program (it knows {_VERSION})")
    hashed = _hash(topic, text)
    first, upto = firsts[hashed >> 56], firsts[(hashed >> 56) + 1]
    at = _HEAD.size + first * _SLOT.size
    data = (yield Read(file, at, (upto - first) * _SLOT.size)) if upto > first else b""
    if len(data) != (upto - first) * _SLOT.size:
        raise DamageError(file, at + len(data), "the message index is cut short")
    hits = []
    for begin in range(0, len(data), _SLOT.size):
        row = _SLOT.unpack_from(data, begin)
        if _slot(*row[:4]) != data[begin : begin + _SLOT.size]:
            raise DamageError(file, at + begin, "a slot of the message index is damaged")
        if row[0] == hashed:
            hits.append(IndexHit(*row[1:4]))
    return tuple(hits)
