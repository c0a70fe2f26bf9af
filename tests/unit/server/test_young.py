"""Entries that point far back: compared with a look at all of them, and how much is read for that."""

import asyncio
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.broker.store.consume_queue import ConsumeQueue, QueueEntry
from mq.core.ids import QueueOffset
from mq.core.ports import Steps
from mq.server import turns, young
from mq.server.turns import Turns
from mq.server.young import YoungEntries

BEYOND = 1 << 40


class Letters:
    """A queue, all of its entries, and what looks at it. read: entries so far. turns: of the event loop, entries read in each."""

    def __init__(self) -> None:
        self.queue = ConsumeQueue("%DLQ%g", 0)
        self.all: list[QueueEntry] = []
        self.found = YoungEntries(cast(Any, SimpleNamespace(run=self._run)))
        self.read, self.turns = 0, [0]

    def add(self, log_index: int, store_ms: int, count: int = 1) -> None:
        entry = QueueEntry(self.queue.max_offset, 0, log_index, store_ms, 90, count, 0, 0)
        self.queue.append(entry)
        self.all.append(entry)

    def is_one_before(self, index: int, since_ms: int) -> bool:
        """As anybody sees it."""
        return any(
            entry.log_index < index and entry.store_ms >= since_ms and entry.base_offset + entry.count > self.queue.min_offset
            for entry in self.all
        )

    async def look(self, index: int, since_ms: int) -> bool:
        return await self.found.is_one_before(index, self.queue, since_ms, Turns())

    async def _run(self, steps: Callable[[], Steps[Any]]) -> Any:
        try:
            next(steps())
        except StopIteration as done:
            if isinstance(done.value, tuple):
                self.read += len(done.value)
                self.turns[-1] += len(done.value)
            return done.value
        raise AssertionError("all of it is in memory")

    async def count_turns(self) -> None:
        while True:
            self.turns.append(0)
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(40))
async def test_it_sees_what_a_look_at_all_of_them_sees(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(young, "_PAGE_ENTRIES", 4)
    print(f"seed {seed}")
    rng, letters = Random(seed), Letters()
    now_ms = since_ms = index = 0
    told = set()
    for _ in range(300):
        for _ in range(rng.choice((0, 0, 1, 2, 9))):
            now_ms += rng.choice((0, 0, 1, 5))
            letters.add(rng.randrange(max(1, now_ms - 200), now_ms + 5), now_ms, rng.choice((1, 1, 3)))
        since_ms = max(since_ms, now_ms - rng.choice((0, 20, 60, 60, 300)))
        index = rng.choice((index, now_ms - rng.randrange(-20, 200)))
        if letters.all and rng.random() < 0.05:
            letters.queue.drop_before(QueueOffset(rng.choice(letters.all).base_offset))
        is_one = await letters.look(index, since_ms)
        assert is_one == letters.is_one_before(index, since_ms)
        told.add(is_one)
    assert told == {False, True}


async def test_many_are_read_once_and_not_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_TURN_S", 0.0)
    letters = Letters()
    for number in range(20_000):
        letters.add(1000 + number, number)
    ticking = asyncio.create_task(letters.count_turns())
    assert not await letters.look(1000, 0)
    ticking.cancel()
    assert letters.read == 20_000
    assert 0 < max(letters.turns) <= 512
    letters.read = 0
    for index in range(1000, 3000, 10):  # segment by segment, what grows old makes way for the next
        assert not await letters.look(index, index - 1000)
        assert await letters.look(index + 1, index - 1000)
    letters.add(0, 20_000)
    assert await letters.look(1, 2000)
    assert letters.read <= 200 * 512 + 512, "at most the page where youth begins, and the last one"


async def test_the_first_that_is_in_the_way_is_enough() -> None:
    letters = Letters()
    for number in range(20_000):
        letters.add(1000 + number, number)
    assert await letters.look(BEYOND, 500)
    assert letters.read <= 512


async def test_a_queue_that_was_made_again_is_looked_at_anew() -> None:
    letters = Letters()
    letters.add(5, 1)
    assert await letters.look(6, 0)
    again = Letters()
    again.found = letters.found
    again.add(7, 1)
    assert not await again.look(6, 0)
    again.found.forget_all_but([again.queue])
    assert len(again.found._windows) == 1
    again.found.forget_all_but([])
    assert again.found._windows == {}
