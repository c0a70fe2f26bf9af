"""Which snapshots stay on the disk."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.broker.batch import AppendMessages
from mq.broker.commands import CreateTopic, DeleteTopic
from mq.broker.store.queue_entry import queue_folder
from mq.broker.store.snapshot import snapshot_file
from mq.core.errors import DiskFullError
from mq.core.ids import EntryId, LogIndex, QueueOffset, Term
from mq.core.message import MessageKind, Permission
from mq.core.ports import Operation, Plan, Read, Remove, Replace, Sync, Write, drive
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.server import keeping
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
        offered=lambda: offered, is_quiet=lambda: True, is_of_group=True, run=lambda do: do(),
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


class OrderedDisk(FileDisk):
    """order: files of what was carried out; done: all of it. full: what there is no room for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.order: list[str] = []
        self.done: list[Operation] = []
        self.full: Callable[[Operation], bool] = lambda _: False

    def perform(self, operation: Operation) -> None:
        """See `FileDisk`."""
        if self.full(operation):
            raise DiskFullError("No space left on device")
        super().perform(operation)
        self.order.append(operation.file)
        self.done.append(operation)

    def index_of(self, prefix: str) -> int:
        """Of the first one."""
        return next(number for number, file in enumerate(self.order) if file.startswith(prefix))


async def with_queues(tmp_path: Path, queues: int) -> tuple[BrokerNode, OrderedDisk]:
    """A node with one message in each of so many queues."""
    disk = OrderedDisk(tmp_path)
    node = BrokerNode(disk, segment_bytes=64 << 10)
    await node.carry_out(CreateTopic(*node.stamps(), "t", int(MessageKind.NORMAL), queues, int(Permission.READ_WRITE)))
    for number in range(queues):
        await node.carry_out(AppendMessages(*node.stamps(), "t", number, 1, 0, (f"first {number}",), "", (b"body",)))
    return node, disk


async def test_what_callers_wait_for_does_not_wait_for_a_snapshot_of_many_queues(tmp_path: Path) -> None:
    node, disk = await with_queues(tmp_path, 40)
    disk.order.clear()
    node.take_snapshot()
    await send(node, 0, 1)
    await node.host.keeper.wait()
    log, last = disk.index_of("log/"), disk.index_of("snapshots/")
    assert len(set(disk.order[:log])) <= 16, "one piece of the work, or two, came before it"
    assert len({file for file in disk.order[:last] if file.startswith("queues/")}) == 40, "all of them came before the snapshot"
    await node.close()


@pytest.mark.parametrize("are_written_before", [False, True])
async def test_a_snapshot_comes_behind_the_syncs_of_all_that_its_queues_have_in_files(
    are_written_before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut leaves a state whose queues are full of holes. Some were written before, and not synced by then."""
    monkeypatch.setattr(keeping, "_FLUSH_ENTRIES", 1)
    node, disk = await with_queues(tmp_path, 5)
    if are_written_before:
        node.host.keeper._write_queues()
        await node.host.keeper.wait()
    written = {operation.file for operation in disk.done if operation.file.startswith("queues/")}
    assert len(written) == 5 * are_written_before
    node.take_snapshot()
    await node.host.keeper.wait()
    unsynced, synced = set[str](), set[str]()
    for operation in disk.done:
        if isinstance(operation, Replace) and operation.file.startswith("snapshots/"):
            break
        if isinstance(operation, Sync):
            unsynced.discard(operation.file)
            synced.add(operation.file)
        elif isinstance(operation, Write):
            unsynced.add(operation.file)
    assert [file for file in unsynced if file.startswith("queues/")] == []
    assert len([file for file in synced if file.startswith("queues/")]) == 5
    assert snapshot_file(node.machine.applied_index) in disk.order
    await node.close()


async def test_a_snapshot_whose_queues_found_no_room_is_none_and_what_it_would_replace_stays(tmp_path: Path) -> None:
    node, disk = await with_queues(tmp_path, 20)
    node.take_snapshot()
    await node.host.keeper.wait()
    first = node.last_snapshot_index
    assert first > 0
    await send(node, 0, 20)
    disk.full = lambda operation: isinstance(operation, Write) and operation.file.startswith("queues/")
    node.take_snapshot()
    await node.host.keeper.wait()
    assert node.last_snapshot_index == first
    assert sorted(file for file in disk.files() if file.startswith("snapshots/")) == [snapshot_file(first)]
    disk.full = lambda _: False
    await send(node, 20, 1)
    node.take_snapshot()
    await node.host.keeper.wait()
    assert node.last_snapshot_index > first, "with room, the next one holds"
    await node.close()
    again = BrokerNode(FileDisk(tmp_path), segment_bytes=64 << 10)
    found = drive(again.machine.queue("t", 0).entries(QueueOffset(0), 100), again.disk)
    assert sum(entry.count for entry in found) == 22
    await again.close()


async def test_a_topic_that_is_deleted_during_a_long_snapshot_leaves_no_file(tmp_path: Path) -> None:
    """Some of its files are made only when the snapshot comes to them: after it is known which ones there are."""
    node, disk = await with_queues(tmp_path, 30)
    node.take_snapshot()
    await node.carry_out(DeleteTopic(*node.stamps(), "t"))
    await node.host.keeper.wait()
    assert [file for file in disk.files() if file.startswith("queues/")] == []
    assert len({file for file in disk.order if file.startswith("queues/")}) == 30
    await node.close()


async def test_a_node_that_ends_writes_all_of_a_long_snapshot(tmp_path: Path) -> None:
    node, disk = await with_queues(tmp_path, 30)
    last = node.machine.applied_index
    await node.close()
    assert snapshot_file(last) in disk.files()
    again = BrokerNode(FileDisk(tmp_path), segment_bytes=64 << 10)
    assert (again.opened.snapshot_index, again.opened.replayed) == (last, 0)
    await again.close()


async def test_when_the_state_becomes_anothers_what_was_to_be_written_of_the_old_one_goes(tmp_path: Path) -> None:
    node, disk = await with_queues(tmp_path, 30)
    keeper = node.host.keeper
    node.take_snapshot()
    keeper.state_was_replaced(EntryId(Term(0), LogIndex(node.machine.applied_index + 100)))
    await node.carry_out_plan(())
    assert len({file for file in disk.order if file.startswith("queues/")}) == 30, "holes, where the new state's entries are not"
    holes = [disk.read(Read(file, 0, 100)) for file in disk.files() if file.startswith("queues/")]
    assert holes == [bytes(48)] * 30
    assert [file for file in disk.files() if file.startswith("snapshots/")] == []
    assert keeper.last_index == 0
    await node.close()
