"""A registry node and the lines of brokers, by real gRPC within one process."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc.aio
import pytest

from mq.core.errors import MqError, RefusedError
from mq.core.message import MessageKind, Permission
from mq.proto import rocketmq_v2_pb2 as v2
from mq.registry.registration import NodeKey, Registration, RegistryTimes, Replication, Role, Serial, TopicEntry
from mq.rpc.methods import MESSAGING
from mq.rpc.registering_client import RegistryLine
from mq.server.registry import RegistryNode

HEADERS = (("x-mq-client-id", "me"),)


def said(node: int = 1, number: int = 1, **fields: Any) -> Registration:
    topic = TopicEntry("orders", MessageKind.NORMAL, 2, Permission.READ_WRITE)
    return Registration(
        "raftmq", "broker-a", node, Serial(1, number), Replication.RAFT, Role.LEADER if node == 1 else Role.FOLLOWER, 1, 5,
        f"127.0.0.1:{node}", ("127.0.0.1:1", "127.0.0.1:2"), topics=(topic,), **fields,
    )  # fmt: skip


class Running:
    """A registry node whose clock is set by the test. address: where it listens."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.node = RegistryNode(("127.0.0.1", 0), RegistryTimes(expiry_ms=1_000, scan_every_ms=10), clock=lambda: self.now_s)
        self.address = ("127.0.0.1", 0)

    def alive(self) -> set[NodeKey]:
        return {NodeKey(group.name, node.node) for group in self.node.view().groups for node in group.nodes}

    async def route_code(self, topic: str) -> int:
        request = v2.QueryRouteRequest(topic=v2.Resource(name=topic)).SerializeToString()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.address[1]}") as channel:
            ask: Any = channel.unary_unary(MESSAGING["QueryRoute"].path)
            return int(v2.QueryRouteResponse.FromString(await ask(request, metadata=HEADERS)).status.code)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    made = Running()
    made.address = ("127.0.0.1", await made.node.start())
    made.now_s += 60  # it is not young any more
    yield made
    await made.node.stop()


async def test_a_node_is_known_while_its_line_stands_and_given_up_when_it_breaks(running: Running) -> None:
    async with RegistryLine(running.address) as line:
        await line.register(said())
        assert running.alive() == {NodeKey("broker-a", 1)}
        assert await running.route_code("orders") == 20000
    assert await running.node.until(lambda: not running.alive(), 10)


async def test_goodbye_ends_a_node_and_leaves_the_line(running: Running) -> None:
    async with RegistryLine(running.address) as line:
        await line.register(said())
        await line.goodbye(NodeKey("broker-a", 1))
        assert running.alive() == set()
        await line.register(said(number=2))
        assert running.alive() == {NodeKey("broker-a", 1)}


async def test_what_is_refused_is_told_by_its_reason_and_the_line_goes_on(running: Running) -> None:
    async with RegistryLine(running.address) as line:
        await line.register(said(number=2))
        with pytest.raises(RefusedError, match=r"serial 1.1 of broker-a-1 is not later than 1.2"):
            await line.register(said(number=1))
        with pytest.raises(RefusedError, match="addresses must all be given"):
            await line.register(replace(said(number=3), addresses=()))
        await line.register(said(number=4))


async def test_a_silent_node_is_given_up_by_the_clock_alone(running: Running) -> None:
    async with RegistryLine(running.address) as line:
        await line.register(said())
        running.now_s += 0.999
        await line.register(said(node=2))
        running.now_s += 0.001
        assert await running.node.until(lambda: running.alive() == {NodeKey("broker-a", 2)}, 10)


async def test_a_line_to_nobody_is_an_error_of_ours() -> None:
    async with RegistryLine(("127.0.0.1", 1)) as line:
        with pytest.raises(MqError):
            await line.register(said())


async def test_a_line_whose_registry_ends_is_lost(running: Running) -> None:
    async with RegistryLine(running.address) as line:
        await line.register(said())
        await running.node.stop()
        await line.ended()
        with pytest.raises(MqError):
            await line.register(said(number=2))


async def test_a_registry_that_has_just_started_waits_for_its_brokers_before_it_knows_nothing() -> None:
    young = Running()
    young.address = ("127.0.0.1", await young.node.start())
    asking = asyncio.ensure_future(young.route_code("orders"))
    async with RegistryLine(young.address) as line:
        await line.register(said())
        assert await asking == 20000
    await young.node.stop()


async def test_without_any_broker_a_registry_says_so(running: Running) -> None:
    assert await running.route_code("orders") == 50400
