"""Messages that are given up, by their consumer or by the broker."""

import time

import pytest

from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from tests.cluster.broker_process import wait_until
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import BAD_HANDLE, NOTHING_NEW, OK, RawClient

LATE_S = 2.0


def reader_of(place: Place, group: str) -> RawClient:
    """A simple consumer of a group's dead letters, of another group."""
    return place.raw(f"%DLQ%{group}", place.new_group())


@pytest.mark.slow
def test_case_31_after_the_last_attempt_a_message_is_a_dead_letter(place: Place, official: Official) -> None:
    raw = place.raw(group=place.new_group(max_attempts=2))
    assert raw.route(f"%DLQ%{raw.group}").status.code == 40402
    official.push("refusing", topic=raw.topic, group=raw.group, take_from_attempt=0)
    sent = raw.send(b"dead", tag="T", keys=["k"], properties={"a": "1"})
    reader = reader_of(place, raw.group)
    wait_until(lambda: reader.route().status.code == OK, "the dead-letter topic is there")
    assert [(queue.id, queue.permission) for queue in reader.route().message_queues] == [(0, pb.READ)]
    (letter,) = reader.take(1, acks=True)
    system = letter.system_properties
    assert [attempt for _, _, attempt in official.seen("refusing")] == [1, 2]
    assert (letter.body, dict(letter.user_properties), system.tag, list(system.keys)) == (b"dead", {"a": "1"}, "T", ["k"])
    assert system.message_id == sent.message_id
    # Case 77: where it comes from.
    assert (system.dead_letter_queue.topic, system.dead_letter_queue.message_id) == (raw.topic, sent.message_id)
    reader.expect_nothing(1)
    official.shut_down("refusing")


def test_case_71_and_79_forwarding_makes_one_dead_letter_also_when_done_twice(place: Place) -> None:
    raw = place.raw(group=place.new_group(max_attempts=5))
    raw.send(b"dead")
    (message,) = raw.take(1)
    handle = message.system_properties.receipt_handle
    assert [raw.forward(handle) for _ in range(3)] == [OK, OK, OK]
    reader = reader_of(place, raw.group)
    assert [m.body for m in reader.take(1, acks=True)] == [b"dead"]
    reader.expect_nothing(1)
    raw.expect_nothing(1)
    assert raw.change(handle, 20).status.code == BAD_HANDLE


@pytest.mark.slow
def test_a_forward_with_a_spent_handle_does_nothing_and_is_fine(raw: RawClient) -> None:
    """Clients repeat it until it succeeds, without limit, in a thread that their close waits for.

    The delivery that the handle stood for is not the caller's any more, and the message goes on with its newer one: an error,
    for as long as that is not done, would only keep a client busy that has nothing to do.
    """
    raw.send()
    (message,) = raw.take(1, invisible_s=10)
    old = message.system_properties.receipt_handle
    (again,) = raw.take(1, limit_s=10 + LATE_S, wait_s=20)
    assert raw.forward(old) == OK
    assert raw.route(f"%DLQ%{raw.group}").status.code == 40402
    assert raw.ack(again) == OK, "the newer delivery is what it was"
    assert raw.forward(old) == OK
    assert raw.route(f"%DLQ%{raw.group}").status.code == 40402


@pytest.mark.slow
@pytest.mark.parametrize("deletes", ["topic", "group"])
def test_a_fifo_push_consumer_can_be_closed_when_what_it_gives_up_was_deleted(
    place: Place, official: Official, deletes: str
) -> None:
    """Its forward is repeated each second until it succeeds, and its close waits for that."""
    raw = place.raw(place.new_topic(MessageKind.FIFO, queues=1), place.new_group(is_fifo=True, max_attempts=2))
    name = f"giving up, no {deletes}"
    official.push(name, topic=raw.topic, group=raw.group, take_from_attempt=0, holds=True)
    raw.send(b"dead", kind=pb.FIFO, message_group="anna")
    wait_until(lambda: official.seen(name), "the first attempt")
    if deletes == "topic":
        place.admin.delete_topic(raw.topic)
    else:
        place.admin.delete_group(raw.group)
    official.go_on(name)
    wait_until(lambda: len(official.seen(name)) >= 2, "the last attempt, after which it is given up")
    assert official.shut_down(name) < 15


@pytest.mark.slow
def test_case_76_an_unacknowledged_ordered_batch_comes_back_in_order(place: Place) -> None:
    raw = place.raw(place.new_topic(MessageKind.FIFO, queues=1), place.new_group(is_fifo=True))
    bodies = [b"%d" % number for number in range(5)]
    for body in bodies:
        raw.send(body, kind=pb.FIFO, message_group="anna")
    assert raw.receive(invisible_s=10).bodies == bodies
    began_s = time.monotonic()
    again = raw.receive(wait_s=15, invisible_s=10)
    assert again.bodies == bodies
    assert {m.system_properties.delivery_attempt for m in again.messages} == {2}
    assert 10 - 0.1 <= time.monotonic() - began_s <= 10 + LATE_S


@pytest.mark.slow
def test_case_81_a_simple_consumer_that_never_acknowledges_sees_each_attempt_once(place: Place) -> None:
    raw = place.raw(group=place.new_group(max_attempts=3))
    raw.send(b"ignored")
    attempts = []
    for _ in range(3):
        (message,) = raw.take(1, limit_s=10 + LATE_S, invisible_s=10, wait_s=20)
        attempts.append(message.system_properties.delivery_attempt)
        assert raw.change(message.system_properties.receipt_handle, 1).status.code == OK
    assert attempts == [1, 2, 3]
    received = raw.receive(wait_s=1 + LATE_S)
    assert (received.status.code, received.bodies) == (NOTHING_NEW, [])
    assert [m.body for m in reader_of(place, raw.group).take(1)] == [b"ignored"]


def test_an_ordered_queue_goes_on_at_once_behind_a_dead_letter(place: Place) -> None:
    """The poll that finds the head of the queue dead looks again, and does not sleep over what is behind it."""
    raw = place.raw(place.new_topic(MessageKind.FIFO, queues=1), place.new_group(is_fifo=True, max_attempts=1))
    for body in (b"dies", b"lives"):
        raw.send(body, kind=pb.FIFO, message_group="anna")
    (message,) = raw.take(1, count=1)
    assert raw.change(message.system_properties.receipt_handle, 1).status.code == OK
    received = raw.receive(wait_s=10)
    assert received.bodies == [b"lives"]
    assert received.took_s < 1 + LATE_S
    assert [m.body for m in reader_of(place, raw.group).take(1)] == [b"dies"]
