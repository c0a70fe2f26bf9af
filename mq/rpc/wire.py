"""Between requests and stored bytes, and between stored bytes and deliveries.

A message is stored as the bytes that arrived. On delivery the broker adds what only it knows (place, receipt
handle, attempt, digest) to the message's `system_properties`, and overwrites whatever the sender may have put
there in its stead.

Why stored bytes and a small message laid end to end will not do, although the two ought to merge: the parser
of the official Node.js client keeps only the last of two `system_properties` and would lose message id, tag
and keys. Parsing and writing the message anew costs less than cutting it apart in Python besides.
"""

import hashlib
from collections.abc import Iterable
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message

from mq.core.encoding import encode_field, encode_varint
from mq.core.errors import FormatError, IllegalArgumentError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.proto import view_v1_pb2 as view
from mq.rpc.spans import span

__all__ = ["DeliveryFramer", "encode_sent", "parse", "split_messages"]

_ENCODINGS = (pb.IDENTITY, pb.GZIP)
_MESSAGES_KEY = 1 << 3 | 2
_SENT = pb.SendMessageResponse(status=pb.Status(code=pb.OK, message="OK")).SerializeToString()
_ENTRY = pb.SendResultEntry(status=pb.Status(code=pb.OK)).SerializeToString()
_M = TypeVar("_M", bound=Message)


def parse(message_class: type[_M], raw: bytes) -> _M:
    """The message that these bytes say. Raises: IllegalArgumentError when they are not such a message."""
    try:
        return message_class.FromString(raw)
    except DecodeError as error:
        raise IllegalArgumentError(f"not a serialized {message_class.DESCRIPTOR.name}: {error}") from error


def split_messages(raw: bytes) -> list[bytes]:
    """The messages of a serialized SendMessageRequest as the bytes that arrived, in order.

    Only the request itself is read, not its messages. Raises: IllegalArgumentError.
    """
    # Nearly every request is one message and nothing else: a key, its size, and the rest.
    if len(raw) > 3 and raw[0] == _MESSAGES_KEY:
        size, begin = (raw[1], 2) if raw[1] < 0x80 else (raw[1] & 0x7F | raw[2] << 7, 3)
        if (raw[1] < 0x80 or raw[2] < 0x80) and begin + size == len(raw):
            return [raw[begin:]]
    return parse(view.SendMessageView, raw).messages[:]


def encode_sent(entries: Iterable[tuple[str, int]]) -> bytes:
    """A SendMessageResponse that says that all is stored. entries: (message id, offset) of each message."""
    parts = [_SENT]
    for message_id, offset in entries:
        text = message_id.encode()
        entry = _ENTRY + encode_field(b"\x12", text) + encode_field(b"\x1a", text)
        parts.append(encode_field(b"\x12", entry + b"\x20" + encode_varint(offset) if offset else entry))
    return b"".join(parts)


class DeliveryFramer:
    """Makes delivered messages out of stored ones, for one call of ReceiveMessage or PullMessage.

    topic: written into each message, which may be stored without. store_host: "ip:port" of this broker.
    invisible_ms: for how long the messages are hidden, None when they are not.

    Of each message: kind is its MessageType, store_ms the Unix time at which it was stored, attempt counts from 1,
    handle is the receipt handle ("" for none), origin the topic and message id that a dead letter had before.
    """

    __slots__ = ("_hidden", "_store_host", "_topic")

    def __init__(self, topic: str, store_host: str, invisible_ms: int | None = None) -> None:
        self._topic, self._store_host = topic, store_host
        self._hidden: Duration | None = None
        if invisible_ms is not None:
            self._hidden = span(invisible_ms)

    def response(  # noqa: PLR0913 - one for each field that differs from message to message
        self,
        stored: bytes,
        *,
        kind: int,
        store_ms: int,
        queue_id: int,
        offset: int,
        attempt: int = 1,
        handle: str = "",
        origin: tuple[str, str] | None = None,
    ) -> bytes:
        """A serialized ReceiveMessageResponse with the message; a PullMessageResponse would be the same bytes.

        Raises: FormatError when the stored bytes are no message.
        """
        response = pb.ReceiveMessageResponse()
        system = self._begin(response.message, stored, queue_id, offset)
        stamp = system.store_timestamp
        stamp.seconds, stamp.nanos = store_ms // 1000, store_ms % 1000 * 1_000_000
        system.message_type = kind  # type: ignore[assignment]
        system.delivery_attempt = attempt
        _set_or_clear(system, handle, self._hidden, origin)
        return response.SerializeToString()

    def _begin(self, message: pb.Message, stored: bytes, queue_id: int, offset: int) -> pb.SystemProperties:
        """Read the stored message into an empty one; say where it is, and what its body should be."""
        try:
            message.MergeFromString(stored)
        except DecodeError as error:
            raise FormatError(f"the message stored at queue {queue_id}, offset {offset} cannot be read: {error}") from error
        message.topic.name = self._topic
        system, digest = message.system_properties, message.system_properties.body_digest
        digest.type = pb.MD5
        digest.checksum = hashlib.md5(message.body, usedforsecurity=False).hexdigest().upper()
        if system.body_encoding not in _ENCODINGS:
            system.body_encoding = pb.IDENTITY  # the Python client loses the whole batch over a 0
        system.store_host, system.queue_id, system.queue_offset = self._store_host, queue_id, offset
        return system


def _set_or_clear(system: pb.SystemProperties, handle: str, hidden: Duration | None, origin: tuple[str, str] | None) -> None:
    """The fields that not every delivery has: where we have nothing to say, nothing of the sender's stays."""
    if handle:
        system.receipt_handle = handle
    else:
        system.ClearField("receipt_handle")
    if hidden is not None:
        system.invisible_duration.CopyFrom(hidden)
    else:
        system.ClearField("invisible_duration")
    if origin is not None:
        system.dead_letter_queue.topic, system.dead_letter_queue.message_id = origin
    else:
        system.ClearField("dead_letter_queue")
