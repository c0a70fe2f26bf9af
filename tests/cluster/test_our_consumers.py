"""Our own push and simple consumers over two broker groups that they find by a registry, with the official producer at the other
end."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from mq.client.views import MessageView
from mq.core.errors import Code, RefusedError
from mq.core.message import MessageKind
from mq.rpc.producer import AsyncProducer
from mq.rpc.push_consumer import AsyncPushConsumer
from mq.rpc.simple_consumer import AsyncSimpleConsumer
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
