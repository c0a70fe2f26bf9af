"""Three nodes in one event loop, with real disks: what they agree on, what they lose (nothing), how the last comes back."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.errors import DiskFullError, MqError, OutcomeUnknownError
from mq.core.ids import LogIndex, QueueOffset
from mq.core.ports import Create, Operation, Replace, Steps, drive
from mq.raft.errors import NotLeaderError
from mq.raft.messages import AppendRequest, SnapshotRequest
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.retention import Retention
from tests.unit.server.trio import LIMIT_S, SEGMENT_BYTES, Trio, message, send, topic


@pytest.fixture
async def trio(tmp_path: Path) -> AsyncIterator[Trio]:
    trio = Trio(tmp_path)
    async with asyncio.timeout(LIMIT_S):
        trio.start(1, 2, 3)
        yield trio
        await trio.stop()


async def led_with_one_away(trio: Trio) -> tuple[BrokerNode, int]:
    """Who leads, with a topic, and the number of a follower that does not run."""
    leader = await trio.leader()
    assert leader.group is not None
    await leader.carry_out(topic(leader))
    away = next(node_id for node_id in (1, 2, 3) if node_id != leader.group.node_id)
    await trio.stop(away)
    return leader, away


async def test_all_have_the_same_state_and_every_node_its_own_files(trio: Trio) -> None:
    leader = await trio.leader()
    await leader.carry_out(topic(leader))
    await send(leader, 0, 50)
    assert b'"t"' in await trio.agree()
    for node in trio.nodes.values():
        queue = node.machine.queue("t", 0)
        entries = drive(queue.entries(QueueOffset(0), 100), node.disk)
        assert [entry.base_offset for entry in entries] == list(range(50))
        assert (await node.reader.stored(entries[49])).endswith(b"." * 100)


async def test_followers_take_no_commands_and_say_who_leads(trio: Trio) -> None:
    leader = await trio.leader()
    assert leader.group is not None
    for node in trio.nodes.values():
        if node is not leader:
            await node.until(lambda node=node: node.reign.leader == leader.group.node_id)  # type: ignore[misc]
            with pytest.raises(NotLeaderError, match=f"node {leader.group.node_id} does"):
                node.propose(topic(node))
            with pytest.raises(NotLeaderError):
                await node.read_index()


async def test_what_was_acknowledged_is_there_when_another_leads_and_the_old_one_comes_back(trio: Trio) -> None:
    leader = await trio.leader()
    assert leader.group is not None
    await leader.carry_out(topic(leader))
    await send(leader, 0, 20)
    gone = leader.group.node_id
    await trio.stop(gone)
    following = await trio.leader()
    assert following.machine.queue("t", 0).max_offset == 20
    await send(following, 20, 20)
    trio.start(gone)
    await trio.agree()
    assert trio.nodes[gone].machine.queue("t", 0).max_offset == 40


async def test_a_leader_that_is_cut_off_acknowledges_nothing_and_its_callers_hear_that_nothing_was_done(trio: Trio) -> None:
    leader = await trio.leader()
    assert leader.group is not None
    await leader.carry_out(topic(leader))
    old = leader.group.node_id
    trio.cut = {(old, other) for other in (1, 2, 3)} | {(other, old) for other in (1, 2, 3)}
    lost = leader.propose(message(leader, 1))
    following = await trio.leader(but=old)
    await send(following, 2, 3)
    await leader.until(lambda: not leader.reign.is_here)
    assert not lost.done()
    trio.cut = set()
    with pytest.raises(NotLeaderError):
        await lost
    await trio.agree()
    assert leader.machine.queue("t", 0).max_offset == 3


async def test_a_leader_without_room_promises_nothing_of_what_others_have_already(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = await trio.leader()
    await leader.carry_out(topic(leader))

    def is_full(_operation: object) -> None:
        raise DiskFullError("No space left on device")

    # What left for the others before the write failed is kept by whoever leads them. On a busy machine it may not have left.
    for number in range(0, 20, 2):
        before = leader.machine.queue("t", 0).max_offset
        with monkeypatch.context() as patched:
            patched.setattr(leader.disk, "perform", is_full)
            with pytest.raises(OutcomeUnknownError, match="no space left"):
                await leader.carry_out(message(leader, number))
        leader = await trio.leader()
        await leader.carry_out(message(leader, number + 1))
        if leader.machine.queue("t", 0).max_offset == before + 2:
            return
    pytest.fail("none of ten was kept by the others")


async def test_a_read_is_answered_by_a_leader_that_still_is_one(trio: Trio) -> None:
    leader = await trio.leader()
    assert leader.group is not None
    await leader.read_index()
    old = leader.group.node_id
    trio.cut = {(old, other) for other in (1, 2, 3)} | {(other, old) for other in (1, 2, 3)}
    with pytest.raises(NotLeaderError):
        await leader.read_index()


async def test_a_whole_group_starts_again_with_all_it_had(trio: Trio) -> None:
    leader = await trio.leader()
    await leader.carry_out(topic(leader))
    await send(leader, 0, 100)
    before = await trio.agree()
    await trio.stop()
    trio.start(1, 2, 3)
    after = await trio.agree()
    assert json.loads(after)["topics"] == json.loads(before)["topics"] != []


async def test_a_node_that_was_away_for_long_gets_old_entries_from_the_disk(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    leader, away = await led_with_one_away(trio)
    await send(leader, 0, 200)  # much more than is kept in memory
    entries, asked_in = CommitLog.entries, set()

    def entries_asked_for(log: CommitLog, *what: Any) -> Steps[Any]:
        asked_in.add(threading.current_thread())
        return (yield from entries(log, *what))

    monkeypatch.setattr(CommitLog, "entries", entries_asked_for)
    trio.start(away)
    await trio.agree()
    assert SnapshotRequest not in trio.sent
    assert asked_in == {threading.main_thread()}, "the log learns from what it reads, and the event loop asks it at any time"


async def test_a_node_that_was_away_for_longer_than_the_log_is_kept_gets_a_snapshot_and_what_follows(
    trio: Trio,
) -> None:
    leader, away = await led_with_one_away(trio)
    await send(leader, 0, 300)
    await leader.carry_out_plan(())  # the snapshots on the way are there
    first = await Retention(leader, bytes_max=4 * SEGMENT_BYTES, age_ms_max=0).work()
    assert 1 < first < 250
    trio.start(away)
    state = await trio.agree()
    node = trio.nodes[away]
    assert SnapshotRequest in trio.sent
    assert node.log.first_index == leader.log.first_index == first
    assert node.log.last_index == leader.log.last_index
    assert node.machine.state_hash() == leader.machine.state_hash()
    queue = node.machine.queue("t", 0)
    kept = drive(queue.entries(QueueOffset(queue.min_offset), 1000), node.disk)
    assert kept[0].base_offset == queue.min_offset > 0
    for entry in (kept[0], kept[-1]):
        assert (await node.reader.stored(entry)).rstrip(b".").endswith(f"{entry.base_offset} ".encode())
    await trio.stop(away)
    trio.start(away)
    assert json.loads(await trio.agree())["topics"] == json.loads(state)["topics"]
    assert drive(node.log.entries(LogIndex(first), LogIndex(first), 1), node.disk)


async def test_a_node_without_room_for_the_log_behind_a_snapshot_ends_and_says_so_and_comes_back_with_room(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot go on: a start finds the snapshot, and begins its log behind it. Going on mute, nobody would ever start it."""
    leader, away = await led_with_one_away(trio)
    await send(leader, 0, 300)
    await leader.carry_out_plan(())
    await Retention(leader, bytes_max=4 * SEGMENT_BYTES, age_ms_max=0).work()
    perform, has_snapshot = FileDisk.perform, list[str]()

    def has_no_room_for_a_segment(disk: FileDisk, operation: Operation) -> None:
        if disk is node.disk and isinstance(operation, Replace) and operation.file.startswith("snapshots/"):
            has_snapshot.append(operation.file)
        if disk is node.disk and isinstance(operation, Create) and has_snapshot:
            raise DiskFullError("No space left on device")
        perform(disk, operation)

    trio.start(away)
    node = trio.nodes[away]
    ended: asyncio.Future[MqError] = asyncio.get_running_loop().create_future()
    node.on_failed = ended.set_result
    with monkeypatch.context() as patched:
        patched.setattr(FileDisk, "perform", has_no_room_for_a_segment)
        assert isinstance(await ended, DiskFullError)
    assert has_snapshot
    await trio.stop(away)
    trio.start(away)
    await trio.agree()


async def test_a_follower_writes_what_it_is_sent_once(trio: Trio) -> None:
    leader = await trio.leader()
    await leader.carry_out(topic(leader))
    await send(leader, 0, 10)
    await trio.agree()
    assert AppendRequest in trio.sent
    (last,) = {node.log.last_index for node in trio.nodes.values()}
    assert last == leader.machine.applied_index


async def test_snapshots_are_of_the_same_entries_on_all_nodes_so_that_they_can_be_compared(tmp_path: Path) -> None:
    trio = Trio(tmp_path)
    trio.snapshot_every_bytes = 4 << 10
    async with asyncio.timeout(LIMIT_S):
        trio.start(1, 2, 3)
        leader = await trio.leader()
        assert leader.group is not None
        await leader.carry_out(topic(leader))
        away = next(node_id for node_id in (1, 2, 3) if node_id != leader.group.node_id)
        await send(leader, 0, 30)
        await trio.stop(away)
        await send(leader, 30, 100)  # the other one gets them from the disk, many at once
        trio.start(away)
        await trio.agree()
        here, there = leader.host.keeper.hashes, trio.nodes[away].host.keeper.hashes
        both = here.keys() & there.keys()
        assert len(both) > 5, (sorted(here), sorted(there))
        assert {index: here[index] for index in both} == {index: there[index] for index in both}
        await trio.stop()


async def test_a_follower_gets_old_entries_also_after_a_read_that_failed_in_whatever_way(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, away = await led_with_one_away(trio)
    await send(leader, 0, 200)  # much more than is kept in memory
    entries, failed = leader.log.entries, 0

    def failing(*arguments: Any) -> Any:
        nonlocal failed
        failed += 1
        if failed == 1:
            raise RuntimeError("a mistake of ours")
        return entries(*arguments)

    monkeypatch.setattr(leader.log, "entries", failing)
    trio.start(away)
    await trio.agree()
    assert failed > 1
