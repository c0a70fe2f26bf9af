"""A batch: 1..N messages of one queue, stored as the bytes that arrived.

One record of the commit log holds one batch. Bodies are never re-encoded; what the broker needs to know of
a message without looking into it (id, tag, size) stands in a table before them. Layout, little-endian:

    kind u8 = 1, version u8 = 1, message kind u8, flags u8, queue id u32, log_ms u64, wall_ms u64, due_ms u64,
    topic bytes u16, messages u16, tag table bytes u32
    topic | sizes u32 * N | id sizes u16 * N | ids | tags (JSON) | shared | messages end to end

The tag table is empty when no message has a tag, one JSON string when all have the same, else an array. With flag 1
the messages are bodies alone, and `shared` (a size u32, then so many bytes) is what they have in common besides
their ids; without it there is no `shared`, and each message is whole.
"""

import json
from array import array
from dataclasses import dataclass
from itertools import accumulate
from struct import Struct
from struct import error as struct_error
from typing import ClassVar, NamedTuple

from mq.core.encoding import encode_field
from mq.core.errors import FormatError

__all__ = [
    "AppendMessages",
    "BatchPart",
    "BatchReader",
    "StoredMessage",
    "batch_slice",
    "decode_batch",
    "decode_ids",
    "decode_tags",
    "decode_to_apply",
    "delivery_slice",
    "encode_batch",
    "whole_message",
]

_HEAD = Struct("<BBBBIQQQHHI")
_SHARED_SIZE = Struct("<I")
_VERSION = 1
_IN_COLUMNS = 1
_SYSTEM_PROPERTIES, _MESSAGE_ID, _BODY = b"\x1a", b"\x1a", b"\x22"
"""Fields of a serialized message. RocketMQ: Message and SystemProperties in definition.proto (v2)."""


@dataclass(frozen=True, slots=True)
class AppendMessages:
    """Store messages at the end of one queue.

    message_kind: one for all. due_ms: wall time at which delayed messages become visible, else 0.
    ids: one message id each. tags: one each ("" for none), or a single string that all share.
    messages: serialized messages, as they are handed to consumers; or bodies alone, when `shared` (serialized, too)
    holds all else that the messages have in common.
    """

    KIND: ClassVar[int] = 1
    log_ms: int
    wall_ms: int
    topic: str
    queue_id: int
    message_kind: int
    due_ms: int
    ids: tuple[str, ...]
    tags: tuple[str, ...] | str
    messages: tuple[bytes, ...]
    shared: bytes | None = None

    def tag(self, number: int) -> str:
        """The tag of one message of the batch, "" for none."""
        return self.tags if isinstance(self.tags, str) else self.tags[number]


class StoredMessage(NamedTuple):
    """One message of a stored batch. stored: its serialized bytes."""

    stored: bytes
    topic: str
    message_id: str
    wall_ms: int
    message_kind: int


class BatchPart(NamedTuple):
    """Messages of a stored batch as they lie there: end to end, with the size of each.

    shared, ids: None and () when the messages are whole; else what completes the bodies.
    """

    payload: bytes
    sizes: list[int]
    wall_ms: int
    shared: bytes | None
    ids: tuple[str, ...]


def whole_message(shared: bytes, message_id: str, body: bytes) -> bytes:
    """A serialized message from what it has in common with others, its id and its body."""
    system = encode_field(_MESSAGE_ID, message_id.encode())
    return b"".join((shared, encode_field(_SYSTEM_PROPERTIES, system), encode_field(_BODY, body)))


def encode_batch(batch: AppendMessages) -> bytes:
    """The batch as a record's payload."""
    topic, tags = batch.topic.encode(), b"" if batch.tags == "" else json.dumps(batch.tags).encode()
    ids = [i.encode() for i in batch.ids]
    flags, shared = (0, b"") if batch.shared is None else (_IN_COLUMNS, _SHARED_SIZE.pack(len(batch.shared)) + batch.shared)
    head = _HEAD.pack(
        AppendMessages.KIND, _VERSION, batch.message_kind, flags, batch.queue_id, batch.log_ms, batch.wall_ms, batch.due_ms,
        len(topic), len(batch.messages), len(tags),
    )  # fmt: skip
    sizes, id_sizes = array("I", map(len, batch.messages)).tobytes(), array("H", map(len, ids)).tobytes()
    return b"".join((head, topic, sizes, id_sizes, *ids, tags, shared, *batch.messages))


class _Table(NamedTuple):
    """Where everything of a stored batch is. The rest are byte positions in the payload."""

    flags: int
    message_kind: int
    queue_id: int
    log_ms: int
    wall_ms: int
    due_ms: int
    topic: str
    sizes: "array[int]"
    id_sizes: "array[int]"
    ids_at: int
    tags_at: int
    shared_at: int
    messages_at: int


def _table(payload: bytes) -> _Table:
    """Raises: FormatError."""
    try:
        _, version, kind, flags, queue_id, log_ms, wall_ms, due_ms, topic_bytes, count, tag_bytes = _HEAD.unpack_from(payload)
        at = _HEAD.size + topic_bytes
        sizes, id_sizes = array("I", payload[at : at + 4 * count]), array("H", payload[at + 4 * count : at + 6 * count])
        tags_at = at + 6 * count + sum(id_sizes)
        shared_at = messages_at = tags_at + tag_bytes
        if flags & _IN_COLUMNS:
            shared_at += _SHARED_SIZE.size
            messages_at = shared_at + _SHARED_SIZE.unpack_from(payload, messages_at)[0]
    except (struct_error, ValueError) as error:
        raise FormatError(f"a batch is too short: {error}") from error
    if version != _VERSION or flags & ~_IN_COLUMNS:
        raise FormatError(f"batch format version {version} with flags {flags} is not known to this program (it knows {_VERSION})")
    topic = payload[_HEAD.size : at].decode()
    return _Table(
        flags, kind, queue_id, log_ms, wall_ms, due_ms, topic, sizes, id_sizes, at + 6 * count, tags_at, shared_at, messages_at
    )


def _ids(payload: bytes, table: _Table, first: int = 0, count: int | None = None) -> tuple[str, ...]:
    """The ids from number `first` on."""
    wanted = table.id_sizes[first : None if count is None else first + count]
    starts = accumulate(wanted, initial=table.ids_at + sum(table.id_sizes[:first]))
    return tuple([payload[at : at + size].decode() for at, size in zip(starts, wanted, strict=False)])


def _tags(payload: bytes, table: _Table) -> tuple[str, ...] | str:
    end = table.shared_at - _SHARED_SIZE.size if table.flags & _IN_COLUMNS else table.messages_at
    raw = payload[table.tags_at : end]
    tags = json.loads(raw) if raw else ""
    return tags if isinstance(tags, str) else tuple(tags)


def _shared(payload: bytes, table: _Table) -> bytes | None:
    return payload[table.shared_at : table.messages_at] if table.flags & _IN_COLUMNS else None


def decode_batch(payload: bytes) -> AppendMessages:
    """The batch of a record's payload. Raises: FormatError."""
    table = _table(payload)
    size = table.messages_at + sum(table.sizes)
    if size != len(payload):
        raise FormatError(f"a batch of {len(payload)} bytes says that it has {size}")
    starts = accumulate(table.sizes, initial=table.messages_at)
    messages = tuple([payload[at : at + size] for at, size in zip(starts, table.sizes, strict=False)])
    return AppendMessages(
        table.log_ms, table.wall_ms, table.topic, table.queue_id, table.message_kind, table.due_ms, _ids(payload, table),
        _tags(payload, table), messages, _shared(payload, table),
    )  # fmt: skip


def decode_to_apply(payload: bytes) -> AppendMessages:
    """The batch without its messages: applying never looks at them. Raises: FormatError."""
    table = _table(payload)
    return AppendMessages(
        table.log_ms, table.wall_ms, table.topic, table.queue_id, table.message_kind, table.due_ms, _ids(payload, table),
        _tags(payload, table), (), None,
    )  # fmt: skip


def decode_ids(payload: bytes) -> tuple[str, tuple[str, ...]]:
    """(topic, message ids) of a stored batch. Decodes nothing else. Raises: FormatError."""
    table = _table(payload)
    return table.topic, _ids(payload, table)


def decode_tags(payload: bytes) -> tuple[str, ...] | str:
    """The tags of a stored batch: one each ("" for none), or a single string that all share. Raises: FormatError."""
    return _tags(payload, _table(payload))


class BatchReader:
    """Messages of one stored batch, one at a time; nothing else is decoded. Raises: FormatError."""

    __slots__ = ("_payload", "_shared", "_starts", "_table")

    def __init__(self, payload: bytes) -> None:
        self._payload, self._table = payload, _table(payload)
        self._shared = _shared(payload, self._table)
        self._starts = list(accumulate(self._table.sizes, initial=self._table.messages_at))

    def message(self, number: int) -> StoredMessage:
        """The message of this number, from 0."""
        table = self._table
        stored = self._payload[self._starts[number] : self._starts[number + 1]]
        (message_id,) = _ids(self._payload, table, number, 1)
        if self._shared is not None:
            stored = whole_message(self._shared, message_id, stored)
        return StoredMessage(stored, table.topic, message_id, table.wall_ms, table.message_kind)


def delivery_slice(payload: bytes, number: int) -> StoredMessage:
    """One message of a stored batch. Raises: FormatError."""
    return BatchReader(payload).message(number)


def batch_slice(payload: bytes, first: int, count: int) -> BatchPart:
    """Messages number `first` to `first + count - 1` of a stored batch, as they lie there. Raises: FormatError."""
    table = _table(payload)
    at = table.messages_at + sum(table.sizes[:first])
    wanted = table.sizes[first : first + count]
    shared = _shared(payload, table)
    ids = () if shared is None else _ids(payload, table, first, count)
    return BatchPart(payload[at : at + sum(wanted)], wanted.tolist(), table.wall_ms, shared, ids)
