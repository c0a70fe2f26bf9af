"""After retention every offset that a queue still has can be read, also where many messages came in one millisecond."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages, delivery_slice
from mq.broker.store.consume_queue import ConsumeQueue, QueueEntry
from mq.core.entry import RecordPlace
from mq.core.ids import CommitLogPosition, QueueOffset
from mq.core.ports import Steps, drive
from mq.server import turns
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.retention import Retention
from mq.server.turns import Turns

LIMIT_S = 10
MESSAGES = 400


async def test_the_first_offset_of_a_queue_is_that_of_a_message_that_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BrokerNode, "wall_ms", staticmethod(lambda: 1_700_000_000_000))
    node = BrokerNode(FileDisk(tmp_path / "data"), segment_bytes=8192, snapshot_every_bytes=8192)
    async with asyncio.timeout(LIMIT_S):
        await node.carry_out(c.CreateTopic(*node.stamps(), "t", 1, 2, 4))
        for number in range(MESSAGES):
            body = b"%d" % number
            batch = AppendMessages(*node.stamps(), "t", number % 2, 1, 0, (f"id{number}",), "", (body.ljust(60, b"."),))
            await node.carry_out(batch)
        assert len(node.log.segments()) > 4
        assert await Retention(node, bytes_max=3 * 8192, age_ms_max=0).work() > 1
        assert node.log.first_position > 0
        read = 0
        for queue in node.machine.topics["t"].queues:
            for offset in range(queue.min_offset, queue.max_offset):
                (entry,) = drive(queue.entries(QueueOffset(offset), 1), node.disk)
                place = RecordPlace(CommitLogPosition(entry.position), entry.size_bytes)
                payload = node.log.decode(place, node.disk.read(node.log.read(place))).payload
                assert delivery_slice(payload, entry.first).stored.rstrip(b".") == b"%d" % (2 * offset + queue.queue_id)
                read += 1
        assert 50 < read < MESSAGES - 50
        await node.close()


async def test_topics_that_come_while_files_are_read_do_not_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = BrokerNode(FileDisk(tmp_path / "data"), segment_bytes=8192, snapshot_every_bytes=8192)
    async with asyncio.timeout(LIMIT_S):
        for name in ("t", "%DLQ%g"):
            await node.carry_out(c.CreateTopic(*node.stamps(), name, 1, 2, 4))
        for number in range(MESSAGES):
            batch = AppendMessages(*node.stamps(), "t", number % 2, 1, 0, (f"id{number}",), "", (b"." * 60,))
            await node.carry_out(batch)
        run, made = node.reader.run, 0

        async def run_and_make(steps: object) -> object:
            nonlocal made
            made += 1
            await node.carry_out(c.CreateTopic(*node.stamps(), f"new{made}", 1, 1, 4))
            return await run(steps)  # type: ignore[arg-type]

        monkeypatch.setattr(node.reader, "run", run_and_make)
        assert await Retention(node, bytes_max=3 * 8192, age_ms_max=0).work() > 1
        assert made > 2
        await node.close()


async def test_a_long_row_of_dead_letters_that_are_to_go_is_passed_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_TURN_S", 0.0)
    queue = ConsumeQueue("%DLQ%g", 0)
    for number in range(2000):
        queue.append(QueueEntry(queue.max_offset, 0, 10 if number < 1500 else 20, 1000 + number, 90, 1, 0, 0))

    async def run(steps: Callable[[], Steps[Any]]) -> Any:
        with pytest.raises(StopIteration) as done:  # it is in memory
            next(steps())
        return done.value.value

    retention = Retention(cast(Any, SimpleNamespace(reader=SimpleNamespace(run=run))), bytes_max=1, age_ms_max=0)
    taken = Turns()
    assert await retention._floor_of(queue, 1000, 20, taken) == 1500
    assert 1500 / 100 < taken.pauses < 1500 / 10
