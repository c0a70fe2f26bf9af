"""Delayed messages, committed half messages and dead letters are read by their log index, on a node with many segments."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.delivery.picker import dead_place
from mq.broker.exchange import ReceiveWish
from mq.broker.sent_ids import SentIds
from mq.broker.store.consume_queue import QueueEntry
from mq.core.errors import StateError
from mq.core.ids import LogIndex, QueueOffset
from mq.core.message import MessageKind
from mq.server.admin import Administrator
from mq.server.clients import Clients
from mq.server.delivering import Deliverer
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.retention import Retention

LIMIT_S = 20
SEGMENT_BYTES = 8192
FILLERS = 60
DEAD = "%DLQ%g"


class Broker:
    """A node, those who serve its clients, and verbs."""

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.node = BrokerNode(FileDisk(folder), segment_bytes=segment_bytes, snapshot_every_bytes=8192)
        self.clients = Clients(lambda: 0)
        self.deliverer = Deliverer(self.node, self.clients)
        self.admin = Administrator(self.node, self.clients, self.deliverer, name="broker-a", node_id=1)

    async def send(self, topic: str, message_id: str, kind: int = 1, due_ms: int = 0) -> None:
        body = (b"body of " + message_id.encode()).ljust(400, b".")
        await self.node.carry_out(
            AppendMessages(*self.node.stamps(), topic, 0, kind, due_ms, (message_id,), f"tag {topic}", (body,))
        )

    async def fill(self, name: str) -> None:
        for first in range(0, FILLERS, 10):
            await asyncio.gather(*(self.send("t", f"{name}{number}") for number in range(first, first + 10)))

    async def receive(self, topic: str, tag: str) -> list[bytes]:
        self.clients.heard("me", group="g")
        wish = ReceiveWish(
            group="g", topic=topic, count_max=32, tags=frozenset({tag}), invisible_ms=60_000, wait_ms=0, client="me"
        )
        return [message.stored.rstrip(b".") for message in await self.deliverer.receive(wish)]

    async def entry(self, topic: str) -> QueueEntry:
        queue = self.node.machine.queue(topic, 0)
        (found,) = await self.node.reader.run(lambda: queue.entries(QueueOffset(0), 1))
        return found

    async def close(self) -> None:
        self.deliverer.stop()
        await self.node.close()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """With fillers, then `l` delayed, `h` half and `d` dead, all shown after more fillers: in segments far from the end."""
    broker = Broker(tmp_path / "data")
    async with asyncio.timeout(LIMIT_S):
        node = broker.node
        for name, kind in (("t", 1), ("late", 3), ("half", 4), ("dies", 1)):
            await node.carry_out(c.CreateTopic(*node.stamps(), name, kind, 1, 4))
        await node.carry_out(c.CreateGroup(*node.stamps(), "g", is_fifo=False, max_attempts=16))
        await broker.fill("first")
        await broker.send("late", "l", MessageKind.DELAY, node.wall_ms() + 100_000)
        await broker.send("half", "h", MessageKind.TRANSACTION)
        await broker.send("dies", "d")
        await broker.fill("second")
        log_ms, wall_ms = node.stamps()
        await node.carry_out(c.ReleaseTimers(log_ms, wall_ms + 100_001))
        await node.carry_out(c.EndTransaction(*node.stamps(), "half", "h", is_commit=True))
        picks = (c.QueuePick(0, 0, 0, 1),)
        log_ms, wall_ms = node.stamps()
        await node.carry_out(c.ReceiveMessages(log_ms, wall_ms, "g", "dies", "me", "", False, log_ms + 60_000, picks))
        stamp = node.machine.applied_index
        place = dead_place(0, await broker.entry("dies"))
        await node.carry_out(c.DeadLetter(*node.stamps(), "g", "dies", 0, stamp, place))
        assert len(node.log.segments()) > 6
        yield broker
        await broker.close()


WHERE = [("late", b"body of l", "tag late"), ("half", b"body of h", "tag half"), (DEAD, b"body of d", "tag dies")]


async def retain_only_from(broker: Broker, first: QueueEntry) -> None:
    """Retention that goes as far as it can without taking this one."""
    index = first.log_index
    await broker.node.carry_out_plan(())  # the snapshots on the way are there
    before = broker.node.log.first_index
    await broker.node.carry_out(c.DropBefore(*broker.node.stamps(), index, ()))
    assert before < broker.node.log.first_index <= index


@pytest.mark.parametrize(("topic", "body", "tag"), WHERE)
@pytest.mark.parametrize("is_retained", [False, True])
async def test_it_is_delivered_peeked_and_fetched(broker: Broker, topic: str, body: bytes, tag: str, is_retained: bool) -> None:
    entry = await broker.entry(topic)
    assert entry.place is None
    if is_retained:
        await retain_only_from(broker, entry)
    broker.node.reader.forget_all()
    messages, after = await broker.admin.peek(topic, 0, 0, 5)
    assert [(offset, m.stored.rstrip(b".")) for offset, m in messages] == [(0, body)]
    assert after == 1
    broker.node.reader.forget_all()
    (batch,), after = await broker.admin.batches(topic, 0, 0, 1000)
    assert bytes(batch.part.payload).rstrip(b".") == body
    broker.node.reader.forget_all()
    assert await broker.receive(topic, "another") == []
    assert await broker.receive(topic, tag) == [body]


@pytest.mark.parametrize(("topic", "message_id"), [("late", "l"), ("half", "h")])
async def test_it_is_found_by_its_id_in_the_log(broker: Broker, topic: str, message_id: str) -> None:
    for is_indexed in (False, True):
        if is_indexed:
            assert await broker.admin.lookup.index_sealed() > 3
        broker.node.reader.forget_all()
        broker.node.machine.topic(topic).sent_ids = SentIds()  # as if 100,000 others had come since
        ((queue_id, offset, found),) = await broker.admin.find(topic, message_id, 5)
        assert (queue_id, offset, found.message_id) == (0, 0, message_id)


async def test_an_ordinary_message_is_found_by_its_id_in_the_log(broker: Broker) -> None:
    broker.node.machine.topic("t").sent_ids = SentIds()
    ((queue_id, offset, found),) = await broker.admin.find("t", "second7", 5)
    assert (queue_id, offset, found.message_id) == (0, FILLERS + 7, "second7")


async def test_a_record_whose_index_now_means_another_entry_is_not_found(broker: Broker) -> None:
    """It was superseded by a newer leader's. Here one record stands for both: what the index means is put in the cache."""
    entry = await broker.entry("late")
    (stored,) = await broker.node.reader.run(
        lambda: broker.node.log.entries(LogIndex(entry.log_index), LogIndex(entry.log_index), 1)
    )
    assert await broker.admin.lookup._visible("late", stored.place, 0) is not None
    broker.node.reader.forget_all()
    broker.node.reader.remember(entry.log_index, stored.entry.payload + b"another")
    assert await broker.admin.lookup._visible("late", stored.place, 0) is None


@pytest.mark.parametrize(("topic", "body", "tag"), WHERE)
async def test_it_is_gone_when_retention_took_its_entry(broker: Broker, topic: str, body: bytes, tag: str) -> None:
    entry = await broker.entry(topic)
    await broker.node.carry_out_plan(())
    broker.node.host.let_go_before(entry.log_index + FILLERS)
    assert broker.node.log.first_index > entry.log_index
    broker.node.reader.forget_all()
    assert broker.node.reader.is_gone(entry)
    assert await broker.admin.peek(topic, 0, 0, 5) == ([], 1)
    assert await broker.admin.batches(topic, 0, 0, 1000) == ([], 1)
    assert await broker.receive(topic, tag) == []
    with pytest.raises(StateError):
        await broker.node.reader.stored(entry)
    if topic != DEAD:
        assert await broker.admin.find(topic, topic[0], 5) == []


async def test_the_floors_that_one_node_proposes_fit_a_node_with_other_segments(tmp_path: Path) -> None:
    """Whatever a queue still has on the other node can be read there."""
    async with asyncio.timeout(LIMIT_S):
        leader, follower = Broker(tmp_path / "a", segment_bytes=8192), Broker(tmp_path / "b", segment_bytes=12_000)
        commands: list[c.Command] = []
        for one in (leader, follower):
            one.node.on_applied.append(lambda command, _outcome: commands.append(command))
        await leader.node.carry_out(c.CreateTopic(*leader.node.stamps(), "t", 1, 1, 4))
        for name in ("first", "second", "third"):
            await leader.fill(name)
        leader.node.take_snapshot()
        await leader.node.carry_out_plan(())
        assert await Retention(leader.node, bytes_max=3 * 8192, age_ms_max=0).work() > 1
        for command in tuple(commands):
            await follower.node.carry_out(command)
        drop = commands[-1]
        assert isinstance(drop, c.DropBefore)
        assert 1 < follower.node.log.first_index < drop.index == leader.node.log.first_index
        assert follower.node.machine.to_bytes() == leader.node.machine.to_bytes()
        for one in (leader, follower):
            one.node.reader.forget_all()
            queue = one.node.machine.queue("t", 0)
            assert 0 < queue.min_offset < queue.max_offset == 3 * FILLERS
            messages, after = await one.admin.peek("t", 0, 0, 256)
            assert [offset for offset, _ in messages] == list(range(queue.min_offset, queue.max_offset))
            assert after == queue.max_offset
            await one.close()
