"""Who is woken when, and that no waking is lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mq.server.waiting import WaitingRoom
from tests.unit.server.eventually import until


@pytest.fixture
async def room() -> AsyncIterator[WaitingRoom]:
    found = WaitingRoom(asyncio.get_running_loop())
    yield found
    found.wake_all()


async def begun(room: WaitingRoom, *waits: "asyncio.Task[None]") -> None:
    """Let the tasks run until they wait."""
    before = room.count
    await until(lambda: room.count >= before + len(waits))


async def test_the_one_that_waits_longest_is_woken_first(room: WaitingRoom) -> None:
    first, second = (asyncio.create_task(room.wait("t", "g", 60)) for _ in range(2))
    await begun(room, first, second)
    room.wake("t", "g", 1)
    await first
    assert (second.done(), room.count) == (False, 1)
    room.messages_came("t", 1)
    await second
    assert room.count == 0


async def test_a_message_wakes_one_poll_of_each_group_and_of_no_other_topic(room: WaitingRoom) -> None:
    waits = {key: asyncio.create_task(room.wait(*key, 60)) for key in (("t", "a"), ("t", "b"), ("other", "a"))}
    await begun(room, *waits.values())
    room.messages_came("t", 1)
    await asyncio.gather(waits["t", "a"], waits["t", "b"])
    assert not waits["other", "a"].done()


async def test_a_wait_ends_by_itself(room: WaitingRoom) -> None:
    await asyncio.wait_for(room.wait("t", "g", 0.001), 10)
    assert room.count == 0


async def test_who_is_cancelled_after_being_woken_wakes_the_next(room: WaitingRoom) -> None:
    first, second = (asyncio.create_task(room.wait("t", "g", 60)) for _ in range(2))
    await begun(room, first, second)
    room.wake("t", "g", 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await asyncio.wait_for(second, 10)
    assert room.count == 0


async def test_who_is_cancelled_before_wakes_nobody(room: WaitingRoom) -> None:
    first, second = (asyncio.create_task(room.wait("t", "g", 60)) for _ in range(2))
    await begun(room, first, second)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (second.done(), room.count) == (False, 1)


async def test_the_polls_of_one_client_are_ended_and_no_others(room: WaitingRoom) -> None:
    with room.poll("anna") as hers, room.poll("bert") as his, room.poll("anna") as idle:
        waits = [asyncio.create_task(room.wait("t", "g", 60, poll)) for poll in (hers, his)]
        await begun(room, *waits)
        room.end_polls("anna")
        await waits[0]
        assert (hers.is_over, idle.is_over, his.is_over, waits[1].done()) == (True, True, False, False)
    room.end_polls("anna")
    with room.poll("anna") as another:
        assert not another.is_over


async def test_an_alarm_rings_for_all_that_wait_and_the_earliest_counts(room: WaitingRoom) -> None:
    waits = [asyncio.create_task(room.wait("t", "g", 60)) for _ in range(3)]
    await begun(room, *waits)
    room.wake_in("t", "g", 50)
    room.wake_in("t", "g", 0.001)
    room.wake_in("t", "g", 50)
    await asyncio.wait_for(asyncio.gather(*waits), 10)
    assert room.count == 0


async def test_nobody_is_woken_for_another_groups_alarm_and_none_is_set_for_nobody(room: WaitingRoom) -> None:
    room.wake_in("t", "g", 0.001)
    waiting = asyncio.create_task(room.wait("t", "other", 60))
    await begun(room, waiting)
    room.wake_in("t", "g", 0.001)
    assert room._alarms == {}
    room.wake_in("t", "other", 0.001)
    assert list(room._alarms) == [("t", "other")]
    await asyncio.wait_for(waiting, 10)
    assert room._alarms == {}
