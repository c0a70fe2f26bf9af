"""Requests that no well-behaved client would send: for every RPC, from one seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from mq.broker.delivery.receipt import ReceiptHandle
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.methods import BROKER, MESSAGING, Cardinality, Method

__all__ = ["GROUPS", "TOPICS", "Fuzzed", "fuzzed_requests"]

TOPICS, GROUPS = ("orders", "fifo-orders", "late-orders", "half-orders"), ("kitchen", "counter")
_TEXTS = (
    *TOPICS, *TOPICS, *GROUPS, *GROUPS, "*", "a || b", "TAGS = 'a'", "", " ", "\t", "\0", "%DLQ%kitchen", "%RETRY%kitchen",
    "TBW102", "CID_RMQ_SYS_X", "ümläut-☃", "a" * 128, "b" * 300, "../../etc/passwd", "a\nb", "'; --", "{}", "-1", "0",
)  # fmt: skip
_NUMBERS = (0, 0, 1, 1, 2, 3, 4, 5, 32, 33, 127, 1000, 1024, 1025, 10_000, 2**31 - 1, 2**53, 2**63 - 1, -1, -(2**31), -(2**63))
_ANY_METHOD = (*MESSAGING.values(), *BROKER.values())
_WHOLE_NUMBERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_DEPTH_MAX = 5


@dataclass(frozen=True)
class Fuzzed:
    """One call. frames: one, or several for an RPC that streams both ways. how: what was done to it."""

    method: Method
    frames: tuple[bytes, ...]
    metadata: tuple[tuple[str, str | bytes], ...]
    how: str

    @property
    def may_never_end(self) -> bool:
        """Whether it asks for a stream that goes on for ever."""
        try:
            return bool(getattr(self.method.request.FromString(self.frames[0]), "follow", False))
        except Exception:  # noqa: BLE001 - not even a request
            return False


def fuzzed_requests(seed: int, count: int) -> list[Fuzzed]:
    """`count` calls, each RPC as often as the others."""
    rng = random.Random(seed)
    methods = [_ANY_METHOD[number % len(_ANY_METHOD)] for number in range(count)]
    rng.shuffle(methods)
    return [_one(rng, method) for method in methods]


def _one(rng: random.Random, method: Method) -> Fuzzed:
    how, make = rng.choices(_WAYS, weights=[weight for _, _, weight in _WAYS])[0][:2]
    many = method.cardinality is Cardinality.BOTH_STREAMS
    frames = tuple(make(rng, method) for _ in range(rng.randrange(1, 4) if many else 1))
    return Fuzzed(method, frames, _metadata(rng), how)


def _metadata(rng: random.Random) -> tuple[tuple[str, str | bytes], ...]:
    if rng.random() < 0.1:
        return ()
    client_id = rng.choice(("", "  ", "x" * 300, "a b", *(f"client-{number}" for number in range(16))))
    found: list[tuple[str, str | bytes]] = [("x-mq-client-id", client_id), ("x-mq-language", rng.choice(_LANGUAGES))]
    if rng.random() < 0.2:
        found += [
            ("x-mq-client-id-bin", rng.randbytes(8)),
            ("authorization", "MQv2-HMAC-SHA1 Credential=/, ="),
            ("x-mq-date-time", "?"),
        ]
    if rng.random() < 0.2:
        found += [("x-mq-client-version", rng.choice(("", "5.0.2", "99.x", "v" * 500))), ("x-mq-namespace", "ns")]
    return tuple(found)


_HANDLES = (
    *(
        ReceiptHandle(stamp, deadline_ms, queue_id, offset, 1, "kitchen", "orders").to_text()
        for stamp in (1, 2**62)
        for deadline_ms in (0, 2**62)
        for queue_id, offset in ((0, 0), (3, 1), (-1, -1), (9999, 10**19 - 1))
    ),
    "3 1795456208217 10000 7 0 broker-a 0 3 25244866",
    "",
    "x" * 5000,
)
_LANGUAGES = ("PYTHON", "JAVA", "HTTP", "RUST", "", "KLINGON")


# --- messages filled at random


def _fill(rng: random.Random, message: Message, depth: int = 0) -> Message:
    """Set fields at random, by their types, with values at and beyond their limits."""
    for field in message.DESCRIPTOR.fields:
        if rng.random() < (0.75 if depth < _DEPTH_MAX else 0.1):
            is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
            if is_map:
                for _ in range(rng.choice((1, 2, 129))):
                    getattr(message, field.name)[_text(rng)] = _text(rng)
            elif field.is_repeated:
                for _ in range(rng.choice((0, 1, 1, 2, 5))):
                    _add(rng, getattr(message, field.name), field, depth)
            elif field.message_type is not None:
                found = getattr(message, field.name)
                found.SetInParent()
                _fill(rng, found, depth + 1)
            else:
                setattr(message, field.name, _scalar(rng, field))
    return message


def _add(rng: random.Random, values: Any, field: Any, depth: int) -> None:
    if field.message_type is not None:
        _fill(rng, values.add(), depth + 1)
    elif field.name == "messages":  # a batch of serialized ones
        values.append(_likely(rng, pb.Message).SerializeToString())
    else:
        values.append(_scalar(rng, field))


def _text(rng: random.Random) -> str:
    return rng.choice(_TEXTS) if rng.random() < 0.9 else "".join(chr(rng.randrange(1, 0xD7FF)) for _ in range(rng.randrange(200)))


def _scalar(rng: random.Random, field: Any) -> Any:
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return _text(rng)
        case FieldDescriptor.TYPE_BYTES:
            return rng.randbytes(rng.choice((0, 1, 100, 5000)))
        case FieldDescriptor.TYPE_BOOL:
            return rng.random() < 0.5
        case FieldDescriptor.TYPE_ENUM:
            return rng.choice((0, 1, 2, 3, 4, 5, 99, -1, 2**31 - 1))
        case FieldDescriptor.TYPE_FLOAT | FieldDescriptor.TYPE_DOUBLE:
            return rng.choice((0.0, -1.0, float("nan"), float("inf")))
    low, high = _WHOLE_NUMBERS[field.type]
    return min(max(rng.choice(_NUMBERS), low), high)


def _likely(rng: random.Random, kind: type[Message]) -> Message:
    """Filled at random, but with names that exist and a message that may be stored: it gets far."""
    message = _fill(rng, kind())
    _make_likely(rng, message)
    return message


def _make_likely(rng: random.Random, message: Any) -> None:
    name = message.DESCRIPTOR.name
    _name_what_exists(rng, message, name)
    if name in _LIKELY:
        _LIKELY[name](rng, message)
    for field, value in message.ListFields():
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if field.message_type is not None and not is_map:
            for each in value if field.is_repeated else (value,):
                _make_likely(rng, each)


def _name_what_exists(rng: random.Random, message: Any, kind: str) -> None:
    for text in ("topic", "group", "name"):
        field = message.DESCRIPTOR.fields_by_name.get(text)
        if field is not None and field.type == FieldDescriptor.TYPE_STRING:
            setattr(message, text, rng.choice(GROUPS if "Group" in kind or text == "group" else (*TOPICS, "spare")))
    if hasattr(message, "receipt_handle"):
        message.receipt_handle = rng.choice(_HANDLES)


def _likely_resource(rng: random.Random, message: Any) -> None:
    message.Clear()
    message.name = rng.choice((*TOPICS, *GROUPS))


def _likely_system_properties(rng: random.Random, message: Any) -> None:
    kind = rng.randrange(0, 5)
    message.Clear()
    message.message_id, message.message_type = f"id-{rng.randrange(10**9)}", kind
    if kind == pb.FIFO:
        message.message_group = _text(rng)
    elif kind == pb.DELAY:
        message.delivery_timestamp.seconds = rng.choice((0, 1, -1, 2**33, 253402300799, 253402300800))


def _likely_message(rng: random.Random, message: Any) -> None:
    message.body = rng.randbytes(rng.choice((1, 10, 1000)))
    message.user_properties.clear()


def _likely_duration(rng: random.Random, message: Any) -> None:
    message.seconds, message.nanos = rng.choice((0, 1, 10, 43_200)), rng.choice((0, 0, 1, -1, 999_999_999))


def _likely_deletion(_rng: random.Random, message: Any) -> None:
    message.name = "spare"  # the others are needed for what follows


def _likely_batch(rng: random.Random, message: Any) -> None:
    message.queue_id = rng.choice((-1, 0, 3, 4))


_LIKELY: dict[str, Callable[[random.Random, Any], None]] = {
    "Resource": _likely_resource,
    "SystemProperties": _likely_system_properties,
    "Message": _likely_message,
    "Duration": _likely_duration,
    "DeleteTopicRequest": _likely_deletion,
    "DeleteGroupRequest": _likely_deletion,
    "BatchSend": _likely_batch,
}


# --- ways to make a request


def _random_bytes(rng: random.Random, _method: Method) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 2, 10, 100, 2000)))


def _filled(rng: random.Random, method: Method) -> bytes:
    return _fill(rng, method.request()).SerializeToString()


def _plausible(rng: random.Random, method: Method) -> bytes:
    return _likely(rng, method.request).SerializeToString()


def _of_another_rpc(rng: random.Random, _method: Method) -> bytes:
    return _plausible(rng, rng.choice(_ANY_METHOD))


def _truncated(rng: random.Random, method: Method) -> bytes:
    data = _plausible(rng, method)
    return data[: rng.randrange(len(data) + 1)]


def _mutated(rng: random.Random, method: Method) -> bytes:
    data = bytearray(_plausible(rng, method))
    for _ in range(rng.randrange(1, 8)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(3):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at:at] = rng.randbytes(rng.randrange(1, 5))
            case _:
                del data[at : at + rng.randrange(1, 5)]
    return bytes(data)


def _unknown_fields(rng: random.Random, method: Method) -> bytes:
    unknown = b"\xfa\x7f\x05extra" + b"\xf8\x7f\x01"  # field 2047 as bytes, as a number
    return _plausible(rng, method) + unknown * rng.choice((1, 100))


def _huge(rng: random.Random, method: Method) -> bytes:
    request: Any = _likely(rng, method.request)
    size = rng.choice((1 << 17, 1 << 20, 5 << 20))
    if method.name == "SendMessage":
        message = request.messages.add()
        message.topic.name, message.system_properties.message_id = TOPICS[0], f"id-{rng.randrange(10**9)}"
        message.body = bytes(size)
        return bytes(request.SerializeToString())
    if method.name == "AckMessage":
        for _ in range(size >> 9):
            request.entries.add(message_id="m", receipt_handle=_text(rng))
        return bytes(request.SerializeToString())
    # One string field far too long, wherever the first one is; or, without any, a lot of unknown bytes.
    return bytes(request.SerializeToString()) + b"\x0a" + _varint(size) + b"a" * size


def _nested(rng: random.Random, _method: Method) -> bytes:
    data = b""
    for _ in range(rng.choice((50, 110, 500))):
        data = bytes([rng.choice((0x0A, 0x12, 0x1A))]) + _varint(len(data)) + data
    return data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


_WAYS: tuple[tuple[str, Callable[[random.Random, Method], bytes], int], ...] = (
    ("random bytes", _random_bytes, 10),
    ("fields at random", _filled, 20),
    ("plausible", _plausible, 25),
    ("of another RPC", _of_another_rpc, 10),
    ("truncated", _truncated, 10),
    ("mutated", _mutated, 20),
    ("unknown fields", _unknown_fields, 5),
    ("huge", _huge, 1),
    ("deeply nested", _nested, 3),
)
