"""A leader whose disk hangs lets another node lead, also when it hangs at the first entry of its reign."""

import asyncio
import threading
from pathlib import Path

import pytest

from mq.core.ports import Operation
from mq.raft.role import Role
from mq.server import hung_disk as module
from mq.server.disk import FileDisk
from mq.server.hung_disk import HungDiskWatch
from mq.server.node import BrokerNode
from tests.unit.server.eventually import until
from tests.unit.server.trio import LIMIT_S, Trio


class HangingDisk(FileDisk):
    """node: while this one leads, operations are taken in and do not come back. is_free: set, all is well again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.node: BrokerNode | None = None
        self.is_free = threading.Event()

    def perform(self, operation: Operation) -> None:
        """See `FileDisk`."""
        if self.node is not None and self.node.view().role is Role.LEADER:
            self.is_free.wait(LIMIT_S)
        super().perform(operation)


async def test_a_disk_that_hangs_at_the_first_entry_of_a_reign_costs_its_node_the_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HUNG_S", 0.2)
    # All three share this event loop: none may do a write in it, as a node with a single caller does.
    monkeypatch.setattr(BrokerNode, "is_lone", lambda _node: False)
    trio = Trio(tmp_path)
    trio.make_disk = HangingDisk
    trio.start(1, 2, 3)
    async with asyncio.timeout(LIMIT_S):
        first = await trio.leader()
        follower, other = (node for node in trio.nodes.values() if node is not first)
        assert follower.group is not None
        assert other.group is not None
        follower_id, other_id = follower.group.node_id, other.group.node_id
        disk = follower.disk
        assert isinstance(disk, HangingDisk)
        disk.node = follower
        first.order(lambda core: core.transfer(follower_id))
        await until(lambda: follower.view().role is Role.LEADER)

        async def hand_over() -> bool:
            assert not follower.reign.is_here, "its own first entry is not durable, so it is not applied"
            follower.order(lambda core: core.transfer(other_id))
            await until(lambda: follower.view().role is not Role.LEADER)
            return True

        work = asyncio.create_task(HungDiskWatch(follower, lambda: other_id, hand_over).work_forever())
        try:
            await until(lambda: other.reign.is_here)
        finally:
            work.cancel()
            disk.is_free.set()
        await trio.stop()
