"""Frames of many messages at the edge: what is taken, and what is refused by field and limit."""

from typing import Any

import pytest

from mq.client.encoding import MessageEncoder
from mq.core.errors import Code, RefusedError
from mq.core.limits import BATCH_MESSAGES_MAX, BODY_BYTES_MAX, BODY_FRAME_BYTES_MAX
from mq.core.message import MessageKind
from mq.proto import broker_v1_pb2 as pb
from mq.proto import rocketmq_v2_pb2 as v2
from mq.rpc.validate_batch import BatchChecker

SHARED = MessageEncoder(tag="T", properties={"a": "b"}).encode_shared(born_ms=1)
NOW_MS = 1_700_000_000_000


def columns(**changed: Any) -> pb.BatchSend:
    return pb.BatchSend(**{"topic": "t", "queue_id": -1, "shared": SHARED, "ids": ["a", "b"], "bodies": [b"1", b"2"], **changed})


def whole(*messages: bytes) -> pb.BatchSend:
    return pb.BatchSend(topic="t", queue_id=2, messages=messages)


def test_columns_are_taken_as_they_are() -> None:
    batch = BatchChecker().check(columns(), NOW_MS)
    assert (batch.topic, batch.queue_id, batch.kind, batch.ids) == ("t", -1, MessageKind.NORMAL, ("a", "b"))
    assert (batch.tags, batch.messages, batch.shared, batch.message_group) == ("T", (b"1", b"2"), SHARED, "")


def test_whole_messages_are_taken_as_they_are() -> None:
    one, two = MessageEncoder(tag="T").encode("a", b"1", born_ms=1), MessageEncoder().encode("b", b"2", born_ms=1)
    batch = BatchChecker().check(whole(one, two), NOW_MS)
    assert (batch.ids, batch.tags, batch.messages, batch.shared) == (("a", "b"), ("T", ""), (one, two), None)


def test_what_is_shared_is_checked_again_when_it_changes() -> None:
    checker = BatchChecker()
    checker.check(columns(), NOW_MS)
    with pytest.raises(RefusedError, match="tag"):
        checker.check(columns(shared=MessageEncoder(tag="a|b").encode_shared(born_ms=1)), NOW_MS)
    assert checker.check(columns(), NOW_MS).tags == "T"


def test_an_ordered_frame_is_of_one_message_group() -> None:
    ordered = MessageEncoder(kind=MessageKind.FIFO, message_group="g")
    batch = BatchChecker().check(columns(shared=ordered.encode_shared(born_ms=1)), NOW_MS)
    assert (batch.kind, batch.message_group) == (MessageKind.FIFO, "g")
    other = MessageEncoder(kind=MessageKind.FIFO, message_group="h")
    with pytest.raises(RefusedError, match="one type and message group"):
        BatchChecker().check(whole(ordered.encode("a", b"1", born_ms=1), other.encode("b", b"2", born_ms=1)), NOW_MS)


GOOD, EMPTY = MessageEncoder().encode("a", b"1", born_ms=1), MessageEncoder().encode("b", b"", born_ms=1)
DELAYED = MessageEncoder(delivery_ms=NOW_MS).encode_shared(born_ms=1)
WITH_BODY, WITH_TOPIC = v2.Message(body=b"x").SerializeToString(), v2.Message(topic=v2.Resource(name="u")).SerializeToString()
LARGE = bytes(BODY_BYTES_MAX)
REFUSED = {
    "nothing": (columns(ids=[], bodies=[]), Code.MESSAGE_CORRUPTED, f"1 to {BATCH_MESSAGES_MAX}"),
    "too many": (columns(ids=["x"] * 4097, bodies=[b"x"] * 4097), Code.MESSAGE_CORRUPTED, "4097 in one frame"),
    "a body missing": (columns(bodies=[b"1"]), Code.MESSAGE_CORRUPTED, "bodies: 1 for 2 ids"),
    "an empty body": (columns(bodies=[b"1", b""]), Code.MESSAGE_BODY_EMPTY, r"bodies\[1\]"),
    "a body too large": (columns(bodies=[LARGE + b"x", b"1"]), Code.MESSAGE_BODY_TOO_LARGE, r"bodies\[0\]"),
    "a frame too large": (
        columns(ids=["a", "b", "c"], bodies=[LARGE] * 3),
        Code.PAYLOAD_TOO_LARGE,
        f"at most {BODY_FRAME_BYTES_MAX}",
    ),
    "a blank id": (columns(ids=["a", " "]), Code.ILLEGAL_MESSAGE_ID, "ids: one is empty"),
    "an empty id": (columns(ids=["a", ""]), Code.ILLEGAL_MESSAGE_ID, "ids: one is empty"),
    "an id too long": (columns(ids=["a", "é" * 128]), Code.ILLEGAL_MESSAGE_ID, "256 bytes in UTF-8, at most 255"),
    "no message": (columns(shared=b"\xff"), Code.BAD_REQUEST, "not a serialized Message"),
    "a shared body": (columns(shared=WITH_BODY), Code.MESSAGE_CORRUPTED, "shared: "),
    "a shared topic": (columns(shared=WITH_TOPIC), Code.MESSAGE_CORRUPTED, "shared: "),
    "a delay": (columns(shared=DELAYED), Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, "NORMAL or FIFO"),
    "both ways": (columns(messages=[b"x"]), Code.MESSAGE_CORRUPTED, "no shared, ids and bodies"),
    "a bad topic": (columns(topic="a b"), Code.ILLEGAL_TOPIC, "topic"),
    "no whole message": (whole(b"\xff"), Code.BAD_REQUEST, r"messages\[0\]: not a serialized Message"),
    "a whole one without body": (whole(GOOD, EMPTY), Code.MESSAGE_BODY_EMPTY, r"messages\[1\]"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_wrong_is_refused_by_its_field(what: str) -> None:
    frame, code, text = REFUSED[what]
    with pytest.raises(RefusedError, match=text) as refusal:
        BatchChecker().check(frame, NOW_MS)
    assert refusal.value.code == code
