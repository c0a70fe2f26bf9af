"""More polls wait than one command wakes, and more comes than one poll takes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.exchange import DeliveredMessage, ReceiveWish
from mq.core.errors import RefusedError
from mq.core.limits import RECEIVE_BATCH_MAX
from mq.core.message import MessageKind
from mq.server.clients import Clients
from mq.server.delivering import Deliverer
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from tests.unit.server.eventually import until

MANY = 3 * RECEIVE_BATCH_MAX
DUE_MS = 100_000


class Kitchen:
    """A node with a topic of delayed messages, and verbs."""

    def __init__(self, folder: Path) -> None:
        self.node = BrokerNode(FileDisk(folder), segment_bytes=1 << 20)
        self.clients = Clients(lambda: 0)
        self.deliverer = Deliverer(self.node, self.clients)

    async def send(self) -> None:
        """Many, each on its own."""
        node, kind, due_ms = self.node, int(MessageKind.DELAY), self.node.wall_ms() + DUE_MS - 1
        batches = (AppendMessages(*node.stamps(), "late", 0, kind, due_ms, (f"{n}",), "", (b"x",)) for n in range(MANY))
        await asyncio.gather(*(node.carry_out(batch) for batch in batches))

    async def receive(self, client: str, count_max: int = 1, wait_ms: int = 60_000) -> list[DeliveredMessage]:
        wish = ReceiveWish(
            group="g", topic="late", count_max=count_max, tags=None, invisible_ms=None, wait_ms=wait_ms, client=client
        )
        return await self.deliverer.receive(wish)

    async def polls(self) -> "list[asyncio.Task[list[DeliveredMessage]]]":
        """Many, that wait."""
        found = [asyncio.create_task(self.receive(f"poll {number}")) for number in range(MANY)]
        await until(lambda: self.deliverer.room.count == MANY)
        return found


@pytest.fixture
async def kitchen(tmp_path: Path) -> AsyncIterator[Kitchen]:
    found = Kitchen(tmp_path)
    await found.node.carry_out(c.CreateTopic(*found.node.stamps(), "late", int(MessageKind.DELAY), 1, 4))
    yield found
    found.deliverer.stop()
    await found.node.close()


async def come_due(kitchen: Kitchen) -> None:
    log_ms, wall_ms = kitchen.node.stamps()
    await kitchen.node.carry_out(c.ReleaseTimers(log_ms, wall_ms + DUE_MS))


async def be_given_back(kitchen: Kitchen) -> None:
    """By one client that holds them all."""
    await kitchen.deliverer.release_client("anna", ["g"])


async def be_skipped_no_more(kitchen: Kitchen) -> None:
    await kitchen.node.carry_out(c.MoveOffset(*kitchen.node.stamps(), "g", "late", 0, 0))


@pytest.mark.parametrize("comes", [come_due, be_given_back, be_skipped_no_more])
async def test_each_that_waits_gets_its_share_of_what_comes_at_once(
    kitchen: Kitchen, comes: Callable[[Kitchen], Awaitable[None]]
) -> None:
    await kitchen.send()
    if comes is not come_due:
        await come_due(kitchen)
        kitchen.clients.heard("anna", group="g")
        held = [message for _ in range(3) for message in await kitchen.receive("anna", 32)]
        assert len(held) == MANY
        if comes is be_skipped_no_more:
            assert await kitchen.deliverer.ack("g", "late", [("", message.handle) for message in held]) == [None] * MANY
    polls = await kitchen.polls()
    await comes(kitchen)
    async with asyncio.timeout(20):
        got = await asyncio.gather(*polls)
    assert sorted(message.offset for messages in got for message in messages) == list(range(MANY))


async def test_each_poll_of_a_deleted_group_ends_with_an_error(kitchen: Kitchen) -> None:
    polls = await kitchen.polls()
    await kitchen.node.carry_out(c.DeleteGroup(*kitchen.node.stamps(), "g"))
    async with asyncio.timeout(20):
        got = await asyncio.gather(*polls, return_exceptions=True)
    assert {type(one) for one in got} == {RefusedError}
