"""The file of a state snapshot: where the log was, and the state as of there.

`snapshots/<20-digit applied index>.snap`, little-endian:

    magic "MQSN", checksum u32 of all that follows, version u8, 3 zero bytes, index u64, term u64,
    checkpoint bytes u32, members bytes u32, body bytes u64 | checkpoint | members | body

The checkpoint is of this node's log alone; members and body are what another node is given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from struct import Struct
from zlib import crc32

from mq.core.errors import DamageError, FormatError

__all__ = ["Snapshot", "decode_snapshot", "encode_snapshot", "snapshot_file", "snapshots_in", "superfluous_snapshots"]

_MAGIC = b"MQSN"
_VERSION = 2
_HEAD = Struct("<4sI")
_FIELDS = Struct("<B3xQQIIQ")
_FOLDER, _SUFFIX = "snapshots/", ".snap"
_NEWEST_KEPT = 2
_BOUNDARIES_KEPT = 16


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State as of an applied index. checkpoint: of the log, from which recovery reads on; body: of the machine.

    members: of the broker group as of there, as bytes of `mq.raft.configuration`; empty where nobody wrote them down.
    """

    index: int
    term: int
    checkpoint: bytes
    body: bytes
    members: bytes = b""


def snapshot_file(index: int) -> str:
    """The file of the snapshot at an index."""
    return f"{_FOLDER}{index:020d}{_SUFFIX}"


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """The whole content of the file."""
    checkpoint, members, body = snapshot.checkpoint, snapshot.members, snapshot.body
    fields = _FIELDS.pack(_VERSION, snapshot.index, snapshot.term, len(checkpoint), len(members), len(body))
    checksum = crc32(body, crc32(fields + checkpoint + members))
    return b"".join((_HEAD.pack(_MAGIC, checksum), fields, checkpoint, members, body))  # a body may be of 100 MiB: copied once


def decode_snapshot(file: str, data: bytes) -> Snapshot:
    """The snapshot in a file. Raises: DamageError, FormatError."""
    if len(data) < _HEAD.size + _FIELDS.size:
        raise DamageError(file, len(data), "the snapshot is cut short")
    magic, checksum = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise DamageError(file, 0, "this is no snapshot")
    if crc32(memoryview(data)[_HEAD.size :]) != checksum:
        raise DamageError(file, _HEAD.size, "the snapshot's checksum is wrong")
    if (version := data[_HEAD.size]) != _VERSION:
        raise FormatError(f"{file}: snapshot format version {version} is not known to this program (it knows {_VERSION})")
    _, index, term, checkpoint_bytes, members_bytes, body_bytes = _FIELDS.unpack_from(data, _HEAD.size)
    begin = _HEAD.size + _FIELDS.size
    members_at, body_at = begin + checkpoint_bytes, begin + checkpoint_bytes + members_bytes
    if len(data) != body_at + body_bytes or snapshot_file(index) != file:
        raise DamageError(file, _HEAD.size, "the snapshot's sizes or index do not fit the file")
    return Snapshot(index, term, data[begin:members_at], data[body_at:], data[members_at:body_at])


def snapshots_in(files: Mapping[str, int]) -> list[tuple[int, str]]:
    """(index, file) of each snapshot, the newest first."""
    found = []
    for file in files:
        name = file.removeprefix(_FOLDER).removesuffix(_SUFFIX)
        if len(name) == 20 and name.isascii() and name.isdigit() and snapshot_file(int(name)) == file:
            found.append((int(name), file))
    return sorted(found, reverse=True)


def superfluous_snapshots(snapshots: Iterable[tuple[int, str]], first_index: int, boundaries: Iterable[int] = ()) -> list[str]:
    """Files that nobody needs any more.

    Kept are the newest two, and the newest one that all retained entries follow (its index is below `first_index`, the first
    entry of the log): with it and the log a replica that lost everything can be rebuilt. boundaries: first indexes of the
    log's segments; a snapshot of the state right before one will be needed when the log begins there. Of those so many are
    kept, spread over the log, that nothing has to be kept much longer than it should be.
    """
    newest_first = sorted(snapshots, reverse=True)
    kept = {file for _, file in newest_first[:_NEWEST_KEPT]}
    kept.update([file for index, file in newest_first if index < first_index][:1])
    wanted = {boundary - 1 for boundary in boundaries}
    between = [file for index, file in newest_first if index in wanted and index >= first_index]
    step = -(-len(between) // _BOUNDARIES_KEPT) or 1
    kept.update(reversed(between[::-1][::step]))
    return [file for _, file in newest_first if file not in kept]
