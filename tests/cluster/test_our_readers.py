"""Our own pull and broadcast consumers over two broker groups that they find by a registry."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from mq.client.consuming import RetryPolicy
from mq.client.queues import QueueName
from mq.client.views import MessageView
from mq.core.errors import Code, IllegalArgumentError, RefusedError
from mq.rpc.broadcast_consumer import AsyncBroadcastConsumer
from mq.rpc.producer import AsyncProducer
from mq.rpc.pull_consumer import AsyncPullConsumer
from mq.rpc.queue_reading import ReadingOptions
from tests.cluster.broker_process import wait_until
from tests.cluster.two_groups import TwoGroups, two_groups, until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("registry")]

QUICK = ReadingOptions(look_every_ms=300, commit_every_ms=200)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoGroups]:
    with two_groups(tmp_path_factory.mktemp("readers")) as made:
        yield made


async def send(place: TwoGroups, topic: str, bodies: list[str]) -> None:
    async with AsyncProducer(place.endpoint) as producer:
        await asyncio.gather(*(producer.send(topic, body.encode()) for body in bodies))


async def read(consumer: AsyncPullConsumer, count: int, limit_s: float = 10.0) -> list[str]:
    """Bodies, as they come, until there are so many."""
    found: list[str] = []
    end_s = asyncio.get_running_loop().time() + limit_s
    while len(found) < count:
        assert asyncio.get_running_loop().time() < end_s, f"{len(found)} of {count} came"
        found += [one.message.body.decode() for one in await consumer.poll(wait_s=1)]
    return found


async def test_a_pull_consumer_keeps_its_own_places_and_goes_back_as_it_likes(place: TwoGroups) -> None:
    topic = place.new_topic(queues=4)
    await send(place, topic, [f"a {n}" for n in range(40)])
    async with AsyncPullConsumer(place.endpoint) as consumer:
        queues = await consumer.queues(topic)
        assert queues == tuple(QueueName(topic, broker, number) for broker in ("broker-a", "broker-b") for number in range(2))
        await consumer.assign(queues)
        assert Counter(await read(consumer, 40)) == Counter(f"a {n}" for n in range(40))
        assert await consumer.poll(wait_s=0) == []
        places = {queue: consumer.position(queue) for queue in queues}
        assert sum(places.values()) == 40
        waiting = asyncio.create_task(read(consumer, 1))
        await send(place, topic, ["b"])
        assert await waiting == ["b"]
        with pytest.raises(IllegalArgumentError, match="group"):
            await consumer.commit()
    async with AsyncPullConsumer(place.endpoint) as another:
        await another.assign(queues)
        for queue, offset in places.items():
            another.seek(queue, offset)
        assert await read(another, 1) == ["b"]
        await another.seek_to_begin()
        assert len(await read(another, 41)) == 41


async def test_of_two_who_wait_at_one_queue_both_hear_of_one_message(place: TwoGroups) -> None:
    topic = place.new_topic(queues=1)
    async with AsyncPullConsumer(place.endpoint) as anna, AsyncPullConsumer(place.endpoint) as bert:
        for consumer in (anna, bert):
            await consumer.assign(await consumer.queues(topic))
            assert await consumer.poll(wait_s=0.2) == []
        waiting = [asyncio.create_task(consumer.poll(wait_s=8)) for consumer in (anna, bert)]
        await send(place, topic, ["for both"])
        assert [[one.message.body for one in await task] for task in waiting] == [[b"for both"]] * 2


async def test_a_place_can_be_one_by_time_and_one_that_does_not_exist_is_mended(place: TwoGroups) -> None:
    topic = place.new_topic(queues=2)
    await send(place, topic, ["early 1", "early 2"])
    middle_ms = time.time_ns() // 1_000_000 + 1
    await asyncio.to_thread(wait_until, lambda: time.time_ns() // 1_000_000 > middle_ms, "a moment later")
    await send(place, topic, ["late 1", "late 2"])
    async with AsyncPullConsumer(place.endpoint) as consumer:
        queues = await consumer.queues(topic)
        await consumer.assign(queues)
        await consumer.seek_to_time(middle_ms)
        assert sorted(await read(consumer, 2)) == ["late 1", "late 2"]
        await consumer.seek_to_end()
        assert [consumer.position(queue) for queue in queues] == [2, 2]
        await consumer.assign(queues[:1])
        with pytest.raises(IllegalArgumentError, match="not read by this consumer"):
            consumer.position(queues[1])
        consumer.seek(queues[0], 10_000)
        await until(lambda: consumer.position(queues[0]) == 2, "it goes on at the queue's end")
        with pytest.raises(RefusedError) as refused:
            await consumer.assign([QueueName(topic, "broker-a", 99)])
        assert refused.value.code == Code.NOT_FOUND


async def test_members_of_a_group_share_the_queues_and_each_message_is_read_once_also_when_one_leaves(place: TwoGroups) -> None:
    topic, group = place.new_topic(queues=8), place.new_group()
    first = AsyncPullConsumer(place.endpoint, group, {topic: "*"}, options=QUICK)
    second = AsyncPullConsumer(place.endpoint, group, {topic: "*"}, options=QUICK)
    found: list[str] = []

    async def keep_reading(consumer: AsyncPullConsumer) -> None:
        while True:
            found.extend(one.message.body.decode() for one in await consumer.poll(wait_s=1))

    async with first:
        await until(lambda: len(first.assignment) == 8, "alone it reads all")
        reading = [asyncio.create_task(keep_reading(first))]
        async with second:
            reading.append(asyncio.create_task(keep_reading(second)))
            await until(lambda: (len(first.assignment), len(second.assignment)) == (4, 4), "each has its share")
            assert not set(first.assignment) & set(second.assignment)
            await send(place, topic, [f"shared {n}" for n in range(80)])
            await until(lambda: len(found) >= 80, "all are read")
            reading[1].cancel()
        await until(lambda: len(first.assignment) == 8, "the one that stays takes over")
        await send(place, topic, [f"alone {n}" for n in range(40)])
        await until(lambda: len(found) >= 120, "all are read")
        reading[0].cancel()
    assert Counter(found) == Counter([f"shared {n}" for n in range(80)] + [f"alone {n}" for n in range(40)])
    assert place.lag(group) == 0
    await send(place, topic, ["later"])
    async with AsyncPullConsumer(place.endpoint, group, {topic: "*"}, options=QUICK) as third:
        assert await read(third, 1) == ["later"]


async def test_what_was_read_when_an_error_ended_the_block_comes_again(place: TwoGroups) -> None:
    topic, group = place.new_topic(queues=2), place.new_group()
    await send(place, topic, ["one"])

    async def read_and_break() -> None:
        async with AsyncPullConsumer(place.endpoint, group, {topic: "*"}, options=QUICK) as consumer:
            assert await read(consumer, 1) == ["one"]
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await read_and_break()
    for expected in (["one"], []):
        async with AsyncPullConsumer(place.endpoint, group, {topic: "*"}, options=QUICK) as consumer:
            assert [one.message.body.decode() for one in await consumer.poll(wait_s=2)] == expected


async def test_who_begins_at_the_end_leaves_out_what_was_there_and_nothing_later(place: TwoGroups) -> None:
    topic, group = place.new_topic(queues=4), place.new_group()
    await send(place, topic, [f"old {n}" for n in range(8)])
    options = ReadingOptions(start="latest", look_every_ms=300)
    async with AsyncPullConsumer(place.endpoint, group, {topic: "*"}, options=options):
        pass  # it has read nothing, and its beginning is kept
    await send(place, topic, ["new"])
    async with AsyncPullConsumer(place.endpoint, group, {topic: "*"}, options=options) as consumer:
        assert await read(consumer, 1) == ["new"]


class Seen:
    """A listener. refuses: bodies, and how often."""

    def __init__(self, **refuses: int) -> None:
        self.bodies: list[str] = []
        self._refuses = Counter(refuses)

    def __call__(self, message: MessageView) -> None:
        body = message.body.decode()
        self.bodies.append(body)
        if self._refuses[body] > 0:
            self._refuses[body] -= 1
            raise ValueError("not now")


async def test_each_instance_of_a_broadcast_gets_everything_and_goes_on_after_a_restart_by_its_name(place: TwoGroups) -> None:
    topic, group = place.new_topic(queues=4), place.new_group()
    sent = [f"news {n}" for n in range(40)]
    anna, bert = Seen(), Seen()
    async with (
        AsyncBroadcastConsumer(place.endpoint, group, "anna", {topic: "*"}, anna),
        AsyncBroadcastConsumer(place.endpoint, group, "bert", {topic: "*"}, bert),
    ):
        await send(place, topic, sent)
        await until(lambda: (len(anna.bodies), len(bert.bodies)) == (40, 40), "both get all")
    assert Counter(anna.bodies) == Counter(bert.bodies) == Counter(sent)
    await send(place, topic, ["while both were away"])
    again, carl = Seen(), Seen()
    async with (
        AsyncBroadcastConsumer(place.endpoint, group, "anna", {topic: "*"}, again),
        AsyncBroadcastConsumer(place.endpoint, group, "carl", {topic: "*"}, carl),
    ):
        await until(lambda: len(carl.bodies) == 41, "a new one begins at the beginning")
        await until(lambda: bool(again.bodies), "the one that was away goes on")
    assert again.bodies == ["while both were away"]


async def test_a_broadcast_listener_that_refuses_is_asked_again_and_passed_over_in_the_end(place: TwoGroups) -> None:
    topic, group = place.new_topic(queues=1), place.new_group()
    seen = Seen(once=1, always=99)
    options = ReadingOptions(commit_every_ms=100)
    async with AsyncBroadcastConsumer(
        place.endpoint, group, "anna", {topic: "*"}, seen, retry=RetryPolicy(3, (50,)), options=options
    ) as consumer:
        await send(place, topic, ["once", "always", "fine"])
        await until(lambda: consumer.passed_over == 1, "one is passed over")
        await until(lambda: place.lag(f"{group}%anna") == 0, "the broker knows that all are done with")
    assert Counter(seen.bodies) == {"once": 2, "always": 3, "fine": 1}
