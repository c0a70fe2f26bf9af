"""Our own push and simple consumers over two broker groups that they find by a registry, with the official producer at the other
end."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from mq.client.views import MessageView
from mq.core.errors import Code, MqError, RefusedError
from mq.core.message import MessageKind
from mq.rpc.blocking import BroadcastConsumer, Producer, PullConsumer, PushConsumer, SimpleConsumer
from mq.rpc.producer import AsyncProducer
from mq.rpc.push_consumer import AsyncPushConsumer
from mq.rpc.simple_consumer import AsyncSimpleConsumer
from tests.cluster.broker_process import wait_until
from tests.cluster.two_groups import TwoGroups, two_groups, until
from tests.interop.driving import Official

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("registry")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoGroups]:
    with two_groups(tmp_path_factory.mktemp("consumers")) as made:
        yield made


@pytest.fixture(scope="module")
def official(place: TwoGroups, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Official]:
    process = Official(place.endpoint.replace(",", ";"), tmp_path_factory.mktemp("official"))
    yield process
    process.kill()


class Seen:
    """A listener that notes what it gets. refuses: bodies, and how often each is refused."""

    def __init__(self, refuses: dict[bytes, int] | None = None) -> None:
        self.messages: list[MessageView] = []
        self._refuses = Counter(refuses or {})

    async def __call__(self, message: MessageView) -> None:
        self.messages.append(message)
        if self._refuses[message.body] > 0:
            self._refuses[message.body] -= 1
            raise ValueError("not now")

    @property
    def bodies(self) -> list[str]:
        return [message.body.decode() for message in self.messages]


async def test_two_push_consumers_get_what_the_official_producer_sends_each_once(place: TwoGroups, official: Official) -> None:
    """Must show 1 of the registry, with our own consumers: also when one of them leaves."""
    topic, group = place.new_topic(), place.new_group()
    await asyncio.to_thread(lambda: official.producer("spread", topic=topic))
    sent, first, second = [f"order {number}" for number in range(300)], Seen(), Seen()

    async def send(bodies: list[str]) -> None:
        await asyncio.to_thread(lambda: official.send_all_at_once("spread", topic=topic, bodies=bodies))

    async with AsyncPushConsumer(place.endpoint, group, {topic: "*"}, first):
        async with AsyncPushConsumer(place.endpoint, group, {topic: "*"}, second):
            await send(sent[:200])
            await until(lambda: len(first.bodies + second.bodies) >= 200, "all are received")
            assert min(len(first.bodies), len(second.bodies)) > 0
        await send(sent[200:])
        await until(lambda: len(first.bodies + second.bodies) >= 300, "the one that stays gets all")
        await until(lambda: place.lag(group) == 0, "all are acknowledged")
    assert Counter(first.bodies + second.bodies) == Counter(sent)


async def test_a_simple_consumer_asks_both_groups_for_each_of_its_topics(place: TwoGroups, official: Official) -> None:
    topics, group = [place.new_topic(queues=2) for _ in range(2)], place.new_group()
    await asyncio.to_thread(lambda: [official.producer(topic, topic=topic) for topic in topics])
    async with AsyncSimpleConsumer(place.endpoint, group, {topics[0]: "bread || milk", topics[1]: "*"}) as consumer:
        waiting = asyncio.create_task(consumer.receive(wait_s=20))
        await asyncio.to_thread(lambda: official.send(topics[1], topic=topics[1], body="to the one that waits"))
        (one,) = await waiting
        assert one.message.body == b"to the one that waits"
        await consumer.ack(one)
        for number in range(20):
            for topic in topics:
                tag = ("bread", "milk", "soap")[number % 3]
                ask = {"topic": topic, "body": f"{topic} {number}", "tag": tag, "keys": ["k"], "properties": {"n": str(number)}}
                await asyncio.wrap_future(official.ask("send", topic, **ask))
        found: list[MessageView] = []
        while received := await consumer.receive(wait_s=1):
            assert len(received) <= 16
            await consumer.ack(*received)
            found += [one.message for one in received]
    wanted = [f"{topics[0]} {n}" for n in range(20) if n % 3 != 2] + [f"{topics[1]} {n}" for n in range(20)]
    assert Counter(message.body.decode() for message in found) == Counter(wanted)
    assert all((m.keys, m.properties["n"], m.attempt) == (("k",), m.body.decode().split()[1], 1) for m in found)
    assert place.lag(group) == 0


async def test_what_is_given_back_comes_again_and_what_is_acknowledged_too_late_is_told(place: TwoGroups) -> None:
    topic, group = place.new_topic(queues=2), place.new_group()
    with pytest.raises(RefusedError) as refused:
        async with AsyncSimpleConsumer(place.endpoint, group, {"nowhere": "*"}) as lost:
            await lost.receive(wait_s=0)
    assert refused.value.code == Code.TOPIC_NOT_FOUND
    async with AsyncProducer(place.endpoint) as producer, AsyncSimpleConsumer(place.endpoint, group, {topic: "*"}) as consumer:
        await producer.send(topic, b"ping")
        (first,) = await consumer.receive(wait_s=10)
        longer = await consumer.change_invisible(first, 60_000)
        with pytest.raises(RefusedError) as late:
            await consumer.ack(first)  # its handle was replaced
        assert late.value.code == Code.INVALID_RECEIPT_HANDLE
        await consumer.change_invisible(longer, 0)
        (again,) = await consumer.receive(wait_s=10)
        assert (again.message.body, again.message.attempt) == (b"ping", 2)
        await consumer.ack(again)
    assert place.lag(group) == 0


async def test_a_refused_message_comes_again_and_becomes_a_dead_letter(place: TwoGroups) -> None:
    topic, group = place.new_topic(queues=2), place.new_group(max_attempts=2)
    seen = Seen({b"twice": 1, b"never": 9})
    async with AsyncProducer(place.endpoint) as producer, AsyncPushConsumer(place.endpoint, group, {topic: "*"}, seen):
        for body in (b"twice", b"never", b"once"):
            await producer.send(topic, body)
        async with AsyncSimpleConsumer(place.endpoint, place.new_group(), {f"%DLQ%{group}": "*"}) as undertaker:

            async def dead() -> bool:
                try:
                    letters = await undertaker.receive(wait_s=0.5)
                except RefusedError:
                    return False  # there is none yet
                return [letter.message.body for letter in letters] == [b"never"]

            await until(dead, "the dead letter", limit_s=20)
        await until(lambda: place.lag(group) == 0, "the others are acknowledged")
    assert Counter(seen.bodies) == {"twice": 2, "never": 2, "once": 1}
    assert {(m.body, m.attempt) for m in seen.messages} == {
        (b"twice", 1), (b"twice", 2), (b"never", 1), (b"never", 2), (b"once", 1)
    }  # fmt: skip


async def test_an_ordered_group_keeps_the_order_while_a_message_is_refused(place: TwoGroups) -> None:
    """Each message group by itself: what is tried again holds up its own group alone, and what is given up lets it go on."""
    topic, group = place.new_topic(MessageKind.FIFO, queues=4), place.new_group(is_fifo=True, max_attempts=2)
    seen = Seen({b"anna 1": 1, b"bert 1": 9})
    names = ("anna", "bert", "carl")
    async with AsyncProducer(place.endpoint) as producer:
        for number in range(4):
            for name in names:
                await producer.send(topic, f"{name} {number}".encode(), message_group=name)
        async with AsyncPushConsumer(place.endpoint, group, {topic: "*"}, seen):
            await until(lambda: len(seen.bodies) == 14, "all, two of them twice", limit_s=20)
            await until(lambda: place.lag(group) == 0, "all are acknowledged, or dead")
    by_name = {name: [body for body in seen.bodies if body.startswith(name)] for name in names}
    assert by_name["anna"] == ["anna 0", "anna 1", "anna 1", "anna 2", "anna 3"]
    assert by_name["bert"] == ["bert 0", "bert 1", "bert 1", "bert 2", "bert 3"]
    assert by_name["carl"] == ["carl 0", "carl 1", "carl 2", "carl 3"]
    async with AsyncSimpleConsumer(place.endpoint, place.new_group(), {f"%DLQ%{group}": "*"}) as undertaker:
        assert [one.message.body for one in await undertaker.receive(wait_s=5)] == [b"bert 1"]


async def test_lingering_messages_leave_in_batches_and_a_wrong_one_among_them_is_the_only_one_refused(place: TwoGroups) -> None:
    topic, group = place.new_topic(queues=2), place.new_group()
    async with AsyncProducer(place.endpoint, linger_ms=30) as producer:
        alike = [producer.send(topic, b"alike %d" % number, tag="t") for number in range(100)]
        others = [producer.send(topic, b"other %d" % number, tag=f"tag {number}", keys=[f"k {number}"]) for number in range(20)]
        results = await asyncio.gather(*alike, producer.send(topic, b""), *others, return_exceptions=True)
        errors = [one for one in results if isinstance(one, BaseException)]
        assert [type(one) for one in errors] == [RefusedError]
        whole = await asyncio.gather(*(producer.send(topic, b"whole %d" % number, tag="t") for number in range(50)))
        offsets = [one.offset for one in whole]
        assert offsets == list(range(offsets[0], offsets[0] + 50)), "one batch, in one queue"
        stored = await producer.send_batch(topic, [b"b %d" % number for number in range(30)], properties={"a": "1"})
        assert (stored.count, stored.duplicates) == (30, 0)
        with pytest.raises(RefusedError) as refused:
            await producer.send("nowhere", b"x")
        assert refused.value.code == Code.TOPIC_NOT_FOUND
    found: list[MessageView] = []
    async with AsyncSimpleConsumer(place.endpoint, group, {topic: "*"}) as consumer:
        while received := await consumer.receive(32, wait_s=0.5):
            await consumer.ack(*received)
            found += [one.message for one in received]
    wanted = [f"alike {n}" for n in range(100)] + [f"other {n}" for n in range(20)]
    wanted += [f"whole {n}" for n in range(50)] + [f"b {n}" for n in range(30)]
    assert Counter(message.body.decode() for message in found) == Counter(wanted)
    assert {(m.tag, m.keys) for m in found if m.body == b"other 7"} == {("tag 7", ("k 7",))}


async def test_ordered_messages_that_linger_keep_their_order(place: TwoGroups) -> None:
    topic, group = place.new_topic(MessageKind.FIFO, queues=4), place.new_group(is_fifo=True)
    seen, names = Seen(), ("anna", "bert", "carl")
    async with AsyncProducer(place.endpoint, linger_ms=5, batch_bytes=64) as producer:
        await asyncio.gather(
            *(producer.send(topic, f"{name} {number}".encode(), message_group=name) for number in range(40) for name in names)
        )
    async with AsyncPushConsumer(place.endpoint, group, {topic: "*"}, seen):
        await until(lambda: len(seen.bodies) == 120, "all")
    for name in names:
        assert [body for body in seen.bodies if body.startswith(name)] == [f"{name} {number}" for number in range(40)]


async def test_the_official_consumers_get_what_our_producer_sends_of_every_type(place: TwoGroups, official: Official) -> None:
    plain, fifo = place.new_topic(), place.new_topic(MessageKind.FIFO)
    # At one broker group each: the official simple consumer asks only one of several at a time.
    tagged, delay = place.new_topic(queues=1), place.new_topic(MessageKind.DELAY, queues=1)
    group, ordered = place.new_group(), place.new_group(is_fifo=True)
    long = "a long text " * 1000

    async def tell(verb: str, client: str, **more: object) -> Any:
        return await asyncio.wrap_future(official.ask(verb, client, **more))

    await tell("push", "all", topic=plain, group=group)
    await tell("push", "in order", topic=fifo, group=ordered)
    await tell("simple", "one", topic=tagged, group=place.new_group(), expression="bread")
    await tell("simple", "late", topic=delay, group=place.new_group())
    async with AsyncProducer(place.endpoint, compress_over_bytes=1000) as ours:
        await ours.send(tagged, b"not wanted", tag="soap")
        await ours.send(tagged, long.encode(), tag="bread", keys=["k1", "k2"], properties={"shop": "7"})
        await ours.send_batch(plain, [f"batch {number} {long}".encode() for number in range(10)])
        for number in range(6):
            await ours.send(fifo, f"anna {number}".encode(), message_group="anna")
        began_s = time.time()
        await ours.send(delay, b"later", delivery_ms=int((began_s + 2) * 1000))
    await until_seen(official, "all", 10)
    bodies = Counter(body for _, body, _ in await tell("seen", "all"))
    assert bodies == Counter(f"batch {number} {long}" for number in range(10))
    await until_seen(official, "in order", 6)
    assert [body for _, body, _ in await tell("seen", "in order")] == [f"anna {number}" for number in range(6)]
    (one,) = (await tell("receive", "one"))["messages"]
    assert (one["body"], one["tag"], one["keys"], one["properties"]) == (long, "bread", ["k1", "k2"], {"shop": "7"})
    late = (await tell("receive", "late"))["messages"]
    assert [message["body"] for message in late] == ["later"]
    assert time.time() - began_s >= 2 - 0.1
    for client in ("all", "in order"):
        await tell("shut_down", client)


async def test_our_ordered_consumer_keeps_the_order_of_an_official_producer(place: TwoGroups, official: Official) -> None:
    topic, group, seen = place.new_topic(MessageKind.FIFO), place.new_group(is_fifo=True), Seen({b"anna 3": 1})
    await asyncio.wrap_future(official.ask("producer", "orderly", topic=topic))
    for number in range(8):
        for name in ("anna", "bert"):
            await asyncio.wrap_future(
                official.ask("send", "orderly", topic=topic, body=f"{name} {number}", message_group=name, keys=["k"])
            )
    async with AsyncPushConsumer(place.endpoint, group, {topic: "*"}, seen):
        await until(lambda: len(seen.bodies) == 17, "all, one of them twice")
        await until(lambda: place.lag(group) == 0, "all are acknowledged")
    for name, repeated in (("anna", 3), ("bert", None)):
        wanted = [f"{name} {number}" for number in range(8) for _ in range(1 + (number == repeated))]
        assert [message.body.decode() for message in seen.messages if message.message_group == name] == wanted
    assert {message.keys for message in seen.messages} == {("k",)}


async def until_seen(official: Official, client: str, count: int) -> None:
    async def has_seen() -> bool:
        return len(await asyncio.wrap_future(official.ask("seen", client))) >= count

    await until(has_seen, f"{client} has seen {count}", limit_s=20)


async def test_our_consumers_and_official_ones_share_the_work_of_one_group(place: TwoGroups, official: Official) -> None:
    topic, group, seen = place.new_topic(), place.new_group(), Seen()
    await asyncio.wrap_future(official.ask("push", "colleague", topic=topic, group=group))
    async with AsyncProducer(place.endpoint) as producer, AsyncPushConsumer(place.endpoint, group, {topic: "*"}, seen):
        for number in range(200):
            await producer.send(topic, b"%d" % number)

        async def theirs() -> list[str]:
            return [body for _, body, _ in await asyncio.wrap_future(official.ask("seen", "colleague"))]

        async def all_came() -> bool:
            return len(await theirs()) + len(seen.bodies) >= 200

        await until(all_came, "all are received")
        both = await theirs(), seen.bodies
    assert Counter([*both[0], *both[1]]) == Counter(str(number) for number in range(200))
    assert min(map(len, both)) > 0
    await asyncio.wrap_future(official.ask("shut_down", "colleague"))


def test_blocking_clients_do_the_same_from_any_thread(place: TwoGroups) -> None:
    topic, groups = place.new_topic(queues=4), [place.new_group() for _ in range(4)]
    endpoint, seen, told = place.endpoint, list[str](), list[str]()
    with pytest.raises(RefusedError, match="it is not open"):
        Producer(endpoint).send(topic, b"x")
    with (
        PushConsumer(endpoint, groups[0], {topic: "*"}, lambda message: seen.append(message.body.decode())),
        BroadcastConsumer(endpoint, groups[1], "anna", {topic: "*"}, lambda message: told.append(message.body.decode())),
        Producer(endpoint, linger_ms=5) as producer,
    ):
        producer.send(topic, b"one")
        futures = [producer.send_async(topic, b"%d" % number) for number in range(20)]
        assert len({future.result(timeout=10).message_id for future in futures}) == 20
        assert producer.send_batch(topic, [b"a", b"b"]).count == 2
        with pytest.raises(RefusedError, match="nowhere"):
            producer.send("nowhere", b"x")
        wait_until(lambda: len(seen) == len(told) == 23, "all are received")
    wanted = Counter(["one", "a", "b", *map(str, range(20))])
    assert Counter(seen) == Counter(told) == wanted
    with SimpleConsumer(endpoint, groups[2], {topic: "*"}) as simple:
        received = simple.receive(1)
        simple.ack(simple.change_invisible(received[0], 20_000))
    with PullConsumer(endpoint, groups[3], {topic: "*"}) as pull:
        count = 0
        while page := pull.poll(wait_s=1):
            count += len(page)
        assert (count, len(pull.assignment)) == (23, 4)
        first = pull.assignment[0]
        end = pull.position(first)
        pull.commit()
        assert pull.committed(first) == end
        pull.seek_to_begin(first)
        assert pull.position(first) == 0
    assert [thread.name for thread in threading.enumerate()].count("mq clients") == 1, "all share one event loop"


async def test_a_listener_at_work_is_waited_for_and_the_rest_goes_to_others_at_once(place: TwoGroups) -> None:
    topic, group = place.new_topic(queues=2), place.new_group()
    began, may_end, handled = asyncio.Event(), asyncio.Event(), list[bytes]()

    async def slow(message: MessageView) -> None:
        began.set()
        await may_end.wait()
        handled.append(message.body)

    async with AsyncProducer(place.endpoint) as producer:
        for number in range(10):
            await producer.send(topic, b"%d" % number)
    consumer = AsyncPushConsumer(place.endpoint, group, {topic: "*"}, slow, concurrency=1)
    await consumer.__aenter__()
    await began.wait()
    closing = asyncio.create_task(consumer.__aexit__())
    await asyncio.sleep(0)
    assert not closing.done()
    may_end.set()
    await closing
    assert 1 <= len(handled) <= 2
    seen = Seen()
    async with AsyncPushConsumer(place.endpoint, group, {topic: "*"}, seen):
        left = 10 - len(handled)
        await until(lambda: len(seen.bodies) == left, "the others, long before an invisible time is over", limit_s=8)
    assert Counter([body.encode() for body in seen.bodies] + handled) == Counter(b"%d" % number for number in range(10))


async def sent_for_sure(producer: AsyncProducer, topic: str, what: str) -> set[str]:
    """Twenty bodies, but for the one that was on its way to a group that died: it may be there or not."""
    stored, errors = set[str](), list[MqError]()
    for body in (f"{what} {number}" for number in range(20)):
        try:
            await producer.send(topic, body.encode())
            stored.add(body)
        except MqError as error:
            errors.append(error)
    assert len(errors) <= 2
    assert not any(error.definite for error in errors)
    return stored


async def test_when_a_broker_group_is_killed_the_other_one_serves_on_and_it_is_used_again_when_it_is_back(
    place: TwoGroups,
) -> None:
    topic, group, simple_group = place.new_topic(queues=4), place.new_group(), place.new_group()
    seen, taken = Seen(), Counter[str]()
    async with (
        AsyncProducer(place.endpoint, route_every_ms=500) as producer,
        AsyncPushConsumer(place.endpoint, group, {topic: "*"}, seen, assignments_every_ms=500, route_every_ms=500),
        AsyncSimpleConsumer(place.endpoint, simple_group, {topic: "*"}, route_every_ms=500) as simple,
    ):

        async def all_are_taken(bodies: set[str]) -> bool:
            received = await simple.receive(32, wait_s=0.5)
            await simple.ack(*received)
            taken.update(one.message.body.decode() for one in received)
            return bodies <= set(taken) and bodies <= set(seen.bodies)

        before = await sent_for_sure(producer, topic, "before")
        await until(lambda: all_are_taken(before), "all before it", limit_s=20)
        await until(lambda: place.lag(group) == 0, "which is acknowledged")
        await asyncio.to_thread(place.cluster.kill, "broker-b-1")
        without = await sent_for_sure(producer, topic, "without")
        await until(lambda: all_are_taken(without), "all that the other one has", limit_s=20)
        await asyncio.to_thread(place.cluster.start, "broker-b-1")

        async def is_used() -> bool:
            brokers = {queue.broker for queue in place.admin.describe_topic(topic).queues}
            return brokers == {"broker-a", "broker-b"}

        await until(is_used, "the registry knows it again", limit_s=20)
        after = await sent_for_sure(producer, topic, "after")
        await until(lambda: all_are_taken(after), "all after it", limit_s=20)
    known = Counter(seen.bodies)
    assert {known[body] for body in before | without | after} == {1}
