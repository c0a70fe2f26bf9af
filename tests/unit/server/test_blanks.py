"""What a plan wrote before it found no room does not come back to life."""

import shutil
from pathlib import Path

import pytest

from mq.broker.store.commit_log import CommitLog, Recovery
from mq.core.entry import Entry, EntryKind
from mq.core.errors import DiskFullError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Create, Operation, Plan, Remove, Sync, Write, drive
from mq.raft.messages import AppendRequest
from mq.server.blanks import blanks
from mq.server.core import GroupSettings
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from tests.unit.server.eventually import until

SEGMENT_BYTES = 1 << 16


def test_new_files_go_first_and_zeros_are_durable_before_anything_else_is_written() -> None:
    plan = (Write("log/0", 100, b"abc"), Sync("log/0"), Create("log/1", 64), Write("log/1", 0, b"head"), Sync("log/1"))
    assert blanks(plan) == (Remove("log/1"), Write("log/0", 100, b"\0\0\0"), Sync("log/0"))
    assert blanks((Sync("log/0"),)) == ()


class Narrow(FileDisk):
    """Has room for what stands before `refused` in a write, and for no more."""

    refused = b"no room for me"

    def perform(self, operation: Operation) -> None:
        if isinstance(operation, Write) and self.refused in operation.data:
            super().perform(Write(operation.file, operation.at, operation.data[: operation.data.index(self.refused)]))
            raise DiskFullError("no room")
        super().perform(operation)


def request(index: int, *payloads: bytes) -> AppendRequest:
    term, before = Term(1), EntryId(Term(1 if index > 1 else 0), LogIndex(index - 1))
    entries = tuple(Entry(LogIndex(index + i), term, EntryKind.NOOP, payload) for i, payload in enumerate(payloads))
    return AppendRequest(2, 1, term, before, entries, LogIndex(0), 0)


async def test_a_group_that_was_taken_back_is_not_found_behind_the_next_one(tmp_path: Path) -> None:
    """Two whole groups are on the disk when the third finds no room; what comes next is as long as the first of them."""
    disk = Narrow(tmp_path)
    node = BrokerNode(disk, segment_bytes=SEGMENT_BYTES, group=GroupSettings(node_id=1, voters=(1, 2, 3)))
    node.receive(request(1, b"first"))
    await until(lambda: node.log.durable_index == 1)

    def at_once() -> None:
        for index, payload in ((2, b"a" * 14), (3, b"b" * 14), (4, Narrow.refused)):
            node.host.hear(request(index, payload))

    node.host.run(at_once)  # one turn, one plan
    await until(lambda: node.host.is_quiet and node.log.last_index == 1)
    await node.carry_out_plan(())  # after all that was begun
    (segment,) = (tmp_path / "log").iterdir()
    data = segment.read_bytes()
    assert b"first" in data
    assert b"a" * 14 not in data, "one whole group was written before there was no room"
    assert b"b" * 14 not in data, "and another one"
    node.receive(request(2, b"d" * 14))
    await until(lambda: node.log.durable_index == 2)
    await node.close()
    again, after = CommitLog(segment_bytes=SEGMENT_BYTES), FileDisk(tmp_path)
    found = drive(again.recover({name: size for name, size in after.files().items() if name.startswith("log/")}), after)
    after.close()
    assert (found.damage, found.last_index) == ((), 2)


def recovered(folder: Path) -> Recovery:
    log, disk = CommitLog(segment_bytes=SEGMENT_BYTES), FileDisk(folder)
    found = drive(log.recover({name: size for name, size in disk.files().items() if name.startswith("log/")}), disk)
    disk.close()
    return found


async def test_a_segment_that_was_begun_for_what_found_no_room_proves_nothing(tmp_path: Path) -> None:
    """The old one's last mark is made zero; the new one's header would say that all before it had been synced."""
    disk = Narrow(tmp_path / "data")
    node = BrokerNode(disk, segment_bytes=SEGMENT_BYTES, group=GroupSettings(node_id=1, voters=(1, 2, 3)))
    node.receive(request(1, bytes(60_000)))
    await until(lambda: node.log.durable_index == 1)
    for _ in range(2):
        node.receive(request(2, Narrow.refused + bytes(20_000)))
        await until(lambda: node.host.is_quiet and node.log.last_index == 1)
        await node.carry_out_plan(())  # after all that was begun
        crashed = tmp_path / "crashed"
        shutil.copytree(tmp_path / "data", crashed)
        found = recovered(crashed)
        assert (found.damage, found.last_index) == ((), 1)
        shutil.rmtree(crashed)
    node.receive(request(2, bytes(20_000)))
    await until(lambda: node.log.durable_index == 2)
    await node.close()
    found = recovered(tmp_path / "data")
    assert (found.damage, found.last_index) == ((), 2)


@pytest.mark.parametrize("stop_after", range(4))
def test_a_crash_in_the_midst_of_it_leaves_no_damage(stop_after: int, tmp_path: Path) -> None:
    """However far that came: what is found is a log that ends before what was refused, or with it."""
    log, disk = CommitLog(segment_bytes=SEGMENT_BYTES), FileDisk(tmp_path)
    drive(log.recover({}), disk)

    def append(index: int, payload: bytes) -> Plan:
        entry = Entry(LogIndex(index), Term(1), EntryKind.NOOP, payload)
        return log.append(LogIndex(index - 1), [entry]).plan

    first = append(1, bytes(60_000))
    for operation in first:
        disk.perform(operation)
    log.synced(1)
    plan = append(2, Narrow.refused + bytes(20_000))
    assert any(isinstance(operation, Create) for operation in plan)
    for operation in plan[:-2]:
        disk.perform(operation)
    for operation in blanks(plan)[:stop_after]:
        disk.perform(operation)
    disk.close()
    found = recovered(tmp_path)
    assert found.damage == ()
    assert found.last_index == 1
