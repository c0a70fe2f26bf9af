"""A disk that hangs: the log says it, a member's event loop goes on, a leader lets another node lead, a follower harms nobody."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mq.core.ports import Operation
from mq.raft.role import Role
from mq.server import disk_watch
from mq.server import hung_disk as module
from mq.server.disk import FileDisk
from mq.server.disk_watch import DiskWatch
from mq.server.hung_disk import HungDiskWatch
from mq.server.node import BrokerNode
from tests.unit.server.eventually import until
from tests.unit.server.trio import LIMIT_S, Trio, topic


class HangingDisk(FileDisk):
    """is_hanging: whether operations are taken in and do not come back now. is_free: set, all is well again.

    hang_in: the threads in which that may be. Of a member of a group, that is the lane's own.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_hanging: Callable[[], bool] = lambda: False
        self.hang_in: tuple[str, ...] = ("storage",)
        self.is_free = threading.Event()

    def perform(self, operation: Operation) -> None:
        """See `FileDisk`."""
        if self.is_hanging():
            assert threading.current_thread().name in self.hang_in, "the event loop would stand still"
            self.is_free.wait(LIMIT_S)
        super().perform(operation)


def disk_of(node: BrokerNode) -> HangingDisk:
    assert isinstance(node.disk, HangingDisk)
    return node.disk


def number_of(node: BrokerNode) -> int:
    assert node.group is not None
    return node.group.node_id


def hanging_trio(folder: Path) -> Trio:
    trio = Trio(folder)
    trio.make_disk = HangingDisk
    trio.start(1, 2, 3)
    return trio


async def handed_over(watched: BrokerNode, other: BrokerNode, hand_over: Callable[[], Awaitable[bool]]) -> None:
    """The watch of a node does its work until another one leads."""
    work = asyncio.create_task(HungDiskWatch(watched, lambda: number_of(other), hand_over).work_forever())
    try:
        await until(lambda: other.reign.is_here)
    finally:
        work.cancel()
        disk_of(watched).is_free.set()


async def transferred(leader: BrokerNode, other: BrokerNode) -> bool:
    leader.order(lambda core: core.transfer(number_of(other)))
    await until(lambda: leader.view().role is not Role.LEADER)
    return True


async def test_a_disk_that_hangs_at_the_first_entry_of_a_reign_costs_its_node_the_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HUNG_S", 0.2)
    trio = hanging_trio(tmp_path)
    async with asyncio.timeout(LIMIT_S):
        first = await trio.leader()
        follower, other = (node for node in trio.nodes.values() if node is not first)
        disk_of(follower).is_hanging = lambda: follower.view().role is Role.LEADER
        first.order(lambda core: core.transfer(number_of(follower)))
        await until(lambda: follower.view().role is Role.LEADER)

        async def hand_over() -> bool:
            assert not follower.reign.is_here, "its own first entry is not durable, so it is not applied"
            return await transferred(follower, other)

        await handed_over(follower, other, hand_over)
        await trio.stop()


async def test_a_disk_that_hangs_under_a_lone_caller_costs_its_node_the_lead_and_no_election_comes_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HUNG_S", 0.2)
    trio = hanging_trio(tmp_path)
    async with asyncio.timeout(LIMIT_S):
        leader = await trio.leader()
        other = next(node for node in trio.nodes.values() if node is not leader)
        term = leader.reign.term
        disk_of(leader).is_hanging = lambda: True
        answer = leader.propose(topic(leader))

        async def hand_over() -> bool:
            assert leader.reign.term == term, "its heartbeats went on"
            return await transferred(leader, other)

        await handed_over(leader, other, hand_over)
        await answer  # others have it
        await trio.stop()


async def test_a_follower_whose_disk_hangs_goes_on_in_all_else(tmp_path: Path) -> None:
    trio = hanging_trio(tmp_path)
    async with asyncio.timeout(LIMIT_S):
        leader = await trio.leader()
        follower = next(node for node in trio.nodes.values() if node is not leader)
        await until(lambda: follower.reign.leader == number_of(leader))
        disk_of(follower).is_hanging = lambda: True
        for number in range(20):
            await leader.carry_out(topic(leader, f"t{number}"))
        await until(lambda: follower.host.disk_busy_s > 0.1)
        assert follower.reign == (leader.reign.term, number_of(leader), False)
        disk_of(follower).is_free.set()
        await trio.agree()
        assert len(follower.machine.topics) == 20
        await trio.stop()


def test_a_disk_that_does_not_come_back_is_told_of_once_each_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(disk_watch, "_LOOK_EVERY_S", 0.001)
    seconds, is_over = iter((0.0, 1.9, 2.4, 2.9, 60.0, 0.0, 0.1, 3.0, 3.5)), threading.Event()

    def busy_s() -> float:
        found = next(seconds, None)
        if found is None:
            is_over.set()
        return found or 0.0

    with caplog.at_level(logging.WARNING, disk_watch.__name__):
        watch = DiskWatch(busy_s)
        assert is_over.wait(LIMIT_S)
        watch.close()
    assert [record.getMessage() for record in caplog.records] == [
        "the disk has not come back from one step for 2.4 s",
        "the disk has not come back from one step for 3.0 s",
    ]


class Told(logging.Handler):
    """is_told: set by whatever is said, in whatever thread."""

    def __init__(self) -> None:
        super().__init__()
        self.is_told = threading.Event()

    def emit(self, _record: logging.LogRecord) -> None:
        """See `Handler`."""
        self.is_told.set()


async def test_a_node_by_itself_whose_event_loop_waits_for_a_hung_disk_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_watch, "HUNG_S", 0.05)
    monkeypatch.setattr(disk_watch, "_LOOK_EVERY_S", 0.01)
    told, logger = Told(), logging.getLogger(disk_watch.__name__)
    logger.addHandler(told)
    node = BrokerNode(HangingDisk(tmp_path), segment_bytes=64 << 10)
    try:
        async with asyncio.timeout(LIMIT_S):
            await node.carry_out(topic(node, "before"))
            told.is_told.clear()
            disk_of(node).hang_in = ("MainThread", "storage")
            disk_of(node).is_free = told.is_told
            disk_of(node).is_hanging = lambda: True
            await node.carry_out(topic(node, "after"))
            assert told.is_told.is_set()
            await node.close()
    finally:
        logger.removeHandler(told)
