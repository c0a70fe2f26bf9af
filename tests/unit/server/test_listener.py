"""When the door for clients closes and opens: at once without a quorum, after a while without a leader, never for a hand-over."""

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.server import coming_in
from mq.server import listener as module
from mq.server.core import GroupSettings
from mq.server.listener import Listener
from mq.server.node import BrokerNode, Reign
from tests.unit.server.eventually import until

OWN = 1
NONE_LEADS = Reign(3, None, is_here=False)


class Node:
    """What a listener sees of a node."""

    def __init__(self, reign: Reign, voters: tuple[int, ...]) -> None:
        self.reign = reign
        self.group = GroupSettings(node_id=OWN, voters=voters, tick_ms=1)
        self._changed = asyncio.Event()

    def becomes(self, reign: Reign) -> None:
        self.reign = reign
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, is_true: Callable[[], bool]) -> None:
        while not is_true():
            await self._changed.wait()


class Door(Listener):
    """A listener that only notes what it does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 1), cast(Any, SimpleNamespace(messaging={}, extension={})))
        self.has_clients = True

    @property
    def is_open(self) -> bool:
        return self.has_clients

    async def open(self) -> None:
        self.has_clients = True

    async def close(self, grace_s: float) -> None:
        self.has_clients = False


@asynccontextmanager
async def following(
    reign: Reign,
    unreached: Container[int] = (),
    peers_are_led: Sequence[bool] = (False,),
    voters: tuple[int, ...] = (OWN, 2, 3),
) -> AsyncIterator[tuple[Node, Door]]:
    """peers_are_led: what the others answer, one after the other; the last one for ever."""
    node, door, answers = Node(reign, voters), Door(), list(peers_are_led)

    async def is_led() -> bool:
        await asyncio.sleep(0)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    task = asyncio.create_task(door.follow(cast(BrokerNode, node), lambda other: other not in unreached, is_led))
    await asyncio.sleep(0)
    yield node, door
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_leader_that_heard_of_no_quorum_turns_its_clients_away_at_once_and_takes_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 3600.0)
    async with following(Reign(3, OWN, is_here=True)) as (node, door):
        node.becomes(NONE_LEADS)
        await until(lambda: not door.has_clients)
        assert not door.has_clients
        node.becomes(Reign(4, 2, is_here=False))
        await until(lambda: door.has_clients)
        assert door.has_clients


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (Reign(3, 2, is_here=False), NONE_LEADS),
        (Reign(2, OWN, is_here=True), NONE_LEADS),
        (Reign(2, None, is_here=False), NONE_LEADS),
    ],
    ids=["follower", "leader that hands over", "candidate"],
)
async def test_others_wait_for_a_leader_first(before: Reign, now: Reign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 3600.0)
    async with following(before) as (node, door):
        node.becomes(now)
        for _ in range(20):
            await asyncio.sleep(0)
        assert door.has_clients, "calls are held meanwhile"
        node.becomes(Reign(4, 2, is_here=False))
        for _ in range(20):
            await asyncio.sleep(0)
        assert door.has_clients


async def test_a_node_without_a_leader_turns_its_clients_away_when_its_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.01)
    async with following(Reign(3, 2, is_here=False)) as (node, door):
        node.becomes(NONE_LEADS)
        await until(lambda: not door.has_clients)
        assert not door.has_clients


async def test_a_node_that_never_hears_of_a_leader_since_its_start_turns_its_clients_away_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.01)
    async with following(Reign(0, None, is_here=False)) as (node, door):
        await until(lambda: not door.has_clients)
        assert not door.has_clients
        node.becomes(Reign(1, 2, is_here=False))
        await until(lambda: door.has_clients)
        assert door.has_clients


async def test_a_node_that_looks_around_before_it_begins_alone_keeps_who_asks_it_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert module._ALONE_PATIENCE_S > 2 * coming_in._DIALED_S, "it leads before its patience ends, on a busy machine too"
    monkeypatch.setattr(module, "_PATIENCE_S", 0.01)
    async with following(Reign(0, None, is_here=False), voters=(OWN,)) as (node, door):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await until(lambda: not door.has_clients)
        node.becomes(Reign(1, OWN, is_here=True))
        for _ in range(20):
            await asyncio.sleep(0)
        assert door.has_clients


async def test_a_node_whose_peers_follow_a_leader_turns_its_clients_away_before_its_patience_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 3600.0)
    monkeypatch.setattr(module, "_ASK_EVERY_S", 0.001)
    async with following(Reign(3, 2, is_here=False), peers_are_led=[False, True, False, True]) as (node, door):
        node.becomes(NONE_LEADS)
        await until(lambda: not door.has_clients)
        assert not door.has_clients
        node.becomes(Reign(3, 2, is_here=False))
        await until(lambda: door.has_clients)
        assert door.has_clients


async def test_one_word_of_a_leader_is_not_enough_for_it_may_be_about_to_speak_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 3600.0)
    monkeypatch.setattr(module, "_ASK_EVERY_S", 0.001)
    asked: list[bool] = [False, True] * 50
    async with following(Reign(3, 2, is_here=False), peers_are_led=[*asked, False]) as (node, door):
        node.becomes(NONE_LEADS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await until(lambda: not door.has_clients)
        assert door.has_clients


async def test_peers_are_asked_only_when_their_own_time_outs_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 3600.0)
    async with following(Reign(3, 2, is_here=False), peers_are_led=[True]) as (node, door):
        node.group = GroupSettings(node_id=OWN, voters=(1, 2, 3), tick_ms=1000)
        node.becomes(NONE_LEADS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await until(lambda: not door.has_clients)
        assert door.has_clients, "they may believe in the dead leader still"


async def test_a_node_that_hears_its_leader_but_cannot_reach_it_turns_clients_away_until_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(module, "_UNREACHED_S", 0.02)
    unreached = {2}
    async with following(Reign(3, 2, is_here=False), unreached) as (node, door):
        await until(lambda: not door.has_clients)
        assert node.reign.leader == 2
        unreached.clear()
        await until(lambda: door.has_clients)
        assert door.has_clients


async def test_a_connection_that_is_made_again_soon_does_not_close_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(module, "_UNREACHED_S", 3600.0)
    async with following(Reign(3, 2, is_here=False), {2}) as (_node, door):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await until(lambda: not door.has_clients)
        assert door.has_clients
