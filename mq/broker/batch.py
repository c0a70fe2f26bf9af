"""A batch: 1..N messages of one queue, stored as the bytes that arrived.

One record of the commit log holds one batch. Bodies are never re-encoded; what the broker needs to know of
a message without looking into it (id, tag, size) stands in a table before them. Layout, little-endian:

    kind u8 = 1, version u8 = 1, message kind u8, flags u8, queue id u32, log_ms u64, wall_ms u64, due_ms u64,
    topic bytes u16, messages u16, tag table bytes u32
    topic | sizes u32 * N | id sizes u16 * N | ids | tags (JSON) | messages end to end

The tag table is empty when no message has a tag, one JSON string when all have the same, else an array.
"""

import json
from array import array
from dataclasses import dataclass
from itertools import accumulate
from struct import Struct
from struct import error as struct_error
from typing import ClassVar, NamedTuple

from mq.core.errors import FormatError

__all__ = ["AppendMessages", "StoredMessage", "batch_slice", "decode_batch", "decode_tags", "delivery_slice", "encode_batch"]

_HEAD = Struct("<BBBBIQQQHHI")
_VERSION = 1


@dataclass(frozen=True, slots=True)
class AppendMessages:
    """Store messages at the end of one queue.

    message_kind: one for all. due_ms: wall time at which delayed messages become visible, else 0.
    ids: one message id each. tags: one each ("" for none), or a single string that all share.
    messages: serialized messages, as they are handed to consumers.
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


def encode_batch(batch: AppendMessages) -> bytes:
    """The batch as a record's payload."""
    topic, tags = batch.topic.encode(), b"" if batch.tags == "" else json.dumps(batch.tags).encode()
    ids = [i.encode() for i in batch.ids]
    count = len(batch.messages)
    head = _HEAD.pack(
        AppendMessages.KIND, _VERSION, batch.message_kind, 0, batch.queue_id, batch.log_ms, batch.wall_ms, batch.due_ms,
        len(topic), count, len(tags),
    )  # fmt: skip
    return b"".join(
        (
            head,
            topic,
            array("I", map(len, batch.messages)).tobytes(),
            array("H", map(len, ids)).tobytes(),
            *ids,
            tags,
            *batch.messages,
        )
    )


def _table(payload: bytes) -> "tuple[tuple[int, ...], array[int], array[int], int]":
    """The head's fields, the sizes, the id sizes, and where the ids begin."""
    try:
        head = _HEAD.unpack_from(payload)
        count, at = head[9], _HEAD.size + head[8]
        sizes, id_sizes = array("I", payload[at : at + 4 * count]), array("H", payload[at + 4 * count : at + 6 * count])
    except (struct_error, ValueError) as error:
        raise FormatError(f"a batch is too short: {error}") from error
    if head[1] != _VERSION:
        raise FormatError(f"batch format version {head[1]} is not known to this program (it knows {_VERSION})")
    return head, sizes, id_sizes, at + 6 * count


def decode_batch(payload: bytes) -> AppendMessages:
    """The batch of a record's payload. Raises: FormatError."""
    head, sizes, id_sizes, at = _table(payload)
    topic = payload[_HEAD.size : _HEAD.size + head[8]].decode()
    id_starts = list(accumulate(id_sizes, initial=at))
    ids = tuple(payload[a : a + n].decode() for a, n in zip(id_starts, id_sizes, strict=False))
    at = id_starts[-1]
    raw_tags = payload[at : at + head[10]]
    tags = json.loads(raw_tags) if raw_tags else ""
    at += head[10]
    starts = accumulate(sizes, initial=at)
    messages = tuple(payload[a : a + n] for a, n in zip(starts, sizes, strict=False))
    if at + sum(sizes) != len(payload):
        raise FormatError(f"a batch of {len(payload)} bytes says that it has {at + sum(sizes)}")
    return AppendMessages(
        head[5], head[6], topic, head[4], head[2], head[7], ids, tags if isinstance(tags, str) else tuple(tags), messages
    )


def decode_tags(payload: bytes) -> tuple[str, ...] | str:
    """The tags of a stored batch: one each ("" for none), or a single string that all share."""
    head, _sizes, id_sizes, at = _table(payload)
    at += sum(id_sizes)
    tags = json.loads(payload[at : at + head[10]]) if head[10] else ""
    return tags if isinstance(tags, str) else tuple(tags)


def delivery_slice(payload: bytes, number: int) -> StoredMessage:
    """One message of a stored batch. Decodes nothing else."""
    head, sizes, id_sizes, at = _table(payload)
    id_at = at + sum(id_sizes[:number])
    at += sum(id_sizes) + head[10] + sum(sizes[:number])
    return StoredMessage(
        payload[at : at + sizes[number]],
        payload[_HEAD.size : _HEAD.size + head[8]].decode(),
        payload[id_at : id_at + id_sizes[number]].decode(),
        head[6],
        head[2],
    )


def batch_slice(payload: bytes, first: int, count: int) -> tuple[bytes, list[int], int]:
    """Messages number `first` to `first + count - 1` of a stored batch: their bytes end to end, the size of each, `wall_ms`."""
    head, sizes, id_sizes, at = _table(payload)
    at += sum(id_sizes) + head[10] + sum(sizes[:first])
    wanted = sizes[first : first + count]
    return payload[at : at + sum(wanted)], wanted.tolist(), head[6]
