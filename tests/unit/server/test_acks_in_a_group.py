"""An acknowledgement counts when a majority has it: until then no consumer is told that it does."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mq.broker.exchange import DeliveredMessage, ReceiveWish
from mq.raft.errors import NotLeaderError
from mq.server.clients import Clients
from mq.server.delivering import Deliverer
from mq.server.node import BrokerNode
from tests.unit.server.trio import LIMIT_S, Trio, send, topic


@pytest.fixture
async def trio(tmp_path: Path) -> AsyncIterator[Trio]:
    trio = Trio(tmp_path)
    async with asyncio.timeout(LIMIT_S):
        trio.start(1, 2, 3)
        yield trio
        await trio.stop()


async def received(node: BrokerNode, deliverer: Deliverer) -> DeliveredMessage:
    """The one message of a topic, handed out for a minute."""
    await node.carry_out(topic(node))
    await send(node, 0, 1)
    wish = ReceiveWish(group="g", topic="t", count_max=32, tags=None, invisible_ms=60_000, wait_ms=0, client="anna")
    (message,) = await deliverer.receive(wish)
    return message


async def test_an_ack_that_a_leader_without_its_followers_took_is_not_answered_and_was_never_given(trio: Trio) -> None:
    leader = await trio.leader()
    assert leader.group is not None
    deliverer = Deliverer(leader, Clients(lambda: 0))
    leader.on_reign.append(deliverer.reign_is)
    message = await received(leader, deliverer)
    await trio.agree()
    old = leader.group.node_id
    trio.cut = {(old, other) for other in (1, 2, 3)} | {(other, old) for other in (1, 2, 3)}
    acking = asyncio.create_task(deliverer.ack("g", "t", [("id 0", message.handle)]))
    following = await trio.leader(but=old)
    await leader.until(lambda: not leader.reign.is_here)
    assert not acking.done()
    trio.cut = set()
    with pytest.raises(NotLeaderError):
        await acking
    table = following.machine.group("g").look("t")
    assert (set(table.flights(0)), table.is_done(0, 0)) == ({0}, False), "it is still in flight"
    again = Deliverer(following, Clients(lambda: 0))
    assert await again.ack("g", "t", [("id 0", message.handle)]) == [None]
    assert following.machine.group("g").look("t").is_done(0, 0)


async def test_an_ack_is_answered_when_a_majority_has_it(trio: Trio) -> None:
    leader = await trio.leader()
    assert leader.group is not None
    deliverer = Deliverer(leader, Clients(lambda: 0))
    message = await received(leader, deliverer)
    assert await deliverer.ack("g", "t", [("id 0", message.handle)]) == [None]
    await trio.stop(leader.group.node_id)
    assert (await trio.leader()).machine.group("g").look("t").is_done(0, 0)
