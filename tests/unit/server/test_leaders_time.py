"""Followers hear the time of their leader, and of nobody else."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.server import leaders_time
from mq.server.core import GroupSettings
from mq.server.leaders_time import TIME, LeadersTime
from mq.server.node import BrokerNode, Reign
from mq.server.peer_calling import OutgoingCall, PeerUnreachableError
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall

LIMIT_S = 20


class Follower:
    """Node 1. told: what each node answers. heard: what went into its clock."""

    def __init__(self, **told: Any) -> None:
        self.told = {int(name[-1]): answer for name, answer in told.items()}
        self.heard: list[int] = []
        self.asked = asyncio.Condition()
        self.numbers: list[int] = []
        self.on_reign: list[Any] = []
        self.node = SimpleNamespace(
            group=GroupSettings(node_id=1, voters=(1, 2, 3)), on_reign=self.on_reign, reign=Reign(3, None, is_here=False),
            clock=SimpleNamespace(hear_wall=self.heard.append), stamps=lambda: (7, 1_000),
        )  # fmt: skip
        network = cast(PeerNetwork, SimpleNamespace(call=self._call))
        self.time = LeadersTime(cast(BrokerNode, self.node), network)

    async def _call(self, node: int, call: OutgoingCall) -> bytes:
        assert call.name == TIME
        self.numbers.append(node)
        async with self.asked:
            self.asked.notify_all()
        told = self.told[node]
        if isinstance(told, asyncio.Future):
            told = await told
        if isinstance(told, Exception):
            raise told
        return json.dumps(told).encode()

    def leads(self, leader: int | None, *, is_ready: bool = True) -> None:
        self.node.reign = Reign(4, leader, is_here=leader == 1 and is_ready)
        for told in self.on_reign:
            told(self.node.reign)

    async def was_asked(self, often: int) -> None:
        async with asyncio.timeout(LIMIT_S), self.asked:
            await self.asked.wait_for(lambda: len(self.numbers) >= often)


def incoming() -> tuple[IncomingCall, list[Any]]:
    """A call of another node, and what is answered to it."""
    answers: list[Any] = []

    async def take(data: bytes, *, is_last: bool) -> None:
        assert is_last
        answers.append(json.loads(data))

    return cast(IncomingCall, SimpleNamespace(answer=take)), answers


@pytest.fixture
async def follower() -> AsyncIterator[Follower]:
    made = Follower(n2={"wall_ms": 5_000}, n3=PeerUnreachableError("no connection"))
    task = asyncio.create_task(made.time.hear_forever())
    await asyncio.sleep(0)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_new_leader_is_asked_at_once_and_again_later(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    assert follower.numbers == [], "nobody leads"
    monkeypatch.setattr(leaders_time, "_ASK_EVERY_S", 0.01)
    follower.leads(2)
    await follower.was_asked(3)
    assert set(follower.numbers) == {2}
    assert set(follower.heard) == {5_000}


async def test_a_leader_that_is_not_ready_yet_is_asked_again_soon(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaders_time, "_AGAIN_S", 0.01)
    follower.told[2] = {}
    follower.leads(2)
    await follower.was_asked(3)
    follower.told[2] = {"wall_ms": 6_000}
    await follower.was_asked(4)
    async with asyncio.timeout(LIMIT_S):
        while not follower.heard:  # noqa: ASYNC110 - the answer is on its way
            await asyncio.sleep(0)
    assert follower.heard == [6_000]


async def test_one_that_does_not_answer_tells_no_time_and_neither_does_this_node_itself(follower: Follower) -> None:
    follower.leads(3)
    await follower.was_asked(1)
    follower.leads(1)
    follower.leads(2)
    async with asyncio.timeout(LIMIT_S), follower.asked:
        await follower.asked.wait_for(lambda: 2 in follower.numbers)
    assert follower.numbers[0] == 3
    assert set(follower.numbers) == {2, 3}


async def test_what_a_leader_told_that_leads_no_more_does_not_count(follower: Follower) -> None:
    """It stood still, and its time with it: whoever leads now may be far ahead."""
    follower.told[2] = asyncio.get_running_loop().create_future()
    follower.leads(2)
    await follower.was_asked(1)
    follower.leads(3)
    follower.told[2].set_result({"wall_ms": 5_000})
    await follower.was_asked(2)
    assert follower.numbers[:2] == [2, 3]
    assert follower.heard == []


@pytest.mark.parametrize(("leader", "told"), [(1, {"wall_ms": 1_000}), (2, {}), (None, {})])
async def test_only_a_leader_knows_the_time(leader: int | None, told: dict[str, int], tmp_path: Path) -> None:
    call, answers = incoming()
    made = Follower()
    made.leads(leader)
    await made.time.answer(call)
    assert answers == [told]


@pytest.mark.parametrize(("is_ready", "told"), [(True, {"wall_ms": 1_000}), (False, {})], ids=["it is soon", "it never is"])
async def test_a_leader_that_is_not_ready_yet_answers_when_it_is(
    is_ready: bool, told: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is asked again later may have to lead before that, by a clock that nobody corrected."""
    monkeypatch.setattr(leaders_time, "_READY_S", LIMIT_S if is_ready else 0.01)
    call, answers = incoming()
    made = Follower()
    made.leads(1, is_ready=False)
    task = asyncio.create_task(made.time.answer(call))
    await asyncio.sleep(0)
    assert answers == []
    made.leads(1, is_ready=is_ready)
    async with asyncio.timeout(LIMIT_S):
        await task
    assert answers == [told]
