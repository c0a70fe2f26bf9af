"""From requests to stored bytes, and from stored bytes to deliveries."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given
from hypothesis import strategies as st
from rocketmq.grpc_protocol import definition_pb2, service_pb2

from mq.core.errors import FormatError, IllegalArgumentError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.status import ok
from mq.rpc.wire import DeliveryFramer, encode_sent, parse, split_messages

UNKNOWN_FIELDS = [
    b"",
    b"\x98\x06\x07",
    b"\xa2\x06\x03abc",
    b"\xad\x06\x01\x02\x03\x04",
    b"\xa1\x06" + b"\x05" * 8,
    b"\xa3\x06\x08\x01\xa4\x06",
]

TEXT = st.text(max_size=8)
STAMPS = st.builds(
    lambda s, n: definition_pb2.SystemProperties(born_timestamp={"seconds": s, "nanos": n}).born_timestamp,
    st.integers(-(10**9), 10**10),
    st.integers(0, 999_999_999),
)


@st.composite
def official_messages(draw: st.DrawFn) -> Any:
    """A message as any client might send it, also with fields that are the broker's to fill."""
    system: dict[str, Any] = {
        "message_id": draw(TEXT),
        "keys": draw(st.lists(TEXT, max_size=3)),
        "queue_id": draw(st.integers(0, 5)),
        "body_encoding": draw(st.sampled_from([0, 1, 2, 9])),
        "message_type": draw(st.integers(0, 7)),
    }
    strays: dict[str, Any] = {
        "tag": draw(TEXT),
        "message_group": draw(TEXT),
        "receipt_handle": draw(TEXT),
        "store_host": draw(TEXT),
        "delivery_attempt": draw(st.integers(0, 9)),
        "queue_offset": draw(st.integers(-1, 9)),
        "store_timestamp": draw(STAMPS),
        "born_timestamp": draw(STAMPS),
        "delivery_timestamp": draw(STAMPS),
        "invisible_duration": definition_pb2.SystemProperties(invisible_duration={"seconds": 5, "nanos": 7}).invisible_duration,
        "dead_letter_queue": definition_pb2.DeadLetterQueue(topic="forged", message_id="forged"),
        "body_digest": definition_pb2.Digest(type=1, checksum="0000"),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(strays))))
    return definition_pb2.Message(
        topic=draw(
            st.sampled_from(
                [None, definition_pb2.Resource(name="sent-to"), definition_pb2.Resource(resource_namespace="n", name="")]
            )
        ),
        user_properties=draw(st.dictionaries(TEXT, TEXT, max_size=3)),
        system_properties=definition_pb2.SystemProperties(**system, **{name: strays[name] for name in chosen}),
        body=draw(st.binary(max_size=300)),
    )


def top_level(raw: bytes) -> list[int]:
    """The numbers of a serialized message's fields, as they stand."""
    return [field.field_number for field in UnknownFieldSet(Empty.FromString(raw))]  # type: ignore[attr-defined]


# --- splitting


@given(st.lists(official_messages(), max_size=5), st.sampled_from(UNKNOWN_FIELDS), st.sampled_from(UNKNOWN_FIELDS))
def test_messages_are_cut_out_exactly_as_they_arrived(messages: list[Any], before: bytes, after: bytes) -> None:
    raw = before + service_pb2.SendMessageRequest(messages=messages).SerializeToString() + after
    slices = split_messages(raw)
    assert [definition_pb2.Message.FromString(each) for each in slices] == messages
    assert list(pb.SendMessageRequest.FromString(raw).messages) == [pb.Message.FromString(each) for each in slices]
    assert sum(map(len, slices)) <= len(raw)
    assert all(each in raw for each in slices)


def test_unknown_fields_inside_a_message_stay_in_its_bytes() -> None:
    inner = pb.Message(body=b"x").SerializeToString() + b"\x98\x06\x07"
    assert split_messages(b"\x0a" + bytes([len(inner)]) + inner) == [inner]


def outcome(read: Callable[[bytes], Any], raw: bytes) -> Any:
    """What comes of reading these bytes, None if they are refused."""
    try:
        return read(raw)
    except (DecodeError, IllegalArgumentError):
        return None


@given(
    st.lists(st.sampled_from([b"\x0a", b"\x00", b"\x22\x01x", b"\x1a\x02\x0a\x00", b"\xff"]) | st.binary(max_size=6), max_size=8)
)
def test_any_bytes_are_split_as_the_generated_code_reads_them(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    request = outcome(pb.SendMessageRequest.FromString, raw)
    slices = outcome(split_messages, raw)
    if request is not None:
        assert slices is not None
        assert [pb.Message.FromString(each) for each in slices] == list(request.messages)
    elif slices is not None:  # the frame is whole, so one of the messages is not
        assert None in [outcome(pb.Message.FromString, each) for each in slices]


@given(official_messages(), st.integers(1, 40))
def test_a_truncated_request_is_refused(message: Any, cut: int) -> None:
    raw = service_pb2.SendMessageRequest(messages=[message]).SerializeToString()
    if cut >= len(raw):
        return
    with pytest.raises(IllegalArgumentError, match="SendMessageView"):
        split_messages(raw[:-cut])


def test_bytes_that_are_no_message_are_refused_by_name() -> None:
    with pytest.raises(IllegalArgumentError, match="AckMessageRequest"):
        parse(pb.AckMessageRequest, b"\xff\xff\xff")
    assert parse(pb.AckMessageRequest, b"") == pb.AckMessageRequest()


# --- delivering


def delivered(stored: bytes, *, invisible_ms: int | None = 60_000, **delivery: Any) -> Any:
    """What the official client reads from the answer."""
    framer = DeliveryFramer("orders", "127.0.0.1:8081", invisible_ms)
    delivery = {"kind": 1, "store_ms": 1_790_000_000_123, "queue_id": 0, "offset": 12345, "attempt": 2, "handle": "h", **delivery}
    raw = framer.response(stored, **delivery)
    response = service_pb2.ReceiveMessageResponse.FromString(raw)
    assert response.WhichOneof("content") == "message"
    assert service_pb2.PullMessageResponse.FromString(raw).message == response.message
    return response.message


@given(
    official_messages(),
    st.integers(0, 7),
    st.integers(0, 2**40),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(1, 99),
    TEXT,
)
def test_the_broker_has_the_last_word_and_the_sender_keeps_the_rest(
    sent: Any, kind: int, store_ms: int, queue_id: int, offset: int, attempt: int, handle: str
) -> None:
    message = delivered(
        sent.SerializeToString(), kind=kind, store_ms=store_ms, queue_id=queue_id, offset=offset, attempt=attempt, handle=handle
    )
    wanted = definition_pb2.Message()
    wanted.CopyFrom(sent)
    wanted.topic.name = "orders"
    system = wanted.system_properties
    system.body_digest.CopyFrom(definition_pb2.Digest(type=2, checksum=hashlib.md5(sent.body).hexdigest().upper()))
    system.body_encoding = system.body_encoding if system.body_encoding in (1, 2) else 1
    system.message_type, system.store_host = kind, "127.0.0.1:8081"
    system.store_timestamp.seconds, system.store_timestamp.nanos = divmod(store_ms * 1_000_000, 10**9)
    system.queue_id, system.queue_offset, system.delivery_attempt = queue_id, offset, attempt
    system.invisible_duration.seconds, system.invisible_duration.nanos = 60, 0
    system.ClearField("dead_letter_queue")
    system.ClearField("receipt_handle")
    if handle:
        system.receipt_handle = handle
    assert message == wanted


@given(official_messages())
def test_no_field_stands_twice_because_the_node_client_does_not_merge(sent: Any) -> None:
    framer = DeliveryFramer("orders", "h:1", 60_000)
    raw = framer.response(sent.SerializeToString(), kind=1, store_ms=1, queue_id=1, offset=1, attempt=1, handle="h")
    message = pb.ReceiveMessageResponse.FromString(raw).message
    for part, repeated in ((message, {2}), (message.system_properties, {2})):
        numbers = [number for number in top_level(part.SerializeToString()) if number not in repeated]
        assert len(numbers) == len(set(numbers))
    assert raw.count(b"\x52\x03h:1") == 1


def test_stored_halves_of_system_properties_are_merged() -> None:
    first = pb.Message(system_properties=pb.SystemProperties(message_id="id", tag="t"), body=b"old")
    second = pb.Message(system_properties=pb.SystemProperties(keys=["k"]), body=b"new")
    message = delivered(first.SerializeToString() + second.SerializeToString())
    assert (message.system_properties.message_id, message.system_properties.tag, list(message.system_properties.keys)) == (
        "id",
        "t",
        ["k"],
    )
    assert message.body == b"new"
    assert message.system_properties.body_digest.checksum == hashlib.md5(b"new").hexdigest().upper()


def test_queue_zero_wins_over_the_senders_queue() -> None:
    sent = pb.Message(system_properties=pb.SystemProperties(queue_id=3), body=b"x")
    assert delivered(sent.SerializeToString(), queue_id=0).system_properties.queue_id == 0


def test_the_digest_is_upper_case_md5_of_the_bytes_as_stored() -> None:
    sent = pb.Message(system_properties=pb.SystemProperties(body_encoding=pb.GZIP), body=b"\x1f\x8b zipped")
    system = delivered(sent.SerializeToString()).system_properties
    assert (system.body_digest.type, system.body_digest.checksum) == (2, hashlib.md5(b"\x1f\x8b zipped").hexdigest().upper())
    assert system.body_encoding == 2


def test_a_dead_letter_names_its_origin() -> None:
    sent = pb.Message(body=b"x").SerializeToString()
    origin = delivered(sent, origin=("orders", "id-7")).system_properties.dead_letter_queue
    assert (origin.topic, origin.message_id) == ("orders", "id-7")
    assert not delivered(sent).system_properties.HasField("dead_letter_queue")


def test_a_pulled_message_has_neither_handle_nor_invisible_duration() -> None:
    sent = pb.Message(body=b"x", system_properties=pb.SystemProperties(receipt_handle="forged"))
    sent.system_properties.invisible_duration.seconds = 5
    system = delivered(sent.SerializeToString(), invisible_ms=None, handle="").system_properties
    assert not system.HasField("receipt_handle")
    assert not system.HasField("invisible_duration")


@pytest.mark.parametrize(
    ("ms", "seconds", "nanos"), [(1, 0, 1_000_000), (60_000, 60, 0), (10_001, 10, 1_000_000), (43_200_000, 43_200, 0)]
)
def test_the_invisible_duration_is_exact(ms: int, seconds: int, nanos: int) -> None:
    duration = delivered(pb.Message(body=b"x").SerializeToString(), invisible_ms=ms).system_properties.invisible_duration
    assert (duration.seconds, duration.nanos) == (seconds, nanos)


def test_fields_that_we_do_not_know_are_handed_on() -> None:
    stored = pb.Message(body=b"x").SerializeToString() + b"\x98\x06\x07"
    raw = DeliveryFramer("orders", "h:1").response(stored, kind=1, store_ms=1, queue_id=0, offset=0)
    assert top_level(pb.ReceiveMessageResponse.FromString(raw).message.SerializeToString()).count(99) == 1


def test_stored_bytes_that_are_no_message_are_reported_with_their_place() -> None:
    with pytest.raises(FormatError, match="queue 3, offset 12345"):
        delivered(b"\xff\xff\xff", queue_id=3)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=200), st.integers(0, 1 << 62)), min_size=1, max_size=4))
def test_the_answer_to_a_send_is_what_protobuf_writes(entries: list[tuple[str, int]]) -> None:
    expected = pb.SendMessageResponse(status=ok())
    for message_id, offset in entries:
        expected.entries.add(message_id=message_id, transaction_id=message_id, offset=offset).status.code = pb.OK
    assert encode_sent(entries) == expected.SerializeToString()


@given(st.lists(st.binary(max_size=300), max_size=3), st.booleans())
def test_requests_are_split_into_the_bytes_that_arrived(bodies: list[bytes], has_more: bool) -> None:
    messages = [pb.Message(body=body, system_properties=pb.SystemProperties(message_id="i")) for body in bodies]
    raw = pb.SendMessageRequest(messages=messages).SerializeToString() + (b"\x78\x01" if has_more else b"")
    assert split_messages(raw) == [message.SerializeToString() for message in messages]
