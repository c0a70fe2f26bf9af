"""Whoever reads a segment that opening passed over first has the log read all of it. That holds nobody up."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.store.commit_log import StoredEntry
from mq.broker.store.consume_queue import NO_POSITION, QueueEntry
from mq.broker.store.scan import Group, GroupReader
from mq.core.entry import Entry, EntryKind, RecordPlace
from mq.core.errors import DamageError, StateError
from mq.core.ids import CommitLogPosition, LogIndex, Term
from mq.core.ports import Read, Steps
from mq.server import turns
from mq.server.disk import FileDisk, WouldBlockError
from mq.server.node import BrokerNode
from mq.server.reading import LogReader
from mq.server.retention import Retention
from mq.server.scrubbing import Scrubber

SEGMENT_BYTES = 12 << 20
TURN_BYTES_MAX = 4 << 20
MESSAGES = 240


class Opened:
    """A node whose log holds two segments that nobody has read yet, and what it reads.

    turns: of the event loop. read: bytes by turn. groups: how often one was decoded. is_cold: whether the system has nothing in
    memory but what was waited for.
    """

    def __init__(self, folder: Path) -> None:
        self.node = BrokerNode(FileDisk(folder), segment_bytes=SEGMENT_BYTES)
        self.damage: list[DamageError] = []
        self.node.reader.on_damage = self.damage.append
        self.turns, self.groups, self.read = 0, 0, Counter[int]()
        self.is_cold, self._warm = False, set[Read]()
        self.read_now, self.read_waiting = self.node.disk.read_now, self.node.disk.read
        self.about_to_read: Callable[[], object] = lambda: None

    def watched(self, read: Read) -> bytes:
        self.about_to_read()
        if self.is_cold and read not in self._warm:
            raise WouldBlockError
        self.read[self.turns] += read.size_bytes
        return self.read_now(read)

    def waited_for(self, read: Read) -> bytes:
        self._warm.add(read)
        return self.read_waiting(read)

    async def count_turns(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)


async def write(folder: Path) -> None:
    node = BrokerNode(FileDisk(folder), segment_bytes=SEGMENT_BYTES)
    await node.carry_out(c.CreateTopic(*node.stamps(), "t", 1, 1, 4))
    for first in range(0, MESSAGES, 4):
        batches = (
            AppendMessages(*node.stamps(), "t", 0, 1, 0, (f"{n}",), "", (bytes(1 << 16),)) for n in range(first, first + 4)
        )
        await asyncio.gather(*(node.carry_out(batch) for batch in batches))
    assert len(node.log.segments()) == 2
    await node.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    asyncio.run(write(folder))
    return folder


@pytest.fixture
async def opened(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opened]:
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(turns, "_TURN_S", 0.0)
    found = Opened(tmp_path)
    monkeypatch.setattr(found.node.disk, "read_now", found.watched)
    monkeypatch.setattr(found.node.disk, "read", found.waited_for)
    next_group = GroupReader.next_group

    def counted(reader: GroupReader) -> Steps[Group | None]:
        found.groups += 1
        return next_group(reader)

    monkeypatch.setattr(GroupReader, "next_group", counted)
    ticking = asyncio.create_task(found.count_turns())
    yield found
    ticking.cancel()
    await found.node.close()


async def scrub(opened: Opened) -> None:
    scrubber = Scrubber(opened.node, share=1.0)
    await scrubber.work()
    assert (scrubber.damage, scrubber.verified) == ([], MESSAGES + 1)


async def find_by_index(opened: Opened) -> None:
    """As a dead letter, or a message that was delayed."""
    for index in (MESSAGES // 3, MESSAGES):
        assert b"%d" % (index - 2) in await opened.node.reader.stored(QueueEntry(0, NO_POSITION, index, 1, 90, 1, 0, 0))


async def look_how_old_it_is(opened: Opened) -> None:
    for segment in opened.node.log.segments():
        assert await Retention(opened.node, bytes_max=0, age_ms_max=1)._store_ms(segment) <= opened.node.wall_ms()


@pytest.mark.parametrize("is_cold", [False, True])
@pytest.mark.parametrize("who", [scrub, find_by_index, look_how_old_it_is])
async def test_others_have_their_turn_and_nothing_is_read_again_and_again(
    opened: Opened, who: Callable[[Opened], Awaitable[None]], is_cold: bool
) -> None:
    opened.is_cold = is_cold
    async with asyncio.timeout(60):
        await who(opened)
    assert is_cold or max(opened.read.values()) <= TURN_BYTES_MAX
    # Once to learn where it is, once or twice to read it.
    assert MESSAGES / 4 <= opened.groups <= 3 * MESSAGES / 4
    opened.groups = 0
    await opened.node.reader.entries(LogIndex(MESSAGES // 2), LogIndex(MESSAGES // 2), 1)
    assert opened.groups <= 2, "the log knows its way by now"
    assert opened.damage == []


async def test_two_who_come_at_once_both_find_it(opened: Opened) -> None:
    first, last = LogIndex(MESSAGES // 4), LogIndex(MESSAGES // 4 + 3)
    found = await asyncio.gather(*(opened.node.reader.entries(first, last, 1 << 20) for _ in range(3)))
    assert [[entry.index for entry, _ in entries] for entries in found] == [list(range(first, last + 1))] * 3
    opened.node.log.check()
    await scrub(opened)


async def test_what_retention_takes_while_it_is_read_is_gone_and_not_damaged(opened: Opened) -> None:
    node, reads = opened.node, 0

    def drop() -> None:
        nonlocal reads
        reads += 1
        if reads == 3:
            for operation in node.log.drop_before(LogIndex(node.log.segments()[1].first_index)):
                node.disk.perform(operation)

    opened.about_to_read = drop
    with pytest.raises(StateError):
        await node.reader.entries(LogIndex(2), LogIndex(2), 1)
    assert (reads, len(node.log.segments()), opened.damage) == (3, 1, [])


# ---------------------------------------------------------------- other logs than ours

ENTRY = StoredEntry(Entry(LogIndex(7), Term(1), EntryKind.COMMAND, b"seven"), RecordPlace(CommitLogPosition(0), 90))


class OtherLog:
    """One that reads all it has, each time, and learns nothing. damaged: so many times it finds nothing but damage."""

    first_index, durable_index = LogIndex(1), LogIndex(7)

    def __init__(self, damaged: int = 0) -> None:
        self.damaged, self.searches = damaged, 0

    def term_at(self, _index: LogIndex) -> None:
        return None

    def entries(self, _first: LogIndex, _last: LogIndex, _bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        self.searches += 1
        for at in range(10):
            yield Read("log/a", at << 20, 1 << 20)
        if self.searches <= self.damaged:
            raise DamageError("log/a", 0, "it is not whole")
        return (ENTRY,)


def reader_of(log: OtherLog) -> tuple[LogReader, list[DamageError]]:
    reader, told = LogReader(cast(Any, log), cast(Any, SimpleNamespace(read_now=lambda _read: b""))), list[DamageError]()
    reader.on_damage = told.append
    return reader, told


async def test_a_log_that_never_learns_its_way_is_asked_again_once() -> None:
    log = OtherLog()
    reader, _ = reader_of(log)
    assert await reader.stored(QueueEntry(0, NO_POSITION, 7, 1, 90, 1, 0, 0)) == b"seven"
    assert log.searches == 3  # begun, in turns, in one go


async def test_damage_that_is_met_while_others_have_their_turn_is_believed_when_it_is_met_again() -> None:
    reader, told = reader_of(OtherLog(damaged=1))
    assert await reader.entries(LogIndex(7), LogIndex(7), 1) == (ENTRY,)
    assert told == []
    reader, told = reader_of(OtherLog(damaged=9))
    with pytest.raises(DamageError):
        await reader.entries(LogIndex(7), LogIndex(7), 1)
    assert len(told) == 1
    with pytest.raises(DamageError):
        await reader.stored(QueueEntry(0, NO_POSITION, 7, 1, 90, 1, 0, 0))
    assert len(told) == 2
