"""Our own producer against two broker groups that it finds by a registry; one of them is killed under it."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from mq.cluster.local import LocalCluster
from mq.core.errors import Code, MqError, RefusedError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.producer import AsyncProducer
from mq.rpc.registry_client import describe_cluster
from tests.cluster.broker_process import BrokerProcess, run_mq, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("registry")]


@pytest.fixture
def cluster(two_groups: LocalCluster) -> LocalCluster:
    return two_groups


@pytest.fixture
def topic(cluster: LocalCluster, request: pytest.FixtureRequest) -> str:
    """Of four queues, for this test alone."""
    name = f"orders-{hash(request.node.name) % 10_000}"
    with Connection(cluster.status().endpoint) as connection:
        AdminClient(connection).create_topic(name, queues=4)
    return name


async def test_a_third_group_joins_and_the_topic_is_widened_onto_it_without_a_failed_send(
    cluster: LocalCluster, topic: str, tmp_path: Path
) -> None:
    endpoint = cluster.status().endpoint
    (tmp_path / "third").mkdir()
    flags = ("--name", "broker-c", "--registry", endpoint, "--registry-times", "fast")
    with Connection(endpoint) as connection, BrokerProcess(tmp_path / "third", *flags) as third:
        admin, over = AdminClient(connection), asyncio.Event()
        async with AsyncProducer(endpoint, route_every_ms=1_000) as producer:

            async def keep_sending() -> int:
                count = 0
                while not over.is_set():
                    await producer.send(topic, b"%d" % count)
                    count += 1
                return count

            sending = asyncio.create_task(keep_sending())
            await asyncio.to_thread(wait_until, lambda: len(describe_cluster(connection).groups) == 3, "the third has registered")
            widened = await asyncio.to_thread(run_mq, "topic", "widen", topic, "--endpoint", endpoint)
            assert [line.split() for line in widened.out.splitlines()[1:]] == [
                ["broker-a", "2", "2"], ["broker-b", "2", "2"], ["broker-c", "0", "2"],
            ], widened  # fmt: skip
            with Connection(third.endpoint) as new:
                await asyncio.to_thread(
                    wait_until, lambda: _count(AdminClient(new), topic) > 50, "the third gets messages", limit_s=15
                )
            over.set()
            sent = await sending
        queues = (await asyncio.to_thread(admin.describe_topic, topic)).queues
        assert Counter(queue.broker for queue in queues) == {"broker-a": 2, "broker-b": 2, "broker-c": 2}
        assert sum(queue.max_offset for queue in queues) == sent
        third.terminate()


def _count(admin: AdminClient, topic: str) -> int:
    try:
        return sum(queue.max_offset for queue in admin.describe_topic(topic).queues)
    except RefusedError:
        return 0  # it is not made there yet


async def test_it_spreads_what_it_sends_and_goes_on_with_the_other_group_when_one_is_killed(
    cluster: LocalCluster, topic: str
) -> None:
    endpoint = cluster.status().endpoint
    async with AsyncProducer(endpoint, route_every_ms=1_000) as producer:
        with pytest.raises(RefusedError) as refused:
            await producer.send("nowhere", b"x")
        assert refused.value.code == Code.TOPIC_NOT_FOUND
        first = [producer.send(topic, b"%d" % number, tag="t", keys=["k"]) for number in range(40)]
        ids = {sent.message_id for sent in await asyncio.gather(*first)}
        assert len(ids) == 40
        assert _stored(cluster, topic) == {"broker-a": 20, "broker-b": 20}
        sending = [asyncio.create_task(_sent(producer, topic, number)) for number in range(200)]
        await asyncio.to_thread(cluster.kill, "broker-b-1")
        later = await asyncio.gather(*sending)
        # What was on its way to the one that was killed may be there or not, and is not sent to the other one.
        assert all(error is None or not error.definite for error in later)
        assert sum(error is None for error in later) > 100
        assert [await _sent(producer, topic, number) for number in range(20)] == [None] * 20


async def _sent(producer: AsyncProducer, topic: str, number: int) -> MqError | None:
    await asyncio.sleep(number / 200)
    try:
        await producer.send(topic, b"later %d" % number)
    except MqError as error:
        return error
    return None


def _stored(cluster: LocalCluster, topic: str) -> dict[str, int]:
    found = {}
    for node in cluster.status().nodes:
        with Connection(node.client) as connection:
            found[node.group] = sum(queue.max_offset for queue in AdminClient(connection).describe_topic(topic).queues)
    return found
