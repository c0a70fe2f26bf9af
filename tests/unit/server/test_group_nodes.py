"""Three nodes in one event loop, with real disks: what they agree on, what they lose (nothing), how the last comes back."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.core.errors import DiskFullError, OutcomeUnknownError
from mq.core.ids import LogIndex, QueueOffset
from mq.core.message import MessageKind, Permission
from mq.core.ports import drive
from mq.raft.errors import NotLeaderError
from mq.raft.messages import AppendRequest, Message, SnapshotRequest
from mq.raft.options import RaftOptions
from mq.server.core import GroupSettings
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.retention import Retention

LIMIT_S = 60
SEGMENT_BYTES = 16 << 10
RAFT = RaftOptions(election_ticks=25, heartbeat_ticks=3, recent_bytes_max=8 << 10, chunk_bytes_max=500)


class Trio:
    """Nodes that reach each other through the loop. cut: pairs (from, to) whose messages are lost."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.nodes: dict[int, BrokerNode] = {}
        self.cut: set[tuple[int, int]] = set()
        self.sent: list[type[Message]] = []

    def start(self, *node_ids: int) -> None:
        for node_id in node_ids:
            self.nodes[node_id] = BrokerNode(
                FileDisk(self._folder / str(node_id)), segment_bytes=SEGMENT_BYTES, snapshot_every_bytes=1 << 30,
                group=GroupSettings(node_id=node_id, voters=(1, 2, 3), tick_ms=20, raft=RAFT), send=self._send,
            )  # fmt: skip
            self.nodes[node_id].begin_ticking()

    def _send(self, message: Message) -> None:
        self.sent.append(type(message))
        asyncio.get_running_loop().call_soon(self._deliver, message)

    def _deliver(self, message: Message) -> None:
        node = self.nodes.get(message.to)
        if node is not None and (message.sender, message.to) not in self.cut:
            node.receive(message)

    async def stop(self, *node_ids: int) -> None:
        for node_id in node_ids or tuple(self.nodes):
            await self.nodes.pop(node_id).close()

    async def leader(self, *, but: int | None = None) -> BrokerNode:
        """Whoever leads, and is ready."""
        return await self.when(lambda node: node.reign.is_here and node.group is not None and node.group.node_id != but)

    async def when(self, is_true: Callable[[BrokerNode], bool]) -> BrokerNode:
        """The first node of which it holds."""
        while True:
            for node in self.nodes.values():
                if is_true(node):
                    return node
            changed = [asyncio.ensure_future(node.until(lambda node=node: is_true(node))) for node in self.nodes.values()]  # type: ignore[misc]
            _, pending = await asyncio.wait(changed, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()

    async def agree(self) -> bytes:
        """The state of all when each has applied what the leader has."""
        index = (await self.leader()).machine.applied_index
        for node in self.nodes.values():
            await node.until(lambda node=node: node.machine.applied_index >= index)  # type: ignore[misc]
        (state,) = {node.machine.to_bytes() for node in self.nodes.values()}
        return state


@pytest.fixture
async def trio(tmp_path: Path) -> AsyncIterator[Trio]:
    trio = Trio(tmp_path)
    async with asyncio.timeout(LIMIT_S):
        trio.start(1, 2, 3)
        yield trio
        await trio.stop()


def topic(node: BrokerNode, name: str = "t") -> c.CreateTopic:
    return c.CreateTopic(*node.stamps(), name, int(MessageKind.NORMAL), 1, int(Permission.READ_WRITE))


def message(node: BrokerNode, number: int, size_bytes: int = 300) -> AppendMessages:
    body = f"{number} ".encode().ljust(size_bytes, b".")
    return AppendMessages(*node.stamps(), "t", 0, 1, 0, (f"id {number}",), "", (body,))


async def send(node: BrokerNode, first: int, count: int) -> None:
    """In groups: each lies within one segment of the log."""
    for begin in range(first, first + count, 10):
        numbers = range(begin, min(begin + 10, first + count))
        await asyncio.gather(*(node.carry_out(message(node, number)) for number in numbers))


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

    with monkeypatch.context() as patched:
        patched.setattr(leader.disk, "perform", is_full)
        with pytest.raises(OutcomeUnknownError, match="no space left"):
            await leader.carry_out(message(leader, 1))
    # It had left for the others before the write failed, and whoever leads them keeps it.
    await trio.leader()
    await leader.until(lambda: leader.machine.queue("t", 0).max_offset == 1)


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


async def test_a_node_that_was_away_for_long_gets_old_entries_from_the_disk(trio: Trio) -> None:
    leader = await trio.leader()
    assert leader.group is not None
    await leader.carry_out(topic(leader))
    away = next(node_id for node_id in (1, 2, 3) if node_id != leader.group.node_id)
    await trio.stop(away)
    await send(leader, 0, 200)  # much more than is kept in memory
    trio.start(away)
    await trio.agree()
    assert SnapshotRequest not in trio.sent


async def test_a_node_that_was_away_for_longer_than_the_log_is_kept_gets_a_snapshot_and_what_follows(
    trio: Trio,
) -> None:
    leader = await trio.leader()
    assert leader.group is not None
    await leader.carry_out(topic(leader))
    away = next(node_id for node_id in (1, 2, 3) if node_id != leader.group.node_id)
    await trio.stop(away)
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


async def test_a_follower_writes_what_it_is_sent_once(trio: Trio) -> None:
    leader = await trio.leader()
    await leader.carry_out(topic(leader))
    await send(leader, 0, 10)
    await trio.agree()
    assert AppendRequest in trio.sent
    (last,) = {node.log.last_index for node in trio.nodes.values()}
    assert last == leader.machine.applied_index
