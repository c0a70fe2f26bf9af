"""Whoever reads the log and finds it damaged, the node is told: the background, a consumer, a follower that lags behind."""

import asyncio
from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.core.errors import DamageError
from mq.core.ids import LogIndex, QueueOffset, Term
from mq.raft.output import EntriesWanted
from mq.server.core import GroupSettings
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.scrubbing import Scrubber

LIMIT_S = 30
GROUP = GroupSettings(node_id=1, voters=(1, 2, 3))


async def fill(folder: Path) -> None:
    """Several small segments, closed with a snapshot over all of them; of the 20 messages, number 3 is damaged."""
    node = BrokerNode(FileDisk(folder), segment_bytes=64 << 10)
    await node.carry_out(c.CreateTopic(*node.stamps(), "t", 1, 1, 4))
    for number in range(20):
        body = b"body-%02d" % number * 1000
        await node.carry_out(AppendMessages(*node.stamps(), "t", 0, 1, 0, (f"id-{number}",), "", (body,)))
    await node.close()
    segment = min((folder / "log").iterdir())
    data = bytearray(segment.read_bytes())
    data[data.index(b"body-03")] ^= 1
    segment.write_bytes(data)


class Opened:
    """A node on that folder, and what it was told. Opening does not read so far back, so it knows nothing yet."""

    def __init__(self, folder: Path, *, group: GroupSettings | None = None) -> None:
        self.node = BrokerNode(FileDisk(folder), segment_bytes=64 << 10, group=group)
        self.told: list[DamageError] = []
        self.heard = asyncio.Event()
        self.node.reader.on_damage = self.node.host.on_damage = self._hear

    def _hear(self, damage: DamageError) -> None:
        self.told.append(damage)
        self.heard.set()

    async def close(self) -> None:
        """And check what it was told."""
        await self.node.close()
        assert {damage.file.split("/")[0] for damage in self.told} == {"log"}


async def test_reading_in_the_background_tells_it(tmp_path: Path) -> None:
    await fill(tmp_path)
    opened = Opened(tmp_path)
    assert opened.told == []
    scrubber = Scrubber(opened.node, share=1.0)
    await scrubber.work()
    assert opened.told == scrubber.damage
    await opened.close()


async def test_a_node_that_is_out_reads_no_further(tmp_path: Path) -> None:
    await fill(tmp_path)
    opened = Opened(tmp_path)
    opened.node.reader.on_damage = opened.node.breaks_down
    scrubber = Scrubber(opened.node, share=1.0)
    await scrubber.work()
    assert len(opened.node.log.segments()) > 2
    assert len(scrubber.damage) == 1
    assert scrubber.verified < 10
    await opened.node.close()


async def test_a_consumers_read_tells_it_and_the_consumer(tmp_path: Path) -> None:
    await fill(tmp_path)
    opened = Opened(tmp_path)
    node = opened.node
    entries = await node.reader.run(lambda: node.machine.queue("t", 0).entries(QueueOffset(0), 20))
    assert (await node.reader.stored(entries[2])).count(b"body-02") == 1000
    assert opened.told == []
    with pytest.raises(DamageError) as found:
        await node.reader.stored(entries[3])
    assert opened.told == [found.value]
    await opened.close()


async def test_looking_a_record_up_tells_it(tmp_path: Path) -> None:
    await fill(tmp_path)
    opened = Opened(tmp_path)
    node = opened.node
    entries = await node.reader.run(lambda: node.machine.queue("t", 0).entries(QueueOffset(3), 1))
    assert entries[0].place is not None
    with pytest.raises(DamageError) as found:
        await node.reader.record(entries[0].place)
    assert opened.told == [found.value]
    await opened.close()


async def test_what_is_to_be_sent_to_a_follower_tells_it(tmp_path: Path) -> None:
    await fill(tmp_path)
    opened = Opened(tmp_path, group=GROUP)
    wanted = EntriesWanted(2, Term(1), LogIndex(3), LogIndex(8), 1 << 20)
    async with asyncio.timeout(LIMIT_S):
        opened.node.host.fetch(wanted)
        await opened.heard.wait()
    assert opened.node.failure is None, "what to do about it is for others to say"
    await opened.close()
