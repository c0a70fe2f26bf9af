"""Nodes with empty folders: a new group begins, one that is late comes as a learner, a wiped one comes back."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from mq.broker import commands as c
from mq.core.errors import MqError
from mq.raft.configuration import Configuration
from mq.raft.errors import NotLeaderError
from mq.raft.messages import Message
from mq.raft.options import RaftOptions
from mq.raft.view import NodeView
from mq.server import coming_in
from mq.server.coming_in import HISTORY, REJOIN, WayIn
from mq.server.core import GroupSettings
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode
from mq.server.peer_calling import OutgoingCall, PeerUnreachableError
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall
from mq.server.readmitting import Returning, next_members
from mq.server.taking_part import NOTE_FILE, Part, may_hear, may_say

LIMIT_S = 60
VOTERS = (1, 2, 3)


class Question:
    """A call between nodes, as far as the one that is asked sees it."""

    def __init__(self, peer: int, call: OutgoingCall) -> None:
        self.peer, self.name, self.request, self.answered = peer, call.name, call.request, b""

    async def answer(self, data: bytes, *, is_last: bool) -> None:
        assert is_last
        self.answered = data


class Village:
    """Nodes of one event loop. mute: pairs (from, to) whose calls do not arrive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: dict[int, BrokerNode] = {}
        self.ways: dict[int, WayIn] = {}
        self.mute: set[tuple[int, int]] = set()
        self.changed = asyncio.Event()

    def start(self, *node_ids: int) -> None:
        for node_id in node_ids:
            raft = RaftOptions(election_ticks=25, heartbeat_ticks=3)
            settings = GroupSettings(node_id=node_id, voters=VOTERS, tick_ms=20, raft=raft)
            node = self.nodes[node_id] = BrokerNode(
                FileDisk(self.folder / str(node_id)), segment_bytes=64 << 10, group=settings, send=self._send
            )
            network = cast(PeerNetwork, _Wire(self, node_id))
            self.ways[node_id] = WayIn(node, network, node_id, VOTERS, lambda node_id=node_id: self._on_part(node_id))  # type: ignore[misc]
            self._on_part(node_id)
            self.ways[node_id].start()

    def _on_part(self, node_id: int) -> None:
        if node_id in self.ways and self.ways[node_id].part is Part.FULL:
            self.nodes[node_id].begin_ticking()
        self.changed.set()

    def _send(self, message: Message) -> None:
        if may_say(self.ways[message.sender].part, message):
            asyncio.get_running_loop().call_soon(self._deliver, message)

    def _deliver(self, message: Message) -> None:
        way = self.ways.get(message.to)
        if way is not None and may_hear(way.part, message, way.note):
            self.nodes[message.to].receive(message)

    async def call(self, asker: int, node: int, call: OutgoingCall) -> bytes:
        await asyncio.sleep(0)
        if node not in self.ways or (asker, node) in self.mute:
            raise PeerUnreachableError(f"there is no connection with node {node}")
        question = Question(asker, call)
        try:
            await self.ways[node].answer(cast(IncomingCall, question))
        except NotLeaderError as error:
            raise PeerUnreachableError(str(error)) from None
        return question.answered

    async def stop(self, *node_ids: int) -> None:
        for node_id in node_ids or tuple(self.nodes):
            await self.ways.pop(node_id).stop()
            await self.nodes.pop(node_id).close()

    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on a way's second is a millisecond."""
        loop = asyncio.get_running_loop()
        for way in self.ways.values():
            monkeypatch.setattr(way, "_loop", SimpleNamespace(time=lambda: loop.time() * 1000))

    async def until_part(self, part: Part, *node_ids: int) -> None:
        """All of these nodes take that part."""
        while not all(self.ways[node_id].part is part for node_id in node_ids):
            self.changed.clear()
            await self.changed.wait()

    async def leader(self) -> BrokerNode:
        """Ready, and the others know."""
        waits = [asyncio.ensure_future(node.until(lambda node=node: node.reign.is_here)) for node in self.nodes.values()]  # type: ignore[misc]
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return next(node for node in self.nodes.values() if node.reign.is_here)

    async def store(self, count: int) -> bytes:
        """So many topics; the leader's state then."""
        node = await self.leader()
        for number in range(count):
            await node.carry_out(c.CreateTopic(*node.stamps(), f"t{number}", 1, 1, 3, if_absent=True))
        return node.machine.to_bytes()

    def has_note(self, node_id: int) -> bool:
        return (self.folder / str(node_id) / NOTE_FILE).exists()


class _Wire:
    """As much of a network as a way in needs."""

    def __init__(self, village: Village, node_id: int) -> None:
        self._village, self._node_id = village, node_id

    async def call(self, node: int, call: OutgoingCall) -> bytes:
        return await self._village.call(self._node_id, node, call)


@pytest.fixture
async def village(tmp_path: Path) -> AsyncIterator[Village]:
    made = Village(tmp_path)
    async with asyncio.timeout(LIMIT_S):
        yield made
        await made.stop()


async def test_new_nodes_that_know_each_other_begin_a_group(village: Village) -> None:
    village.start(*VOTERS)
    assert {way.part for way in village.ways.values()} == {Part.ASKING}
    await village.until_part(Part.FULL, *VOTERS)
    leader = await village.leader()
    assert leader.view().configuration.voters == VOTERS
    assert not any(map(village.has_note, VOTERS))


async def test_new_nodes_begin_only_when_all_are_there_and_say_for_whom_they_wait(
    village: Village, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    village.start(1, 2)
    village.hurry(monkeypatch)
    asked = asyncio.create_task(village.until_part(Part.FULL, 1))
    done, _ = await asyncio.wait([asked], timeout=0.5)
    assert not done, "the third may hold a history that is not here"
    assert "node 3 may hold a history" in caplog.text
    village.start(3)
    await village.until_part(Part.FULL, *VOTERS)
    await asked
    assert (await village.leader()).view().configuration.voters == VOTERS


async def test_a_majority_of_wiped_nodes_begins_no_second_history_beside_that_of_the_third(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both would begin with index 1 and term 1: the third would lead, and what the two acknowledged meanwhile would be gone."""
    village.start(*VOTERS)
    await village.store(3)
    await village.stop()
    for node_id in (1, 2):
        shutil.rmtree(village.folder / str(node_id))
    village.start(1, 2)
    village.hurry(monkeypatch)
    asked = asyncio.create_task(village.until_part(Part.FULL, 1))
    done, _ = await asyncio.wait([asked], timeout=0.5)
    assert not done
    village.start(3)
    await village.until_part(Part.REJOINING, 1, 2)
    assert village.nodes[3].log.last_index > 0
    assert not any(village.nodes[node_id].log.last_index for node_id in (1, 2))
    asked.cancel()


async def test_a_new_node_that_was_met_begins_with_the_others_however_late_it_hears(village: Village) -> None:
    village.mute.add((3, 1))  # it is heard, and does not hear
    village.start(*VOTERS)
    await village.until_part(Part.FULL, 1, 2)
    await village.store(1)
    assert village.ways[3].part is Part.ASKING
    village.mute.clear()
    await village.until_part(Part.FULL, 3)
    assert not village.has_note(3), "it never promised anything, so it is a voter from the beginning"


async def test_another_process_on_that_folder_is_not_the_one_that_was_met(village: Village) -> None:
    village.start(*VOTERS)
    await village.until_part(Part.FULL, *VOTERS)
    await village.store(1)
    leader = (await village.leader()).view().node_id
    other = next(node for node in VOTERS if node != leader)
    question = Question(other, OutgoingCall(HISTORY, (), json.dumps({"life": "another"}).encode(), 1.0))
    await village.ways[leader].answer(cast(IncomingCall, question))
    assert json.loads(question.answered)["has_history"] is True


@pytest.mark.parametrize("is_leader", [False, True])
async def test_a_wiped_node_comes_back_with_the_state_of_the_others(village: Village, is_leader: bool) -> None:
    village.start(*VOTERS)
    await village.until_part(Part.FULL, *VOTERS)
    await village.store(5)
    leader = (await village.leader()).view().node_id
    wiped = leader if is_leader else next(node for node in VOTERS if node != leader)
    await village.stop(wiped)
    shutil.rmtree(village.folder / str(wiped))
    state = await village.store(8)
    village.start(wiped)
    await village.until_part(Part.LEARNING, wiped)
    await village.until_part(Part.FULL, wiped)
    node = village.nodes[wiped]
    topics = json.loads(state)["topics"]
    await node.until(lambda: len(node.machine.topics) == len(topics))
    assert node.view().configuration.voters == VOTERS
    assert not village.has_note(wiped)


async def test_a_node_goes_on_with_its_way_after_a_restart(village: Village) -> None:
    village.start(*VOTERS)
    await village.until_part(Part.FULL, *VOTERS)
    await village.store(5)
    leader = (await village.leader()).view().node_id
    wiped = next(node for node in VOTERS if node != leader)
    await village.stop(wiped)
    shutil.rmtree(village.folder / str(wiped))
    village.start(wiped)
    await village.until_part(Part.LEARNING, wiped)
    await village.stop(wiped)
    village.start(wiped)
    assert village.ways[wiped].part is Part.LEARNING, "its folder is not empty any more, and still it may not vote"
    await village.until_part(Part.FULL, wiped)
    assert village.nodes[wiped].view().configuration.voters == VOTERS


async def test_a_wiped_node_votes_again_with_all_that_was_committed_when_it_began_to_learn(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says of that reaches whoever decides; the decision itself is tried out in `test_readmitting`."""
    asked: list[Returning] = []
    matched: list[int] = []

    def noting(view: NodeView, returning: Returning, *, is_settled: bool) -> Configuration | None:
        wanted = next_members(view, returning, is_settled=is_settled)
        if returning.is_learning:
            asked.append(returning)
            if wanted is not None:
                matched.extend(peer.match_index for peer in view.peers if peer.node_id == returning.node_id)
        return wanted

    monkeypatch.setattr(coming_in, "next_members", noting)
    village.start(*VOTERS)
    await village.until_part(Part.FULL, *VOTERS)
    await village.store(20)
    leader = await village.leader()
    wiped = next(node for node in VOTERS if node != leader.view().node_id)
    await village.stop(wiped)
    shutil.rmtree(village.folder / str(wiped))
    committed = leader.view().commit_index
    village.start(wiped)
    await village.until_part(Part.LEARNING, wiped)
    await village.until_part(Part.FULL, wiped)
    assert asked
    assert min(one.learner_at for one in asked) >= committed
    assert matched
    assert min(matched) >= max(one.learner_at for one in asked)


async def test_a_node_that_does_not_lead_says_nothing_of_standings(village: Village) -> None:
    village.start(*VOTERS)
    await village.until_part(Part.FULL, *VOTERS)
    leader = (await village.leader()).view().node_id
    first, second = (node for node in VOTERS if node != leader)
    asked = json.dumps({"was_voter": True, "is_learning": False}).encode()
    question = Question(first, OutgoingCall(REJOIN, (), asked, 1.0))
    await village.ways[second].answer(cast(IncomingCall, question))
    assert json.loads(question.answered) == {}


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_node_that_is_told_of_nobody_and_is_a_member_to_others_begins_no_group(
    tmp_path: Path, is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coming_in, "_DIALED_S", 0.3)
    node = BrokerNode(FileDisk(tmp_path), segment_bytes=64 << 10, group=GroupSettings(node_id=1, voters=(1,)))
    failed: asyncio.Future[MqError] = asyncio.get_running_loop().create_future()
    node.on_failed = failed.set_result
    became: asyncio.Future[Part] = asyncio.get_running_loop().create_future()
    network = cast(PeerNetwork, SimpleNamespace(is_listening=True))
    way = WayIn(node, network, 1, (1,), lambda: became.set_result(way.part))
    assert way.part is Part.ASKING
    way.start()
    async with asyncio.timeout(LIMIT_S):
        if is_known:
            way.hears(2)
            assert "node 2 takes this one for a member: the group has a history. Name the other nodes" in str(await failed)
            assert not became.done()
        else:
            assert await became is Part.FULL
    await way.stop()
    await node.close()
