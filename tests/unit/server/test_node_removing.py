"""Files of consume queues go only when the snapshot that a start would use does not need them any more."""

import asyncio
import shutil
from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.core.ports import Operation, Remove
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.opening import open_store

LIMIT_S = 10
SEGMENT_BYTES = 64 << 10


class CopyingDisk(FileDisk):
    """Keeps a copy of the folder as it is right behind each removal of a consume queue's file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.copies: list[Path] = []

    def perform(self, operation: Operation) -> None:
        super().perform(operation)
        if isinstance(operation, Remove) and operation.file.startswith("queues/"):
            copy = self.folder.with_name(f"copy{len(self.copies)}")
            shutil.copytree(self.folder, copy)
            self.copies.append(copy)


def send(node: BrokerNode, number: int) -> AppendMessages:
    return AppendMessages(*node.stamps(), "t", 0, 1, 0, (f"id{number}",), "", (b"body",))


async def test_a_kill_right_behind_a_removal_does_not_leave_a_snapshot_without_its_files(tmp_path: Path) -> None:
    disk = CopyingDisk(tmp_path / "data")
    node = BrokerNode(disk, segment_bytes=SEGMENT_BYTES)
    try:
        for command in (c.CreateTopic(*node.stamps(), "t", 1, 1, 4), send(node, 1), send(node, 2)):
            await asyncio.wait_for(node.carry_out(command), LIMIT_S)
        node.take_snapshot()
        await asyncio.wait_for(node.carry_out_plan(()), LIMIT_S)  # the snapshot is written
        await asyncio.wait_for(node.carry_out(c.DeleteTopic(*node.stamps(), "t")), LIMIT_S)
        await asyncio.wait_for(node.carry_out(c.CreateTopic(*node.stamps(), "u", 1, 1, 4)), LIMIT_S)
    finally:
        await asyncio.wait_for(node.close(), LIMIT_S)
    assert disk.copies
    for copy in disk.copies:
        copied = FileDisk(copy)
        try:
            opened = open_store(copied, segment_bytes=SEGMENT_BYTES)
        finally:
            copied.close()
        assert opened.snapshot_index > 0, "no snapshot was usable: the one that is there needs a file that is gone"
        assert "t" not in opened.machine.topics


async def test_what_a_failed_snapshot_did_not_remove_goes_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = CopyingDisk(tmp_path / "data")
    node = BrokerNode(disk, segment_bytes=SEGMENT_BYTES)
    try:
        for command in (c.CreateTopic(*node.stamps(), "t", 1, 1, 4), send(node, 1)):
            await asyncio.wait_for(node.carry_out(command), LIMIT_S)
        node.take_snapshot()
        await asyncio.wait_for(node.carry_out_plan(()), LIMIT_S)  # the snapshot is written
        full = FullForSnapshots(disk)
        monkeypatch.setattr(disk, "_replace", full)
        await asyncio.wait_for(node.carry_out(c.DeleteTopic(*node.stamps(), "t")), LIMIT_S)
        await asyncio.wait_for(node.carry_out(c.CreateTopic(*node.stamps(), "u", 1, 1, 4)), LIMIT_S)
        assert full.refused == 1
        assert disk.copies == []
        full.is_full = False
    finally:
        await asyncio.wait_for(node.close(), LIMIT_S)
    assert len(disk.copies) == 1


class FullForSnapshots:
    def __init__(self, disk: FileDisk) -> None:
        self._replace = disk._replace
        self.is_full, self.refused = True, 0

    def __call__(self, file: str, data: bytes) -> None:
        if self.is_full:
            self.refused += 1
            raise OSError(28, "No space left on device")
        self._replace(file, data)
