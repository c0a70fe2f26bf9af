"""Polls of one group with different filters: what one of them leaves out may be another one's, and he hears of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.delivery.picker import Choice, Look
from mq.broker.exchange import DeliveredMessage, ReceiveWish
from mq.core.message import MessageKind
from mq.core.ports import Steps
from mq.server.clients import Clients
from mq.server.delivering import Deliverer
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from tests.unit.server.eventually import until

LIMIT_S = 20


class Kitchen:
    """A node with a topic, and verbs. looks: how often somebody looked for messages."""

    def __init__(self, folder: Path) -> None:
        self.node = BrokerNode(FileDisk(folder), segment_bytes=1 << 20)
        self.deliverer = Deliverer(self.node, Clients(lambda: 0))
        self._sent, self._seen = 0, list[Look]()
        choose = self.deliverer.picker.choose

        def counted(look: Look) -> Steps[Choice]:
            if not any(one is look for one in self._seen):  # one that had to wait for the disk begins again
                self._seen.append(look)
            return choose(look)

        self.deliverer.picker.choose = counted  # type: ignore[method-assign]

    @property
    def looks(self) -> int:
        return len(self._seen)

    async def send(self, tag: str) -> None:
        self._sent += 1
        kind, message_id = int(MessageKind.NORMAL), f"m{self._sent}"
        await self.node.carry_out(AppendMessages(*self.node.stamps(), "t", 0, kind, 0, (message_id,), tag, (b"x",)))

    async def poll(self, *tags: str, wait_ms: int = 600_000) -> "asyncio.Task[list[DeliveredMessage]]":
        """One that waits."""
        wish = ReceiveWish(
            group="g", topic="t", count_max=1, tags=frozenset(tags) if tags else None, invisible_ms=None, wait_ms=wait_ms,
            client=f"for {tags}",
        )  # fmt: skip
        before = self.deliverer.room.count
        found = asyncio.create_task(self.deliverer.receive(wish))
        await until(lambda: self.deliverer.room.count == before + 1)
        return found


@pytest.fixture
async def kitchen(tmp_path: Path) -> AsyncIterator[Kitchen]:
    found = Kitchen(tmp_path)
    await found.node.carry_out(c.CreateTopic(*found.node.stamps(), "t", int(MessageKind.NORMAL), 1, 4))
    yield found
    found.deliverer.stop()
    await found.node.close()


@pytest.mark.parametrize("before", [["a"], ["a", "a", "a"], ["a", "c", "d", "a"]])
async def test_a_message_comes_to_the_poll_that_wants_it_also_behind_others_that_do_not(
    kitchen: Kitchen, before: list[str]
) -> None:
    others = [await kitchen.poll(tag) for tag in before]
    wanting = await kitchen.poll("b")
    looks = kitchen.looks
    await kitchen.send("b")
    async with asyncio.timeout(LIMIT_S):
        got = await wanting
    assert [message.offset for message in got] == [0]
    assert not any(poll.done() for poll in others)
    # One round because of the message, and one because who takes all he may wakes the next.
    assert kitchen.looks - looks <= 2 * len({*before}) + 1, "who has the filter of one that found nothing need not look"
    await kitchen.send("a")
    done, _ = await asyncio.wait(others, timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
    assert [message.offset for poll in done for message in await poll] == [1]
    kitchen.deliverer.stop()
    await asyncio.gather(*others)


async def test_what_nobody_wants_is_looked_for_once_by_each_filter_and_no_more(kitchen: Kitchen) -> None:
    polls = [await kitchen.poll(tag) for tag in ("a", "b", "a", "b", "c")]
    looks = kitchen.looks
    await kitchen.send("x")
    for _ in range(200):
        await asyncio.sleep(0)
    assert kitchen.looks - looks == 3
    assert kitchen.deliverer.room.count == len(polls)
    kitchen.deliverer.stop()
    assert await asyncio.gather(*polls) == [[]] * len(polls)


async def test_a_poll_whose_client_says_goodbye_when_it_is_woken_leaves_the_message_to_the_next(kitchen: Kitchen) -> None:
    leaving, staying = await kitchen.poll("a"), await kitchen.poll("a", "b")
    kitchen.deliverer.room.messages_came("t", 1)
    kitchen.deliverer.room.end_polls("for ('a',)")
    before = kitchen.looks
    assert await leaving == []
    await until(lambda: kitchen.looks > before)
    assert not staying.done()
    await kitchen.send("b")
    async with asyncio.timeout(LIMIT_S):
        assert len(await staying) == 1
