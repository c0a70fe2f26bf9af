"""The storage lane: plans in order, in its own thread or in the caller's, and what happens when one fails."""

import asyncio
import threading
from collections.abc import Mapping

import pytest

from mq.core.errors import DiskError, DiskFullError, MqError, StateError
from mq.core.ports import Operation, Plan, Read, Sync, Write
from mq.server.lane import StorageLane


class NotingDisk:
    """Notes what is done and in which thread; fails where it is told to; can be held up."""

    def __init__(self) -> None:
        self.done: list[tuple[Operation, str]] = []
        self.failures: dict[str, Exception] = {}
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def perform(self, operation: Operation) -> None:
        assert self.may_go_on.wait(10)
        if operation.file in self.failures:
            raise self.failures[operation.file]
        self.done.append((operation, threading.current_thread().name))

    def read(self, _read: Read) -> bytes:
        raise NotImplementedError

    def files(self) -> Mapping[str, int]:
        return {}


def written(file: str) -> tuple[Operation, ...]:
    return (Write(file, 0, b"x"), Sync(file))


async def test_an_idle_lane_lets_its_caller_do_a_short_plan_itself() -> None:
    disk = NotingDisk()
    lane = StorageLane(disk, asyncio.get_running_loop())
    ended: list[MqError | None] = []
    assert lane.try_here(written("a"), ended.append)
    assert ended == [None]
    assert {thread for _, thread in disk.done} == {threading.current_thread().name}
    assert not lane.try_here(written("a") * 2, ended.append)
    await lane.carry_out(written("b"))
    assert [(operation.file, thread) for operation, thread in disk.done[2:]] == [("b", "storage")] * 2
    lane.close()


async def test_a_plan_behind_others_goes_the_way_of_the_others() -> None:
    disk = NotingDisk()
    lane = StorageLane(disk, asyncio.get_running_loop())
    order: list[str] = []
    disk.may_go_on.clear()
    lane.submit(written("a"), lambda _: order.append("a"))
    assert not lane.try_here(written("b"), lambda _: order.append("b"))
    disk.may_go_on.set()
    await lane.carry_out(written("c"))
    order.append("c")
    # What is carried out but not told yet counts as waiting, too: answers keep their order.
    assert order == ["a", "c"]
    assert lane.try_here(written("b"), lambda _: order.append("b"))
    lane.close()


@pytest.mark.parametrize("callers", [1, 2, 3, 50])
async def test_a_plan_is_done_when_the_disk_has_done_all_of_it_and_not_before(callers: int) -> None:
    """Also a long one, that of many callers: whoever hears of it acknowledges, and its sync is what that rests on."""
    disk = NotingDisk()
    lane = StorageLane(disk, asyncio.get_running_loop())
    plans: list[Plan] = [
        (*(Write("log", at * callers + number, b"x") for number in range(callers)), Sync("log"), Write("queue", at, b"y"))
        for at in range(5)
    ]
    done_until: list[int] = []
    for plan in plans[:-1]:
        lane.submit(plan, lambda error: done_until.append(len(disk.done) if error is None else -1))
    await lane.carry_out(plans[-1])
    assert [operation for operation, _ in disk.done] == [operation for plan in plans for operation in plan]
    for number, seen in enumerate(done_until, 1):
        assert seen >= sum(map(len, plans[:number]))
    disk.done.clear()
    short = (Write("log", 0, b"x"), Sync("log"))
    assert lane.try_here(short, lambda error: done_until.append(len(disk.done) if error is None else -1))
    assert done_until[-1] == 2
    assert [operation for operation, _ in disk.done] == list(short)
    lane.close()


async def test_after_a_failed_sync_nothing_is_done_any_more_either_way() -> None:
    disk = NotingDisk()
    disk.failures["bad"] = DiskError("no")
    lane = StorageLane(disk, asyncio.get_running_loop())
    ended: list[MqError | None] = []
    assert lane.try_here(written("bad"), ended.append)
    assert lane.try_here(written("good"), ended.append)
    assert [str(error) for error in ended] == ["no", "no"]
    assert disk.done == []
    lane.close()


async def test_a_full_disk_fails_its_plan_alone() -> None:
    disk = NotingDisk()
    disk.failures["bad"] = DiskFullError("full")
    lane = StorageLane(disk, asyncio.get_running_loop())
    ended: list[MqError | None] = []
    assert lane.try_here(written("bad"), ended.append)
    assert lane.try_here(written("good"), ended.append)
    assert ended[1] is None
    lane.close()


async def test_a_bug_in_the_disk_is_told_to_whoever_waits() -> None:
    disk = NotingDisk()
    disk.failures["bad"] = ZeroDivisionError("oh")
    lane = StorageLane(disk, asyncio.get_running_loop())
    ended: asyncio.Future[MqError | None] = asyncio.get_running_loop().create_future()
    lane.submit(written("bad"), ended.set_result)
    error = await asyncio.wait_for(ended, 10)
    assert isinstance(error, StateError)
    assert "ZeroDivisionError: oh" in str(error)
    lane.close()
