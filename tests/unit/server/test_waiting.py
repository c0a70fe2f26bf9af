"""Who is woken when, and that no waking is lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mq.server.waiting import Tried, WaitingRoom
from tests.unit.server.eventually import until


@pytest.fixture
async def room() -> AsyncIterator[WaitingRoom]:
    found = WaitingRoom(asyncio.get_running_loop())
    yield found
    found.wake_all()


async def begun(room: WaitingRoom, *waits: "asyncio.Task[Tried | None]") -> None:
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


async def test_nothing_is_kept_of_those_who_wait_no_more(room: WaitingRoom) -> None:
    """Or each message would have to look through all groups that ever waited for one."""
    poll = asyncio.create_task(room.wait("t", "g", 60))
    others = [asyncio.create_task(room.wait("t", f"group {number}", 60)) for number in range(3)]
    await begun(room, poll, *others)
    room.wake("t", "group 0", 1)
    others[1].cancel()
    room.wake("t", "group 2", 1)
    await asyncio.wait(others)
    assert {topic: set(groups) for topic, groups in room._waiting.items()} == {"t": {"g"}}
    room.messages_came("t", 1)
    await poll
    assert room._waiting == {}


async def test_who_comes_while_another_one_leaves_is_woken(room: WaitingRoom) -> None:
    """The one that was woken still stands at the door when the next one comes, and takes nothing of his along."""
    first = asyncio.create_task(room.wait("t", "g", 60))
    await begun(room, first)
    room.wake("t", "g", 1)
    second = asyncio.create_task(room.wait("t", "g", 60))
    await first
    await until(lambda: room.count == 1)
    room.messages_came("t", 1)
    await asyncio.wait_for(second, 10)
    assert room._waiting == {}


async def test_a_group_that_may_go_on_is_woken_in_each_topic_and_no_other_group_is(room: WaitingRoom) -> None:
    waits = {key: asyncio.create_task(room.wait(*key, 60)) for key in (("t", "a"), ("other", "a"), ("t", "b"))}
    await begun(room, *waits.values())
    room.group_may_go_on("a", 1)
    await asyncio.gather(waits["t", "a"], waits["other", "a"])
    assert not waits["t", "b"].done()


async def test_a_waking_goes_on_to_those_with_another_filter_and_to_each_filter_once(room: WaitingRoom) -> None:
    a, b = frozenset({"a"}), frozenset({"b"})
    filters = {"a": a, "another a": a, "b": b, "all": None}
    waits = {name: asyncio.create_task(room.wait("t", "g", 60, tags=tags)) for name, tags in filters.items()}
    await until(lambda: room.count == len(waits))
    room.messages_came("t", 1)
    tried = await waits["a"]
    assert tried is not None
    assert tried == frozenset()
    room.pass_on("t", "g", tried | {a})
    tried = await waits["b"]
    assert tried is not None
    assert tried == frozenset({a})
    room.pass_on("t", "g", tried | {b})
    tried = await waits["all"]
    assert tried is not None
    assert tried == frozenset({a, b})
    room.pass_on("t", "g", tried | {None})
    assert (waits["another a"].done(), room.count) == (False, 1)
    room.wake_all()
    assert await waits["another a"] is None, "where all look, nothing is passed on"


async def test_a_wait_that_ends_by_itself_or_with_all_others_has_nothing_to_pass_on(room: WaitingRoom) -> None:
    assert await room.wait("t", "g", 0.001) is None
    waiting = asyncio.create_task(room.wait("t", "g", 60))
    await begun(room, waiting)
    room.wake_in("t", "g", 0.001)
    assert await waiting is None
