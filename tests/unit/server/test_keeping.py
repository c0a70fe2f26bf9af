"""Which snapshots stay on the disk."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.broker.commands import DeleteTopic
from mq.broker.store.queue_entry import queue_folder
from mq.broker.store.snapshot import snapshot_file
from mq.core.errors import DiskFullError
from mq.core.ids import EntryId, LogIndex, QueueOffset, Term
from mq.core.ports import Operation, Plan, Remove, Replace, drive
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.server.disk import FileDisk
from mq.server.keeping import Keeper
from mq.server.node import BrokerNode
from tests.unit.server.trio import send, topic


def stands_for(index: int) -> Snapshot:
    return Snapshot(EntryId(Term(1), LogIndex(index)), Configuration.of(1, 2, 3))


async def test_the_snapshot_that_followers_are_given_stays_although_no_segment_begins_behind_it() -> None:
    """The leader's log may begin in the middle of one of this node's segments: what is kept before that is what it has."""
    removed: list[str] = []

    def submit(plan: Plan, *_: Any) -> None:
        removed.extend(operation.file for operation in plan if isinstance(operation, Remove))

    segments = [SimpleNamespace(first_index=100), SimpleNamespace(first_index=205)]
    log = SimpleNamespace(first_index=100, segments=lambda: segments)
    offered = 150
    keeper = Keeper(
        cast(Any, None), cast(Any, SimpleNamespace(submit=submit)), cast(Any, log),
        cast(Any, SimpleNamespace(applied_bytes=0, applied_index=0)),
        snapshots={index: stands_for(index) for index in (99, 120, 150, 204, 210)}, every_bytes=1000, stands_for=lambda: None,
        offered=lambda: offered, is_quiet=lambda: True, is_of_group=True,
    )  # fmt: skip
    keeper.came(stands_for(300))
    assert removed == [snapshot_file(120)]
    offered = 204
    keeper.came(stands_for(400))
    assert removed[1:] == [snapshot_file(210), snapshot_file(150)]
    assert sorted(keeper.snapshots) == [99, 204, 300, 400]


async def test_what_was_to_be_removed_of_a_deleted_topic_is_not_taken_from_one_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try failed for lack of space; by the second one the files of these names are another topic's."""
    node, perform = BrokerNode(FileDisk(tmp_path), segment_bytes=64 << 10), FileDisk.perform

    def has_no_room_for_a_snapshot(disk: FileDisk, operation: Operation) -> None:
        if isinstance(operation, Replace) and operation.file.startswith("snapshots/"):
            raise DiskFullError("No space left on device")
        perform(disk, operation)

    async def make_topic_and_send(count: int) -> None:
        await node.carry_out(topic(node))
        await send(node, 0, count)
        node.take_snapshot()
        await node.carry_out_plan(())

    try:
        await make_topic_and_send(30)
        with monkeypatch.context() as patched:
            patched.setattr(FileDisk, "perform", has_no_room_for_a_snapshot)
            await node.carry_out(DeleteTopic(*node.stamps(), "t"))
            await node.carry_out_plan(())
        await make_topic_and_send(20)
        assert [file for file in node.disk.files() if file.startswith(f"{queue_folder('t', 0)}/")] != []
        found = drive(node.machine.queue("t", 0).entries(QueueOffset(0), 100), node.disk)
        assert sum(entry.count for entry in found) == 20
    finally:
        await node.close()
