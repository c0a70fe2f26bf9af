"""Simple consumers: who gets what, for how long, and what a receipt handle is worth."""

import time
import zlib
from collections import Counter
from pathlib import Path

import grpc
import pytest

from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import BrokerProcess, wait_until
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import BAD_HANDLE, MULTIPLE_RESULTS, NOTHING_NEW, OK, RawClient, Received, in_background, md5_of

LATE_S = 2.0
"""A message may come back so late, and never early."""
CLOCKS_S = 0.05
"""Client and broker read their clocks at different moments."""


@pytest.mark.slow
def test_case_19_await_when_empty(official: Official, raw: RawClient) -> None:
    official.simple("patient", topic=raw.topic, group=raw.group, await_s=5)
    received = official.receive("patient")
    assert received["messages"] == []
    assert 4.7 <= received["took_s"] <= 8
    official.shut_down("patient")


def test_case_20_batch_caps(place: Place) -> None:
    raw = place.raw(place.new_topic(queues=1))
    raw.send_all([raw.message() for _ in range(70)])
    assert [len(raw.receive(count=asked).messages) for asked in (5, 100, 0, 1)] == [5, 32, 0, 1]
    assert raw.receive(count=0, wait_s=10).took_s < 3
    assert raw.receive(count=-1).status.code == 40000


def test_case_21_invisible_durations(raw: RawClient) -> None:
    for bad in (9, 9.9, None, 0, -1, 43201):
        assert (bad, raw.receive(invisible_s=bad, wait_s=0).status.code) == (bad, 40011)
    for good in (10, 43200):
        raw.send()
        (message,) = raw.take(1, invisible_s=good)
        assert message.system_properties.invisible_duration.ToSeconds() == good
    handle = message.system_properties.receipt_handle
    for bad in (-1, 43201):
        refused = raw.change(handle, bad)
        assert (refused.status.code, refused.receipt_handle) == (40011, handle)
    assert raw.change(handle, 0).status.code == OK
    assert raw.take(1, limit_s=LATE_S)[0].system_properties.delivery_attempt == 2


@pytest.mark.slow
def test_case_22_unacknowledged_reappears(raw: RawClient) -> None:
    sent = raw.send()
    first = raw.take(1, invisible_s=10)[0].system_properties
    began_s = time.monotonic()
    again = raw.take(1, limit_s=10 + LATE_S, invisible_s=10, wait_s=20)[0].system_properties
    assert 10 - CLOCKS_S <= time.monotonic() - began_s <= 10 + LATE_S
    assert (first.delivery_attempt, again.message_id, again.delivery_attempt) == (1, sent.message_id, 2)
    assert again.receipt_handle != first.receipt_handle
    assert (again.queue_id, again.queue_offset) == (first.queue_id, first.queue_offset)


@pytest.mark.slow
def test_case_23_ack_in_time_and_too_late(raw: RawClient) -> None:
    raw.send(b"in time")
    (message,) = raw.take(1, invisible_s=10)
    assert raw.ack(message) == OK
    assert raw.ack(message) == OK  # the same again, still in time
    raw.send(b"late")
    (late,) = raw.take(1, invisible_s=10)
    due_s = time.monotonic() + 11
    wait_until(lambda: time.monotonic() > due_s, "11 s passed")
    response = raw.ack_entries(late.system_properties.receipt_handle)
    assert (response.status.code, [entry.status.code for entry in response.entries]) == (BAD_HANDLE, [BAD_HANDLE])
    assert raw.ack(message) == BAD_HANDLE  # done, but its time is over
    assert [m.body for m in raw.take(1, limit_s=LATE_S)] == [b"late"]


@pytest.mark.slow
def test_case_24_old_and_new_handle(raw: RawClient) -> None:
    """Receive with 10 s, change to 14 s, receive again after 14 s; then the old handle has run out, the new one is good."""
    raw.send()
    (message,) = raw.take(1, invisible_s=10)
    changed = raw.change(message.system_properties.receipt_handle, 14)
    began_s = time.monotonic()
    assert (changed.status.code, changed.receipt_handle not in ("", message.system_properties.receipt_handle)) == (OK, True)
    (again,) = raw.take(1, limit_s=14 + LATE_S, invisible_s=30, wait_s=20)
    assert 14 - CLOCKS_S <= time.monotonic() - began_s <= 14 + LATE_S
    assert again.system_properties.delivery_attempt == 2
    response = raw.ack_entries(message.system_properties.receipt_handle, again.system_properties.receipt_handle)
    assert response.status.code == MULTIPLE_RESULTS
    assert [entry.status.code for entry in response.entries] == [BAD_HANDLE, OK]
    assert [entry.receipt_handle for entry in response.entries] == [
        message.system_properties.receipt_handle,
        again.system_properties.receipt_handle,
    ]
    assert raw.ack_entries(changed.receipt_handle).status.code == BAD_HANDLE
    assert raw.receive(wait_s=1).bodies == []


def test_case_25_two_consumers_share_and_get_nothing_twice(
    official: Official, another_official: Official, raw: RawClient
) -> None:
    for process in (official, another_official):
        process.simple("sharing", topic=raw.topic, group=raw.group, await_s=1)
    raw.send_all([raw.message(b"%d" % number) for number in range(100)])
    got: Counter[str] = Counter()

    def take_some() -> bool:
        for process in (official, another_official):
            for message in process.receive("sharing", count=10, invisible_s=60)["messages"]:
                process.ack("sharing", handle=message["handle"])
                got[message["body"]] += 1
        return got.total() >= 100

    wait_until(take_some, "100 messages")
    assert got == Counter(str(number) for number in range(100))
    for process in (official, another_official):
        assert process.receive("sharing")["messages"] == []
        process.shut_down("sharing")


FILTERS: tuple[tuple[str, list[bytes]], ...] = (
    ("a || b", [b"a", b"b"]),
    ("*", [b"Aa", b"BB", b"a", b"b", b"buckeroo", b"c", b"plumless", b"untagged"]),
    ("Aa", [b"Aa"]),
    ("BB", [b"BB"]),
    ("plumless", [b"plumless"]),
    ("nobody", []),
)


def test_case_26_tag_filters_also_with_colliding_hashes(place: Place, raw: RawClient) -> None:
    # Java's string hash of Aa and BB is the same, and the CRC-32 of plumless and buckeroo.
    assert zlib.crc32(b"plumless") == zlib.crc32(b"buckeroo")
    for tag in ("a", "b", "c", "Aa", "BB", "plumless", "buckeroo"):
        raw.send(tag.encode(), tag=tag)
    raw.send(b"untagged")
    for expression, wanted in FILTERS:
        consumer = place.raw(group=place.new_group(), expression=expression)
        assert (expression, sorted(m.body for m in consumer.take(len(wanted), acks=True))) == (expression, wanted)
        assert consumer.receive(wait_s=0).bodies == []
    for wrong in ("", "||", "a | b"):
        assert place.raw(expression=wrong).receive(wait_s=0).status.code == 40010


def test_case_28_one_long_poll_sees_all_queues(place: Place) -> None:
    raw = place.raw(place.new_topic(queues=8))
    queues = set()
    for number in range(16):
        with in_background(lambda: raw.receive(queue_id=0, wait_s=15)) as polled:
            sent_s = time.monotonic()
            raw.send(b"%d" % number)
        assert polled[0].bodies == [b"%d" % number]
        assert time.monotonic() - sent_s < 2
        queues.add(polled[0].messages[0].system_properties.queue_id)
        assert raw.ack(*polled[0].messages) == OK
    assert queues == set(range(8))


def test_case_66_order_of_the_stream_and_all_fields(place: Place, raw: RawClient, broker: BrokerProcess) -> None:
    sent = raw.message(
        b"whole", tag="T", keys=["k1", "k2"], properties={"a": "1"}, trace_context="00-trace", born_host="kitchen",
        # What only the broker knows, and a sender might pretend to know.
        receipt_handle="forged", delivery_attempt=7, queue_id=9, queue_offset=99, store_host="forged",
        body_digest=pb.Digest(type=pb.MD5, checksum="forged"),
    )  # fmt: skip
    before_s = time.time()
    entry = raw.send_all([sent]).entries[0]
    raw.send_all([raw.message(b"second"), raw.message(b"third")])
    whole: list[Received] = []

    def has_all() -> bool:
        whole.append(raw.receive(wait_s=1, invisible_s=25))
        assert whole[-1].order == ["status", *["message"] * len(whole[-1].messages), "delivery_timestamp"]
        return sum(len(received.messages) for received in whole) >= 3

    wait_until(has_all, "three messages")
    after_s = time.time()
    assert before_s <= whole[0].delivered_s <= after_s
    found = {message.body: message for received in whole for message in received.messages}
    message, system = found[b"whole"], found[b"whole"].system_properties
    assert (message.topic.name, dict(message.user_properties)) == (raw.topic, {"a": "1"})
    assert (system.tag, list(system.keys), system.message_id) == ("T", ["k1", "k2"], sent.system_properties.message_id)
    assert (system.body_digest.type, system.body_digest.checksum) == (pb.MD5, md5_of(b"whole"))
    assert (system.body_encoding, system.message_type) == (pb.IDENTITY, pb.NORMAL)
    assert (system.born_timestamp, system.born_host) == (sent.system_properties.born_timestamp, "kitchen")
    assert before_s - 0.01 <= system.store_timestamp.ToNanoseconds() / 1e9 <= after_s
    assert system.store_host == f"127.0.0.1:{broker.port}"
    assert (0 <= system.queue_id < 4, system.queue_offset, system.delivery_attempt) == (True, entry.offset, 1)
    assert (system.invisible_duration.ToSeconds(), system.trace_context) == (25, "00-trace")
    assert (system.HasField("delivery_timestamp"), system.HasField("dead_letter_queue")) == (False, False)
    assert raw.ack(*found.values()) == OK
    empty = raw.receive(wait_s=0)
    assert (empty.order, empty.status.code) == (["status", "delivery_timestamp"], NOTHING_NEW)
    assert before_s <= empty.delivered_s
    refused = raw.receive(invisible_s=1)
    assert (refused.order, refused.status.code) == (["status", "delivery_timestamp"], 40011)


@pytest.mark.parametrize("kind", [MessageKind.FIFO, MessageKind.DELAY])
def test_case_66_a_message_shows_its_type_and_what_belongs_to_it(place: Place, kind: MessageKind) -> None:
    raw = place.raw(place.new_topic(kind))
    due_s = int(time.time()) + 1
    if kind == MessageKind.FIFO:
        raw.send(kind=pb.FIFO, message_group="anna")
    else:
        raw.send(kind=pb.DELAY, due_s=due_s)
    system = raw.take(1)[0].system_properties
    assert system.message_type == kind
    assert system.message_group == ("anna" if kind == MessageKind.FIFO else "")
    assert system.delivery_timestamp.seconds == (due_s if kind == MessageKind.DELAY else 0)
    assert time.time() >= due_s or kind == MessageKind.FIFO


NONSENSE = (
    "nonsense",
    "",
    "r1:1:2:3",
    "r1:1:2:0:0:1:nobody:nothing",
    "r1:99999999999999999999:1:0:0:1:g:t",
    "3 1795456208217 10000 7 0 broker-a 0 3 25244866",
)


@pytest.mark.parametrize("handle", NONSENSE)
def test_case_67_a_nonsense_receipt_handle(raw: RawClient, handle: str) -> None:
    assert raw.ack_entries(handle).status.code == BAD_HANDLE
    changed = raw.change(handle, 20)
    assert (changed.status.code, changed.receipt_handle) == (BAD_HANDLE, handle)
    assert raw.forward(handle) in (OK, BAD_HANDLE)


def test_case_72_await_duration_of_one_second(official: Official, raw: RawClient) -> None:
    official.simple("hurried", topic=raw.topic, group=raw.group, await_s=1)
    received = official.receive("hurried")
    assert received["messages"] == []
    assert 0.7 <= received["took_s"] <= 4
    raw.send(b"there")
    (message,) = official.receive("hurried")["messages"]
    assert (message["body"], message["attempt"]) == ("there", 1)
    official.ack("hurried", handle=message["handle"])
    official.shut_down("hurried")


def test_case_80_replaced_and_foreign_handles(place: Place, raw: RawClient) -> None:
    """No ack or change with them is told that all is well, and the message stays what it was.

    A forward of a delivery that is spent is: clients repeat it without limit, and its message goes on with another delivery.
    """
    raw.send()
    (message,) = raw.take(1)
    old = message.system_properties.receipt_handle
    new = raw.change(old, 30).receipt_handle
    assert raw.ack_entries(old).status.code == BAD_HANDLE
    refused = raw.change(old, 20)
    assert (refused.status.code, refused.receipt_handle) == (BAD_HANDLE, old)
    assert raw.forward(old) == OK
    for stranger in (place.raw(group=place.new_group()), place.raw(topic=place.new_topic()), place.raw(group="nobody-made-it")):
        assert stranger.ack_entries(new).status.code == BAD_HANDLE
        assert stranger.change(new, 20).status.code == BAD_HANDLE
        assert stranger.forward(new) == BAD_HANDLE
    # Nothing of all that did anything: the message is hidden, and its true handle takes it back.
    assert raw.receive(wait_s=0).bodies == []
    assert raw.change(new, 0).status.code == OK
    (again,) = raw.take(1, limit_s=LATE_S)
    assert again.system_properties.delivery_attempt == 2
    assert raw.ack_entries(new).status.code == BAD_HANDLE
    assert raw.ack(again) == OK
    raw.expect_nothing(1)


def test_an_ack_without_entries_is_refused(raw: RawClient) -> None:
    assert raw.ack_entries().status.code == 40000


def test_an_official_simple_consumer_asks_for_more_time(official: Official, raw: RawClient) -> None:
    official.simple("slow", topic=raw.topic, group=raw.group, await_s=5)
    raw.send(b"stew")
    (message,) = official.receive("slow", invisible_s=10)["messages"]
    handle = official.change("slow", handle=message["handle"], invisible_s=30)
    assert handle != message["handle"]
    official.ack("slow", handle=handle)
    assert raw.receive(wait_s=0).bodies == []
    official.shut_down("slow")


def test_a_long_poll_ends_before_its_callers_deadline(raw: RawClient) -> None:
    received = raw.receive(wait_s=20, deadline_s=3)
    assert (received.status.code, received.order) == (NOTHING_NEW, ["status", "delivery_timestamp"])
    assert 2 <= received.took_s < 3
    # Without a wish the deadline alone counts.
    assert 1 <= raw.receive(wait_s=None, deadline_s=2).took_s < 2


def test_a_cancelled_receive_gives_its_messages_back_at_once(raw: RawClient) -> None:
    """Bodies so large that the stream stands still as long as nobody reads it."""
    for number in range(4):
        raw.send(b"%d" % number + b"x" * ((4 << 20) - 1))
    call = raw.start_receive(invisible_s=300)
    assert next(call).status.code == OK
    call.cancel()
    with pytest.raises(grpc.RpcError):
        list(call)
    got = raw.take(4, limit_s=10, acks=True)
    assert sorted(m.body[:1] for m in got) == [b"0", b"1", b"2", b"3"]
    assert {m.system_properties.delivery_attempt for m in got} == {1}  # what never arrived does not count


def test_a_cancelled_poll_takes_nothing_with_it(raw: RawClient) -> None:
    for number in range(20):
        waiting = raw.start_receive(wait_s=20)
        waiting.cancel()
        raw.send(b"%d" % number)
        assert [m.body for m in raw.take(1, limit_s=5, acks=True)] == [b"%d" % number]
    with pytest.raises(grpc.RpcError, match="CANCELLED"):
        list(waiting)


def test_auto_renew_needs_no_invisible_duration(raw: RawClient) -> None:
    raw.send_all([raw.message(), raw.message()])
    for given_s in (None, 1):
        (message,) = raw.take(1, count=1, auto_renew=True, invisible_s=given_s)
        assert message.system_properties.invisible_duration.ToSeconds() == 30


def test_a_broker_that_stops_ends_its_polls_in_good_order(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as stopping, Connection(stopping.endpoint) as connection:
        AdminClient(connection).create_topic("t")
        with RawClient(stopping.endpoint, "t", "g") as raw:
            with in_background(lambda: raw.receive(wait_s=20)) as polled:
                # The group is made by the poll: then it is there.
                wait_until(lambda: AdminClient(connection).groups(), "the poll has begun")
                assert stopping.terminate(limit_s=10) == 0
            assert (polled[0].order, polled[0].status.code) == (["status", "delivery_timestamp"], NOTHING_NEW)
        assert "Traceback" not in stopping.log
