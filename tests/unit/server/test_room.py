"""A leader whose disk is nearly full lets a node lead that has room: before anything is refused, and when it comes to that."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from mq.core.errors import Code, MqError, RefusedError
from mq.server import room as module
from mq.server.node import BrokerNode, Reign
from mq.server.room import RoomKeeper
from mq.server.space import SpaceGuard
from tests.unit.server.eventually import until

LEADS, FOLLOWS = Reign(1, 1, is_here=True), Reign(2, 2, is_here=False)


class Setting:
    """A keeper with what it sees, and what it did."""

    def __init__(self, *, roomy: Sequence[int] = (2, 3), is_short: bool = True, takes_over: bool | MqError = True) -> None:
        self.roomy, self.takes_over = list(roomy), takes_over
        self.node, self.space = SimpleNamespace(reign=LEADS), SimpleNamespace(is_short=is_short)
        self.asked, self.handed_to = 0, list[Sequence[int]]()
        self.keeper = RoomKeeper(
            cast(BrokerNode, self.node), cast(SpaceGuard, self.space), with_room=self._with_room, hand_over=self._hand_over
        )

    async def _with_room(self) -> list[int]:
        self.asked += 1
        await asyncio.sleep(0)
        return self.roomy

    async def _hand_over(self, nodes: Sequence[int]) -> bool:
        self.handed_to.append(nodes)
        await asyncio.sleep(0)
        if isinstance(self.takes_over, MqError):
            raise self.takes_over
        self.node.reign = FOLLOWS if self.takes_over else LEADS
        return self.takes_over


async def test_all_who_are_refused_at_the_same_time_wait_for_one_hand_over() -> None:
    setting = Setting()
    assert await asyncio.gather(*(setting.keeper.make_way() for _ in range(5))) == [True] * 5
    assert (setting.asked, setting.handed_to) == (1, [[2, 3]])


async def test_a_caller_that_goes_away_does_not_end_the_hand_over_of_the_others() -> None:
    setting = Setting()
    gone, stays = asyncio.create_task(setting.keeper.make_way()), asyncio.create_task(setting.keeper.make_way())
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays


async def test_a_group_without_room_is_not_asked_for_every_message(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(roomy=[])
    assert [await setting.keeper.make_way() for _ in range(20)] == [False] * 20
    assert (setting.asked, setting.handed_to) == (1, [])
    monkeypatch.setattr(module, "_AGAIN_S", 0.0)
    other = Setting(roomy=[])
    assert [await other.keeper.make_way() for _ in range(3)] == [False] * 3
    assert other.asked == 3, "later it is asked again"


@pytest.mark.parametrize(
    "takes_over", [False, RefusedError(Code.BAD_REQUEST, "members are being changed")], ids=["not", "refused"]
)
async def test_a_hand_over_that_fails_leaves_all_as_it_is(takes_over: bool | MqError) -> None:
    assert not await Setting(takes_over=takes_over).keeper.make_way()


async def test_leadership_goes_before_anything_is_refused_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.001)
    setting = Setting(is_short=False)
    work = asyncio.create_task(setting.keeper.work_forever())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await until(lambda: setting.asked > 0)
    setting.space.is_short = True
    await until(lambda: setting.node.reign is FOLLOWS)
    work.cancel()
    assert len(setting.handed_to) == 1, "who follows has nothing to hand over"
