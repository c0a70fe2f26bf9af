"""Our own client at a group of three nodes, found by a registry: the leader is killed while all kinds of consumers work."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mq.client.views import MessageView
from mq.cluster.asking import ask_broker, resolve
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.core.errors import RefusedError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.client import (
    AsyncBroadcastConsumer,
    AsyncProducer,
    AsyncPullConsumer,
    AsyncPushConsumer,
    AsyncSimpleConsumer,
    ReadingOptions,
)
from tests.cluster.two_groups import until

# By night: what was on its way from the leader that died comes again when its invisible time is over, up to half a minute later.
pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.night, pytest.mark.xdist_group("registry")]

QUICK = ReadingOptions(look_every_ms=500, commit_every_ms=200)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    plan = ClusterPlan(groups=1, nodes=3, registries=1, base_port=0, is_direct=True, settings={"registry_times": "fast"})
    made = LocalCluster.up(tmp_path / "cluster", plan)
    yield made
    made.down()


class Seen:
    def __init__(self) -> None:
        self.bodies: Counter[bytes] = Counter()

    async def __call__(self, message: MessageView) -> None:
        self.bodies[message.body] += 1


async def keep_receiving(consumer: AsyncSimpleConsumer, found: Counter[bytes]) -> None:
    while True:
        for one in await consumer.receive(wait_s=10):
            found[one.message.body] += 1
            with suppress(RefusedError):  # it has run out meanwhile, and comes again
                await consumer.ack(one)


async def keep_pulling(consumer: AsyncPullConsumer, found: Counter[bytes]) -> None:
    while True:
        found.update(one.message.body for one in await consumer.poll(wait_s=2))


async def send_until(over: asyncio.Event, producer: AsyncProducer, sent: list[bytes]) -> None:
    while not over.is_set():
        body = b"%d" % len(sent)
        await producer.send("orders", body)
        sent.append(body)


async def test_no_send_fails_and_nothing_is_missed_when_the_leader_is_killed(cluster: LocalCluster) -> None:
    endpoint, subscriptions = cluster.status().endpoint, {"orders": "*"}
    push, everybody, simple, pulled = Seen(), Seen(), Counter[bytes](), Counter[bytes]()
    over, sent = asyncio.Event(), list[bytes]()
    with Connection(endpoint) as connection:
        admin = AdminClient(connection)
        await asyncio.to_thread(admin.create_topic, "orders", queues=4)
        async with (
            AsyncProducer(endpoint) as producer,
            AsyncPushConsumer(endpoint, "push", subscriptions, push),
            AsyncBroadcastConsumer(endpoint, "signs", "anna", subscriptions, everybody),
            AsyncSimpleConsumer(endpoint, "simple", subscriptions) as taker,
            AsyncPullConsumer(endpoint, "pull", subscriptions, options=QUICK) as puller,
        ):
            sending = asyncio.create_task(send_until(over, producer, sent))
            work = [asyncio.create_task(one) for one in (keep_receiving(taker, simple), keep_pulling(puller, pulled))]
            await until(lambda: len(sent) > 50, "messages flow")
            leader = await asyncio.to_thread(resolve, "leader", cluster.status(), ask_broker)
            await asyncio.to_thread(cluster.kill, leader)
            count = len(sent)
            await until(lambda: len(sent) > count + 50, "they flow again", limit_s=20)
            over.set()
            await sending
            for found in (push.bodies, everybody.bodies, simple, pulled):
                await until(lambda found=found: set(found) >= set(sent), "all are received", limit_s=60)
            await until(lambda: _lag(admin, "push") == _lag(admin, "simple") == 0, "all are acknowledged", limit_s=60)
            assert not any(task.done() for task in work), "neither of them came to an error"
            for task in work:
                task.cancel()
    assert set(everybody.bodies.values()) == set(pulled.values()) == {1}, "a position moves by what was read, whoever leads"
    assert sum(count - 1 for count in push.bodies.values()) <= 64, "only what was on its way comes again"


def _lag(admin: AdminClient, group: str) -> int:
    return sum(row.lag for row in admin.describe_group(group).queues)
