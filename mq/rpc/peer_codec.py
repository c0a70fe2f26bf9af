"""Raft's messages as bytes: version (u8), kind (u8), sender, to and term (u64 each), then what the kind has besides.

All numbers are little-endian and of fixed size. Of an AppendRequest a row for each entry comes first, then all payloads laid
end to end: each is copied once when it is written and once when it is read, and nothing is looked at.
"""

from collections.abc import Callable
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is an error's class
from typing import TypeAlias

from mq.core.entry import Entry, EntryKind
from mq.core.errors import FormatError, StateError
from mq.core.ids import EntryId, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import (
    AppendReply,
    AppendRequest,
    Message,
    Snapshot,
    SnapshotReply,
    SnapshotRequest,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)

__all__ = ["decode_message", "encode_message"]

_VERSION = 1
_START = Struct("<BBQQQ")
_VOTE_REQUEST = Struct("<QQB")
_VOTE_REPLY = Struct("<B")
_APPEND_REQUEST = Struct("<QQQQI")
_APPEND_REPLY = Struct("<BQQQQQ")
_SNAPSHOT_REQUEST = Struct("<QQQBHHH")
_SNAPSHOT_REPLY = Struct("<QQQB")
_ROW = Struct("<QQBI")
_ID = Struct("<Q")
_ENTRY_KINDS = {int(kind): kind for kind in EntryKind}

_Start: TypeAlias = tuple[int, int, Term]
_Reader: TypeAlias = Callable[[_Start, memoryview], Message]


def encode_message(message: Message) -> bytes:
    """The bytes of a message. Raises: StateError when a number in it is negative or too large."""
    try:
        return b"".join(_parts(message))
    except StructError as error:
        raise StateError(f"a {type(message).__name__} that cannot be sent: {error}") from error


def _parts(message: Message) -> list[bytes]:
    match message:
        case AppendRequest(_, _, _, previous, entries, commit_index, round_):
            head = _APPEND_REQUEST.pack(*previous, commit_index, round_, len(entries))
            rows = [_ROW.pack(index, term, kind, len(payload)) for index, term, kind, payload in entries]
            kind, rest = 3, [head, *rows, *(entry.payload for entry in entries)]
        case AppendReply(_, _, _, is_matching, match_index, rejected_index, hint, round_):
            kind, rest = 4, [_APPEND_REPLY.pack(is_matching, match_index, rejected_index, *hint, round_)]
        case VoteRequest():
            kind, rest = 1, [_VOTE_REQUEST.pack(*message.last, message.is_pre_vote | message.is_transfer << 1)]
        case VoteReply():
            kind, rest = 2, [_VOTE_REPLY.pack(message.is_granted | message.is_pre_vote << 1)]
        case SnapshotRequest(_, _, _, snapshot, at, data, is_last):
            members = snapshot.configuration
            head = _SNAPSHOT_REQUEST.pack(*snapshot.last, at, is_last, *map(len, members))
            kind, rest = 5, [head, *(_ID.pack(each) for ids in members for each in ids), data]
        case SnapshotReply(_, _, _, last, received_bytes, is_installed):
            kind, rest = 6, [_SNAPSHOT_REPLY.pack(*last, received_bytes, is_installed)]
        case TimeoutNow():
            kind, rest = 7, []
    return [_START.pack(_VERSION, kind, *message[:3]), *rest]


def decode_message(data: bytes | memoryview) -> Message:
    """The message that these bytes are. Raises: FormatError when they are none, or of another version."""
    view = memoryview(data)
    if not view or view[0] != _VERSION:
        raise FormatError(f"a Raft message of version {view[0] if view else 'none'}; this program knows {_VERSION}")
    if len(view) < _START.size:
        raise FormatError("a Raft message that is cut off")
    _, kind, sender, to, term = _START.unpack_from(view)
    read = _READERS.get(kind)
    if read is None:
        raise FormatError(f"a Raft message of unknown kind {kind}")
    try:
        return read((sender, to, term), view[_START.size :])
    except StructError as error:
        raise FormatError(f"a Raft message of kind {kind} with {len(view)} bytes: {error}") from error


def _flag(number: int) -> bool:
    if number > 1:
        raise FormatError(f"a Raft message with unknown flags {number:#x}")
    return number == 1


def _two_flags(number: int) -> tuple[bool, bool]:
    if number > 3:
        raise FormatError(f"a Raft message with unknown flags {number:#x}")
    return number & 1 == 1, number > 1


def _read_vote_request(start: _Start, rest: memoryview) -> Message:
    term, index, flags = _VOTE_REQUEST.unpack(rest)
    is_pre_vote, is_transfer = _two_flags(flags)
    return VoteRequest(*start, EntryId(term, index), is_pre_vote, is_transfer)


def _read_vote_reply(start: _Start, rest: memoryview) -> Message:
    is_granted, is_pre_vote = _two_flags(_VOTE_REPLY.unpack(rest)[0])
    return VoteReply(*start, is_granted, is_pre_vote)


def _read_append_request(start: _Start, rest: memoryview) -> Message:
    term, index, commit_index, round_, count = _APPEND_REQUEST.unpack_from(rest)
    at = _APPEND_REQUEST.size + count * _ROW.size
    if at > len(rest):
        raise FormatError(f"an AppendRequest that ends within its {count} rows")
    entries: list[Entry] = []
    add, new = entries.append, tuple.__new__  # what Entry(...) does, without a call of Python's own for each entry
    try:
        for entry_index, entry_term, number, size in _ROW.iter_unpack(rest[_APPEND_REQUEST.size : at]):
            end = at + size
            add(new(Entry, (entry_index, entry_term, _ENTRY_KINDS[number], rest[at:end].tobytes())))
            at = end
    except KeyError as error:
        raise FormatError(f"an entry of unknown kind {error}") from error
    if at != len(rest):
        raise FormatError(f"an AppendRequest of {len(rest)} bytes whose entries end at {at}")
    return AppendRequest(*start, EntryId(term, index), tuple(entries), commit_index, round_)


def _read_append_reply(start: _Start, rest: memoryview) -> Message:
    flags, match_index, rejected_index, term, index, round_ = _APPEND_REPLY.unpack(rest)
    return AppendReply(*start, _flag(flags), match_index, rejected_index, EntryId(term, index), round_)


def _read_snapshot_request(start: _Start, rest: memoryview) -> Message:
    term, index, at, flags, *counts = _SNAPSHOT_REQUEST.unpack_from(rest)
    is_last = _flag(flags)
    end = _SNAPSHOT_REQUEST.size + sum(counts) * _ID.size
    if end > len(rest):
        raise FormatError("a SnapshotRequest that ends within its configuration")
    if not counts[0]:
        raise FormatError("a SnapshotRequest with a configuration without voters")
    ids = [each for (each,) in _ID.iter_unpack(rest[_SNAPSHOT_REQUEST.size : end])]
    old, new = counts[0], counts[0] + counts[1]
    configuration = Configuration(tuple(ids[:old]), tuple(ids[old:new]), tuple(ids[new:]))
    return SnapshotRequest(*start, Snapshot(EntryId(term, index), configuration), at, bytes(rest[end:]), is_last)


def _read_snapshot_reply(start: _Start, rest: memoryview) -> Message:
    term, index, received_bytes, flags = _SNAPSHOT_REPLY.unpack(rest)
    return SnapshotReply(*start, EntryId(term, index), received_bytes, _flag(flags))


def _read_timeout_now(start: _Start, rest: memoryview) -> Message:
    if rest:
        raise FormatError(f"a TimeoutNow with {len(rest)} bytes behind it")
    return TimeoutNow(*start)


_READERS: dict[int, _Reader] = {
    1: _read_vote_request,
    2: _read_vote_reply,
    3: _read_append_request,
    4: _read_append_reply,
    5: _read_snapshot_request,
    6: _read_snapshot_reply,
    7: _read_timeout_now,
}
