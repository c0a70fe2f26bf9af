"""Push consumers: the broker hides messages as long as their consumer lives, and gives back what it leaves behind."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mq.proto import rocketmq_v2_pb2 as pb
from tests.cluster.broker_process import BrokerProcess, wait_until
from tests.interop.cutting_relay import CuttingRelay
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import BAD_HANDLE, NOTHING_NEW, OK, RawClient, in_background

LATE_S = 2.0
"""A message may come back so late, and never early."""
CLOCKS_S = 0.1
"""Listener and broker read their clocks at different moments."""


@pytest.fixture(scope="module", autouse=True)
def content(official: Official, another_official: Official) -> Iterator[None]:
    """None of these tests gives an official client anything to complain about."""
    yield
    assert (official.complaints, another_official.complaints) == ([], [])


def bodies_of(*seen: list[Any]) -> Counter[str]:
    """How often each body was delivered. seen: what listeners noted."""
    return Counter(body for deliveries in seen for _, body, _ in deliveries)


def send_numbers(raw: RawClient, count: int, first: int = 0) -> Counter[str]:
    """Send the numbers one by one; what one group should see of them."""
    for number in range(first, first + count):
        raw.send(str(number).encode())
    return Counter(str(number) for number in range(first, first + count))


def test_case_29_a_push_consumer_gets_all_of_100_messages(official: Official, raw: RawClient) -> None:
    official.push("eager", topic=raw.topic, group=raw.group)
    expected = send_numbers(raw, 100)
    wait_until(lambda: len(official.seen("eager")) >= 100, "100 messages")
    assert bodies_of(official.seen("eager")) == expected
    official.shut_down("eager")


def test_case_34_consumption_goes_on_when_only_the_settings_stream_is_cut(
    broker: BrokerProcess, raw: RawClient, tmp_path: Path
) -> None:
    """The client's other calls go on over the connection that they had; it opens no other stream for minutes."""
    with CuttingRelay(broker.endpoint) as relay:
        official = Official(relay.endpoint, tmp_path)
        try:
            official.push("deaf", topic=raw.topic, group=raw.group)
            expected = send_numbers(raw, 10)
            wait_until(lambda: len(official.seen("deaf")) >= 10, "the first messages")
            assert relay.streams == 1
            relay.cut()
            wait_until(lambda: relay.streams == 0, "the stream is cut")
            expected += send_numbers(raw, 40, 10)
            wait_until(lambda: len(official.seen("deaf")) >= 50, "consumption goes on", limit_s=5)
            assert relay.streams == 0
            assert bodies_of(official.seen("deaf")) == expected
            assert {attempt for _, _, attempt in official.seen("deaf")} == {1}
            official.shut_down("deaf")
        finally:
            official.kill()
    raw.expect_nothing(0.5)


def test_closing_a_push_consumer_does_not_wait_for_its_poll(official: Official, raw: RawClient) -> None:
    """A goodbye ends the polls of its client, or the close would last as long as the longest of them."""
    official.push("leaving", topic=raw.topic, group=raw.group)
    raw.send(b"last")
    wait_until(lambda: official.seen("leaving"), "the message")
    assert official.shut_down("leaving") < 5


def test_a_goodbye_ends_the_polls_of_its_client_alone(place: Place, raw: RawClient) -> None:
    staying = place.raw()
    with in_background(lambda: staying.receive(wait_s=20)) as stayed:
        with in_background(lambda: raw.receive(wait_s=20)) as left:
            # Said again and again: the poll may not have arrived when it is said for the first time.
            wait_until(lambda: raw.say_goodbye() == OK and left, "the poll ended", limit_s=15)
        raw.send(b"for the one that stayed")
    assert (left[0].order, left[0].status.code) == (["status", "delivery_timestamp"], NOTHING_NEW)
    assert left[0].took_s < 15
    assert stayed[0].bodies == [b"for the one that stayed"]


@pytest.mark.slow
def test_case_30_a_failing_listener_is_tried_again_later_and_later(official: Official, raw: RawClient) -> None:
    official.push("clumsy", topic=raw.topic, group=raw.group, take_from_attempt=3)
    raw.send(b"egg")
    wait_until(lambda: len(official.seen("clumsy")) >= 3, "three deliveries")
    times_s, bodies, attempts = zip(*official.seen("clumsy"), strict=True)
    assert (bodies, attempts) == (("egg",) * 3, (1, 2, 3))
    assert 1 - CLOCKS_S <= times_s[1] - times_s[0] <= 1 + LATE_S
    assert 5 - CLOCKS_S <= times_s[2] - times_s[1] <= 5 + LATE_S
    raw.expect_nothing(2)
    assert len(official.seen("clumsy")) == 3
    official.shut_down("clumsy")


@pytest.mark.slow
def test_a_push_consumer_that_gives_back_at_once_still_has_to_wait(raw: RawClient) -> None:
    """Some clients read the delays of their settings wrongly, and would spin: their delay is the broker's then."""
    raw.send()
    (first,) = raw.take(1, auto_renew=True, invisible_s=None)
    assert raw.change(first.system_properties.receipt_handle, 0.002).status.code == OK
    began_s = time.monotonic()
    (again,) = raw.take(1, limit_s=1 + LATE_S, auto_renew=True, invisible_s=None)
    assert 1 - CLOCKS_S <= time.monotonic() - began_s <= 1 + LATE_S
    assert again.system_properties.delivery_attempt == 2
    # The second time it is longer; a second or more is taken as asked for.
    second = raw.change(again.system_properties.receipt_handle, 0)
    began_s = time.monotonic()
    (third,) = raw.take(1, limit_s=5 + LATE_S, auto_renew=True, invisible_s=None)
    assert second.status.code == OK
    assert 5 - CLOCKS_S <= time.monotonic() - began_s <= 5 + LATE_S
    assert raw.change(third.system_properties.receipt_handle, 1).status.code == OK
    assert raw.take(1, limit_s=1 + LATE_S)[0].system_properties.delivery_attempt == 4


@pytest.mark.slow
def test_case_32_second_consumer_joins_and_leaves(official: Official, another_official: Official, raw: RawClient) -> None:
    """It leaves in good order, and once by being killed; nothing is lost, and nothing done twice in good order."""
    official.push("first", topic=raw.topic, group=raw.group)
    expected = send_numbers(raw, 50)
    wait_until(lambda: bodies_of(official.seen("first")) == expected, "the first consumer gets all")
    another_official.push("second", topic=raw.topic, group=raw.group)
    # Both are fed: the second one has joined.
    number = 50
    while not another_official.seen("second"):
        assert number < 5000, "the second consumer gets nothing"
        expected += send_numbers(raw, 10, number)
        number += 10
    leaving = another_official.ask("shut_down", "second")
    expected += send_numbers(raw, 100, number)
    leaving.result(30)
    expected += send_numbers(raw, 50, number + 100)

    def seen() -> Counter[str]:
        return bodies_of(official.seen("first"), another_official.seen("second"))

    wait_until(lambda: set(seen()) == set(expected), "each message was seen", limit_s=60)
    assert seen() == expected
    raw.expect_nothing(2)
    official.shut_down("first")


def test_what_a_leaving_push_consumer_had_not_done_goes_to_another(official: Official, raw: RawClient) -> None:
    """Its listeners still hold messages when it says goodbye; they are not hidden for the rest of their minute."""
    send_numbers(raw, 3)
    held = raw.receive(auto_renew=True, invisible_s=None)
    rest = [raw.receive(auto_renew=True, invisible_s=None) for _ in range(3 - len(held.messages))]
    assert sum(len(received.messages) for received in (held, *rest)) == 3
    official.push("heir", topic=raw.topic, group=raw.group)
    assert raw.heartbeat(pb.PUSH_CONSUMER, raw.group) == OK
    assert raw.say_goodbye() == OK
    said_s = time.time()
    wait_until(lambda: len(official.seen("heir")) >= 3, "the heir gets all")
    assert {attempt for _, _, attempt in official.seen("heir")} == {2}
    assert max(at for at, _, _ in official.seen("heir")) - said_s < 10
    official.shut_down("heir")


def test_case_33_different_groups_each_get_all(place: Place, official: Official) -> None:
    raw = place.raw()
    for name in ("anna", "bert"):
        official.push(name, topic=raw.topic, group=place.new_group())
    expected = send_numbers(raw, 40)
    for name in ("anna", "bert"):
        wait_until(lambda name=name: len(official.seen(name)) >= 40, f"40 messages at {name}'s")  # type: ignore[misc]
        assert bodies_of(official.seen(name)) == expected
        official.shut_down(name)


@pytest.mark.night
@pytest.mark.timeout(400)
def test_case_82_auto_renew_holds_a_message_beyond_a_minute(place: Place, official: Official, raw: RawClient) -> None:
    """One official consumer whose listener takes 65 s, one bare client without heartbeats that keeps its stream open."""
    listening = place.raw(place.new_topic(), place.new_group())
    official.push("busy", topic=listening.topic, group=listening.group, holds=True)
    listening.send(b"long work")
    raw.send(b"done late")
    raw.send(b"never done")
    stream = raw.telemetry(raw.settings(pb.PUSH_CONSUMER))
    assert stream.hear().status.code == OK
    mine = {m.body: m.system_properties.receipt_handle for m in raw.take(2, auto_renew=True, invisible_s=None)}
    wait_until(lambda: official.seen("busy"), "the listener got its message")
    began_s = time.monotonic()
    other = place.raw()
    while time.monotonic() - began_s < 65:
        assert listening.receive(wait_s=4).bodies == []
        assert other.receive(wait_s=4).bodies == []
    assert raw.ack_entries(mine[b"done late"]).status.code == OK
    official.go_on("busy")
    official.shut_down("busy")  # waits for the listener, and for its ack
    listening.expect_nothing(1)
    assert len(official.seen("busy")) == 1
    assert raw.say_goodbye() == OK
    said_s = time.monotonic()
    (left,) = other.take(1, limit_s=10)
    assert (left.body, left.system_properties.delivery_attempt) == (b"never done", 2)
    assert time.monotonic() - said_s <= 1 + LATE_S
    assert raw.ack_entries(mine[b"never done"]).status.code == BAD_HANDLE


def test_the_broker_shows_who_consumes(official: Official, raw: RawClient, place: Place, broker: BrokerProcess) -> None:
    official.push("seen", topic=raw.topic, group=raw.group)
    wait_until(lambda: place.admin.describe_group(raw.group).clients, "the client is shown")
    (client,) = place.admin.describe_group(raw.group).clients
    assert (client.language, client.version) == ("PYTHON", "5.1.2")
    official.shut_down("seen")
    assert place.admin.describe_group(raw.group).clients == ()
