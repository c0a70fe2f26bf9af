"""What producers may send, and what becomes of it."""

import os
import time
from collections import Counter
from typing import Any

import pytest

from mq.core.message import MessageKind, Permission
from mq.proto import rocketmq_v2_pb2 as pb
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import NOTHING_NEW, OK, RawClient, md5_of


def test_case_8_normal_send(official: Official, raw: RawClient) -> None:
    official.producer("producer", topic=raw.topic)
    properties = {"colour": "red", "two": "zwei"}
    receipt = official.send("producer", topic=raw.topic, body="hello", tag="TagA", keys=["k1", "k2"], properties=properties)
    assert receipt["transaction_id"] == receipt["message_id"]
    assert receipt["offset"] == 0
    (message,) = raw.take(1, acks=True)
    system = message.system_properties
    assert (message.body, dict(message.user_properties)) == (b"hello", properties)
    assert (system.message_id, system.tag, sorted(system.keys)) == (receipt["message_id"], "TagA", ["k1", "k2"])
    assert system.message_type == pb.NORMAL
    official.shut_down("producer")


def test_case_9_body_sizes(raw: RawClient) -> None:
    assert raw.try_send(b"") == 41302
    assert raw.try_send(b"x" * ((4 << 20) + 1)) == 41301
    for size in (1, 4 << 20):
        raw.send(b"y" * size)
        assert len(raw.take(1, acks=True)[0].body) == size


def test_case_10_binary_and_unicode_bodies_are_byte_identical(raw: RawClient) -> None:
    bodies = {
        bytes(range(256)): pb.IDENTITY, b"\0\0\0": pb.IDENTITY, "中文 \U0001f600".encode(): pb.IDENTITY,
        os.urandom(1 << 20): pb.IDENTITY, b"\x1f\x8b not really gzip": pb.GZIP,
    }  # fmt: skip
    for body, encoding in bodies.items():
        raw.send(body, body_encoding=encoding, properties={"中": "\U0001f600"})
    got = raw.take(len(bodies), acks=True)
    assert {message.body: message.system_properties.body_encoding for message in got} == bodies
    for message in got:
        digest = message.system_properties.body_digest
        assert (digest.type, digest.checksum) == (pb.MD5, md5_of(message.body))
        assert dict(message.user_properties) == {"中": "\U0001f600"}


def test_a_body_without_an_encoding_is_taken_for_plain(raw: RawClient) -> None:
    raw.send(b"plain", body_encoding=0)
    assert raw.take(1)[0].system_properties.body_encoding == pb.IDENTITY


def test_case_11_tags(raw: RawClient) -> None:
    for code, tag in ((40004, "a|b"), (40004, " "), (40004, "a\x01b"), (43101, "t" * 16385)):
        assert (tag[:9], raw.try_send(tag=tag)) == (tag[:9], code)
    raw.send(tag="t" * 16384)
    assert len(raw.take(1)[0].system_properties.tag) == 16384


def test_case_12_keys(raw: RawClient) -> None:
    for keys in (["a", " "], ["a\x00"]):
        assert raw.try_send(keys=keys) == 40005
    raw.send(keys=["k1", "", "k3"])
    assert list(raw.take(1)[0].system_properties.keys) == ["k1", "", "k3"]


RESERVED = (
    "KEYS",
    "TAGS",
    "WAIT",
    "DELAY",
    "UNIQ_KEY",
    "PGROUP",
    "TRAN_MSG",
    "TIMER_DELIVER_MS",
    "POP_CK",
    "RECONSUME_TIME",
    "REAL_TOPIC",
)


def test_case_13_properties(raw: RawClient) -> None:
    raw.send(b"many", properties={f"k{i}": "v" for i in range(128)})
    raw.send(b"long", properties={"k": "v" * 16383})
    assert raw.try_send(properties={f"k{i}": "v" for i in range(129)}) == 43101
    assert raw.try_send(properties={"k": "v" * 16384}) == 43101
    assert raw.try_send(tag="t", properties={"k": "v" * 16383}) == 43101
    for name, value in [(name, "v") for name in RESERVED] + [("a\x02", "v"), ("k", "a\nb"), ("k", "a\tb"), ("k", "a\x7f")]:
        assert (name, value, raw.try_send(properties={name: value})) == (name, value, 40007)
    assert {m.body: len(m.user_properties) for m in raw.take(2)} == {b"many": 128, b"long": 1}


def test_case_14_message_groups(place: Place) -> None:
    raw = place.raw(place.new_topic(MessageKind.FIFO), place.new_group(is_fifo=True))
    for group in ("g" * 64, "中" * 22, " ", "a\x01"):
        assert (group, raw.try_send(kind=pb.FIFO, message_group=group)) == (group, 40006)
    raw.send(kind=pb.FIFO, message_group="g" * 63)
    assert raw.take(1)[0].system_properties.message_group == "g" * 63


def test_case_15_type_mismatch_of_all_pairs(place: Place) -> None:
    fields: dict[MessageKind, dict[str, Any]] = {
        MessageKind.NORMAL: {}, MessageKind.FIFO: {"message_group": "g"},
        MessageKind.DELAY: {"due_s": time.time() + 2}, MessageKind.TRANSACTION: {},
    }  # fmt: skip
    raw = place.raw()
    for of_topic in fields:
        topic = place.new_topic(of_topic)
        for kind, more in fields.items():
            code = raw.try_send(topic=topic, kind=int(kind), **more)
            assert (of_topic, kind, code) == (of_topic, kind, OK if kind == of_topic else 40014)


def test_the_fields_decide_the_type_and_not_its_name(place: Place) -> None:
    raw = place.raw()
    assert raw.try_send(kind=pb.FIFO) == OK
    assert raw.try_send(kind=99) == OK
    assert raw.try_send(message_group="g") == 40014


def test_case_16_asynchronous_sends(official: Official, raw: RawClient) -> None:
    official.producer("hasty", topic=raw.topic)
    bodies = [str(number) for number in range(200)]
    ids = official.send_all_at_once("hasty", topic=raw.topic, bodies=bodies)
    assert len(set(ids)) == 200
    assert Counter(m.body for m in raw.take(200, acks=True)) == Counter(body.encode() for body in bodies)
    official.shut_down("hasty")


def test_case_17_the_same_message_id_twice_is_one_message(raw: RawClient) -> None:
    message = raw.message(b"once")
    first, second = (raw.send_all([message]) for _ in range(2))
    assert (first.status.code, second.status.code) == (OK, OK)
    assert first.entries[0] == second.entries[0]
    assert first.entries[0].message_id == message.system_properties.message_id
    assert [m.body for m in raw.take(1, acks=True)] == [b"once"]
    raw.expect_nothing(2)


def test_a_request_without_messages_or_with_two_topics_is_refused(place: Place, raw: RawClient) -> None:
    assert raw.send_all([]).status.code == 40016
    assert raw.send_all([raw.message(), raw.message(topic=place.new_topic())]).status.code == 40016


def test_each_message_of_a_request_has_its_own_entry(raw: RawClient) -> None:
    messages = [raw.message(b"%d" % number) for number in range(5)]
    response = raw.send_all(messages)
    assert [entry.message_id for entry in response.entries] == [m.system_properties.message_id for m in messages]
    assert {entry.status.code for entry in response.entries} == {OK}
    assert sorted(m.body for m in raw.take(5)) == [b"%d" % number for number in range(5)]


def test_message_ids_of_any_form_but_none(raw: RawClient) -> None:
    assert (raw.try_send(message_id=""), raw.try_send(message_id=" ")) == (40009, 40009)
    assert raw.send(message_id="my own, Ä").message_id == "my own, Ä"


@pytest.mark.parametrize("due_s", [253_402_300_800, -62_135_596_801])
def test_milliseconds_given_as_seconds_are_no_accident_of_the_broker(place: Place, due_s: int) -> None:
    raw = place.raw(place.new_topic(MessageKind.DELAY))
    assert raw.try_send(kind=pb.DELAY, due_s=due_s) == 40012
    assert raw.try_send(kind=pb.DELAY, due_s=time.time() + 86400 + 60) == 40012
    assert raw.try_send(kind=pb.DELAY, due_s=-1) == OK


def test_only_the_broker_writes_dead_letters(raw: RawClient) -> None:
    assert raw.try_send(topic=f"%DLQ%{raw.group}") == 40300
    assert raw.try_send(topic=f"%RETRY%{raw.group}") == 40300
    assert raw.route(f"%DLQ%{raw.group}").status.code == 40402
    assert raw.receive(wait_s=0).status.code == NOTHING_NEW


def test_the_broker_chooses_the_queue_of_a_message_group(place: Place) -> None:
    """Clients of different languages would choose different ones, and break the order."""
    raw = place.raw(place.new_topic(MessageKind.FIFO, queues=8), place.new_group())
    for number in range(16):
        raw.send(b"%d" % number, kind=pb.FIFO, message_group=f"group {number % 4}", queue_id=number % 8)
    places: dict[str, set[int]] = {}
    for message in raw.take(16):
        places.setdefault(message.system_properties.message_group, set()).add(message.system_properties.queue_id)
    assert [len(queues) for queues in places.values()] == [1] * 4


def test_a_topic_may_be_closed_to_producers_or_to_consumers(place: Place) -> None:
    closed, mute = place.new_name("topic"), place.new_name("topic")
    place.admin.create_topic(closed, permission=Permission.READ)
    place.admin.create_topic(mute, permission=Permission.WRITE)
    raw = place.raw(closed)
    assert raw.try_send() == 40300
    assert {queue.permission for queue in raw.route().message_queues} == {pb.READ}
    assert raw.receive(wait_s=0).status.code == NOTHING_NEW
    raw = place.raw(mute)
    assert raw.try_send() == OK
    assert {queue.permission for queue in raw.route().message_queues} == {pb.WRITE}
    assert (raw.receive(wait_s=0).status.code, raw.assignments().status.code) == (40300, 40300)
