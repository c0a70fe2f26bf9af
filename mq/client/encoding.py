"""Messages as bytes, without protobuf: what a batch shares is encoded once, each message adds its id and body.

A serialized `Message` (`mq/proto/rocketmq_v2.proto`) is here the pieces

    user properties | system properties: tag, keys, message id, encoding, type, born time, born host, ... | body

in the order of their field numbers, as protobuf itself would write them. Source: protobuf.dev, Encoding.
"""

from collections.abc import Mapping, Sequence

from mq.core.encoding import encode_field, encode_varint
from mq.core.errors import IllegalArgumentError
from mq.core.message import MessageKind

__all__ = ["MessageEncoder"]

_TAG, _KEYS, _MESSAGE_ID = b"\x0a", b"\x12", b"\x1a"
_IDENTITY_ENCODING, _GZIP_ENCODING = b"\x28\x01", b"\x28\x02"
_MESSAGE_TYPE, _BORN_TIMESTAMP, _BORN_HOST, _DELIVERY_TIMESTAMP, _MESSAGE_GROUP = b"\x30", b"\x3a", b"\x42", b"\x5a", b"\x8a\x01"
_USER_PROPERTY, _SYSTEM_PROPERTIES, _BODY = b"\x12", b"\x1a", b"\x22"


def _timestamp(time_ms: int) -> bytes:
    """A google.protobuf.Timestamp; a part that is 0 is left out."""
    seconds, ms = divmod(time_ms, 1000)
    return (b"\x08" + encode_varint(seconds) if seconds else b"") + (b"\x10" + encode_varint(ms * 1_000_000) if ms else b"")


class MessageEncoder:
    """Encodes messages that have the same tag, properties and kind, without their topic.

    tag, message_group: "" for none. delivery_ms: Unix time, only of delayed messages. is_gzip: bodies are given compressed.
    Raises: IllegalArgumentError.
    """

    def __init__(  # noqa: PLR0913 - by keyword, each a field of the message
        self,
        *,
        kind: MessageKind = MessageKind.NORMAL,
        tag: str = "",
        properties: Mapping[str, str] | None = None,
        born_host: str = "",
        message_group: str = "",
        delivery_ms: int | None = None,
        is_gzip: bool = False,
    ) -> None:
        if delivery_ms is not None and delivery_ms < 0:
            raise IllegalArgumentError(f"delivery_ms: {delivery_ms} is before 1970")
        entries = (properties or {}).items()
        self._user = b"".join(
            encode_field(_USER_PROPERTY, encode_field(b"\x0a", k.encode()) + encode_field(b"\x12", v.encode()))
            for k, v in entries
        )
        self._tag = encode_field(_TAG, tag.encode()) if tag else b""
        self._type = (_GZIP_ENCODING if is_gzip else _IDENTITY_ENCODING) + _MESSAGE_TYPE + encode_varint(kind)
        self._rest = encode_field(_BORN_HOST, born_host.encode()) if born_host else b""
        if delivery_ms is not None:
            self._rest += encode_field(_DELIVERY_TIMESTAMP, _timestamp(delivery_ms))
        if message_group:
            self._rest += encode_field(_MESSAGE_GROUP, message_group.encode())

    def encode(self, message_id: str, body: bytes, *, born_ms: int, keys: Sequence[str] = ()) -> bytes:
        """One message. born_ms: Unix time at which it was made."""
        key_fields = b"".join(encode_field(_KEYS, key.encode()) for key in keys)
        system = self._tag + key_fields + encode_field(_MESSAGE_ID, message_id.encode()) + self._tail(born_ms)
        return self._user + encode_field(_SYSTEM_PROPERTIES, system) + encode_field(_BODY, body)

    def encode_shared(self, *, born_ms: int, keys: Sequence[str] = ()) -> bytes:
        """All but the id and the body of a message: what many have in common. born_ms: Unix time at which they were made."""
        key_fields = b"".join(encode_field(_KEYS, key.encode()) for key in keys)
        return self._user + encode_field(_SYSTEM_PROPERTIES, self._tag + key_fields + self._tail(born_ms))

    def encode_batch(self, ids: Sequence[str], bodies: Sequence[bytes], *, born_ms: int) -> list[bytes]:
        """Many messages without keys, all made at the same time.

        ids: one for each body, all of one length. Raises: IllegalArgumentError.
        """
        if len(ids) != len(bodies):
            raise IllegalArgumentError(f"ids: {len(ids)} for {len(bodies)} bodies")
        if not ids:
            return []
        encoded_ids = [message_id.encode() for message_id in ids]
        sizes = {len(one) for one in encoded_ids}
        if len(sizes) > 1:
            raise IllegalArgumentError("ids: those of a batch must all have the same length")
        head, tail = self._frame(sizes.pop(), born_ms)
        body_sizes = {len(body) for body in bodies}
        if len(body_sizes) == 1:
            tail += encode_varint(body_sizes.pop())
            return [head + one + tail + body for one, body in zip(encoded_ids, bodies, strict=True)]
        tails = {size: tail + encode_varint(size) for size in body_sizes}
        return [head + one + tails[len(body)] + body for one, body in zip(encoded_ids, bodies, strict=True)]

    def _frame(self, id_bytes: int, born_ms: int) -> tuple[bytes, bytes]:
        """What stands before an id of this size, and what between it and the body's size."""
        before = self._tag + _MESSAGE_ID + encode_varint(id_bytes)
        after = self._tail(born_ms)
        return self._user + _SYSTEM_PROPERTIES + encode_varint(len(before) + id_bytes + len(after)) + before, after + _BODY

    def _tail(self, born_ms: int) -> bytes:
        return self._type + encode_field(_BORN_TIMESTAMP, _timestamp(born_ms)) + self._rest
