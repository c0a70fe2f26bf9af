"""Raft's messages between nodes: in order, together, bounded; and a broken connection is known at once, and once."""

import asyncio
import logging
import secrets
from typing import Any

import pytest

from mq.raft.messages import AppendRequest
from mq.rpc.frames import FrameKind
from mq.rpc.handshake import Identity, Purpose
from mq.server import peer_network
from mq.server.peer_connection import PeerConnection, PeerTimes
from mq.server.peer_greeting import Target, dial
from mq.server.peer_network import PeerPortError
from tests.unit.server.eventually import until
from tests.unit.server.peers import HOST, Node, Wire, appending, joined, numbered, running

QUICK = PeerTimes(ping_s=0.1)


def payloads(node: Node) -> list[int]:
    return [len(message.entries[0].payload) for message in node.messages if isinstance(message, AppendRequest)]


# --- messages


async def test_thousands_of_messages_arrive_in_order_in_both_directions() -> None:
    one, two = Node(1), Node(2)
    async with joined(one, two):
        for number in range(5000):
            one.network.send(numbered(1, 2, number))
            two.network.send(numbered(2, 1, number + 7))
            if number % 100 == 0:
                await asyncio.sleep(0)
        await until(lambda: len(one.messages) == len(two.messages) == 5000)
        assert two.messages == [numbered(1, 2, number) for number in range(5000)]
        assert one.messages == [numbered(2, 1, number + 7) for number in range(5000)]


async def test_large_messages_arrive_whole_and_in_their_place() -> None:
    one, two = Node(1), Node(2)
    async with joined(one, two):
        payload = secrets.token_bytes(20 << 20)
        messages = [numbered(1, 2, 1), appending(1, 2, 2, payload), numbered(1, 2, 3), appending(1, 2, 4, b"")]
        for message in messages:
            one.network.send(message)
        await until(lambda: len(two.messages) == 4)
        assert two.messages == messages


async def test_three_nodes_each_get_what_is_theirs() -> None:
    nodes = [Node(1), Node(2), Node(3)]
    async with joined(*nodes):
        for node in nodes:
            for other in nodes:
                node.network.send(numbered(node.id, other.id, 10 * node.id + other.id))
        await until(lambda: all(len(node.messages) == 2 for node in nodes))
        assert [sorted(node.terms) for node in nodes] == [[21, 31], [12, 32], [13, 23]]
        assert [sorted(node.reached) for node in nodes] == [[2, 3], [1, 3], [1, 2]]


async def test_what_is_sent_in_one_turn_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Node(1), Node(2)
    async with joined(one, two):
        transport = one.raft_connection(2)._transport
        writes: list[list[bytes]] = []

        class Noting:
            def writelines(self, parts: list[bytes]) -> None:
                writes.append(parts)
                transport.writelines(parts)

            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

        monkeypatch.setattr(one.raft_connection(2), "_open", Noting())
        for number in range(100):
            one.network.send(numbered(1, 2, number))
        assert writes == []
        await until(lambda: len(two.messages) == 100)
        assert len(writes) == 1
        monkeypatch.undo()


async def test_a_message_to_nobody_is_dropped() -> None:
    one = Node(1)
    async with running(one):
        one.network.send(numbered(1, 2, 1))
        assert not one.network.is_reachable(2)
        one.network.set_peers({1: one.address, 2: (HOST, 1)})
        assert not one.network.is_reachable(1)
        one.network.send(numbered(1, 2, 1))
        one.network.send(numbered(1, 1, 1))
        assert (one.lost, one.reached, one.messages) == ([], [], [])


async def test_a_peer_that_takes_nothing_in_costs_bounded_memory_and_the_newest_messages() -> None:
    one, two = Node(1), Node(2)
    async with running(one, two), Wire(two.address) as wire:
        one.network.set_peers({2: wire.address})
        await until(lambda: one.is_ready(2))
        wire.mute()
        for number in range(100):
            one.network.send(appending(1, 2, number, bytes(1 << 20)))
            await asyncio.sleep(0)
        backlog = one.raft_connection(2).unwritten_bytes
        assert peer_network._BACKLOG_BYTES_MAX <= backlog < peer_network._BACKLOG_BYTES_MAX + (2 << 20)
        wire.unmute()
        await until(lambda: one.raft_connection(2).unwritten_bytes == 0)
        one.network.send(numbered(1, 2, 1000))
        await until(lambda: two.terms[-1:] == [1000])
        arrived = two.terms[:-1]
        assert 32 <= len(arrived) < 100
        # What found no room is lost; where the system's own buffers grew meanwhile, later ones found some again.
        assert arrived[:32] == list(range(32))
        assert arrived == sorted(set(arrived))
        assert set(payloads(two)) == {1 << 20}


# --- when a connection ends


async def test_a_break_is_told_once_to_either_side_and_the_connection_comes_back() -> None:
    one, two = Node(1), Node(2)
    async with running(one, two), Wire(two.address) as wire:
        one.network.set_peers({2: wire.address})
        await until(lambda: one.is_ready(2))
        assert one.reached == [2]
        for round_ in range(1, 4):
            wire.cut()
            await until(lambda: len(one.reached) == len(two.messages) + 2)
            assert len(one.lost) == round_
            one.network.send(numbered(1, 2, round_))
            await until(lambda: len(two.messages) == len(one.lost))
        assert two.terms == [1, 2, 3]
        assert (one.lost, two.lost) == ([2] * 3, [1] * 3)


async def test_a_node_that_dies_is_known_at_once_by_both_its_connections() -> None:
    nodes = one, two, three = Node(1), Node(2), Node(3)
    async with joined(*nodes):
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        one.die()
        assert not one.network.is_reachable(2)
        await until(lambda: two.lost == [1, 1] and three.lost == [1, 1])
        assert loop.time() - began_s < 4.0  # far below any ping
        assert not two.network.is_reachable(1)
        assert two.network.is_reachable(3)
        assert two.terms == three.terms == []


async def test_a_node_that_is_closed_tells_others_and_is_told_nothing() -> None:
    one, two = Node(1), Node(2)
    async with joined(one, two):
        one.network.send(numbered(1, 2, 99))
        await one.network.close()
        await until(lambda: two.lost == [1, 1])
        assert two.terms == [99]  # what was sent before is still written
        assert one.lost == []
        await one.network.close()


async def test_a_connection_that_never_stood_is_not_lost() -> None:
    one, two = Node(1), Node(2)
    async with running(one, two):
        await two.network.close()
        one.network.set_peers({2: two.address})
        link = one.network._peers[2].raft
        for _ in range(3):
            assert not one.network.is_reachable(2)
            link.wake()
            await until(lambda: not link._wanted.is_set())
        assert one.lost == one.reached == []


async def test_silence_is_a_break(caplog: pytest.LogCaptureFixture) -> None:
    one, two = Node(1, times=QUICK), Node(2, times=QUICK)
    with caplog.at_level(logging.INFO):
        async with running(one, two), Wire(two.address) as wire:
            one.network.set_peers({2: wire.address})
            await until(lambda: one.is_ready(2))
            wire.mute()
            await until(lambda: one.lost and two.lost)
            assert "a connection with node 2 broke: nothing was heard for 0.3 s" in caplog.messages
            assert "a connection with node 1 broke: nothing was heard for 0.3 s" in caplog.messages
            wire.cut()
            wire.unmute()
            await until(lambda: one.network.is_reachable(2))


async def test_pings_keep_an_idle_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    often = PeerTimes(ping_s=0.02, silent_pings_max=100)
    one, two = Node(1, times=often), Node(2, times=often)
    async with joined(one, two):
        connection = one.raft_connection(2)
        heard: list[bytes] = []
        original = connection.data_received

        def note(data: bytes) -> None:
            heard.append(data)
            original(data)

        monkeypatch.setattr(connection, "data_received", note)
        await until(lambda: len(heard) >= 1)
        assert connection is one.raft_connection(2)


async def test_a_second_connection_takes_the_place_of_the_first() -> None:
    two = Node(2)
    async with running(two):
        made: list[PeerConnection] = []
        target = Target(2, two.address, Purpose.RAFT)
        older = await dial(Identity("broker-a", 1, b"sesame"), target, PeerTimes(), made.append)
        calls = await dial(Identity("broker-a", 1, b"sesame"), target._replace(purpose=Purpose.CALLS), PeerTimes(), made.append)
        newer = await dial(Identity("broker-a", 1, b"sesame"), target, PeerTimes(), made.append)
        await asyncio.wait_for(older.closed, 10)
        assert not calls.is_closed
        assert not newer.is_closed
        assert two.lost == []  # it is connected, after all
        newer.fail("enough")
        await until(lambda: two.lost == [1])
        calls.drop()
        await asyncio.wait_for(calls.closed, 10)
        assert made == [older, calls, newer]


# --- who is a peer


async def test_peers_come_and_go() -> None:
    nodes = one, two, three = Node(1), Node(2), Node(3)
    async with running(*nodes):
        one.network.set_peers({2: two.address})
        await until(lambda: one.is_ready(2))
        connection = one.raft_connection(2)
        one.network.set_peers({2: two.address, 3: three.address})
        await until(lambda: one.is_ready(3))
        assert one.raft_connection(2) is connection
        one.network.set_peers({3: three.address})
        assert not one.network.is_reachable(2)
        await until(lambda: two.lost == [1])
        assert one.lost == []
        assert one.network.is_reachable(3)


async def test_a_peer_that_moved_is_dialed_at_its_new_address() -> None:
    one, two, elsewhere = Node(1), Node(2), Node(2)
    async with running(one, two, elsewhere):
        one.network.set_peers({2: two.address})
        await until(lambda: one.is_ready(2))
        one.network.set_peers({2: elsewhere.address})
        await until(lambda: one.reached == [2, 2])
        one.network.send(numbered(1, 2, 5))
        await until(lambda: elsewhere.terms == [5])
        assert two.terms == []


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"secret": b"other"}, "another secret: node 1 has not the cluster secret that this node has"),
        ({"secret": b""}, "another secret"),
        ({"group": "broker-b"}, "another group: 'broker-a' there, 'broker-b' here"),
        ({"node_id": 3}, "another node id: node 2 was expected here, and this is node 3"),
    ],
)
async def test_what_keeps_two_nodes_apart_is_said_on_both_sides(
    settings: dict[str, Any], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = Node(1), Node(**{"node_id": 2, **settings})
    with caplog.at_level(logging.WARNING):
        async with running(one, other):
            one.network.set_peers({2: other.address})
            await until(lambda: sum(text in line for line in caplog.messages) >= 2)
            assert any("node 2 is not reached" in line for line in caplog.messages)
            assert any("is no node of this group" in line for line in caplog.messages)
            assert not one.network.is_reachable(2)
            assert one.lost == other.lost == one.reached == []
    assert "sesame" not in caplog.text


async def test_an_empty_secret_joins_nodes_too() -> None:
    one, two = Node(1, secret=b""), Node(2, secret=b"")
    async with joined(one, two):
        one.network.send(numbered(1, 2, 1))
        await until(lambda: two.messages)
        assert two.terms == [1]


async def test_a_message_in_another_name_ends_the_connection() -> None:
    one, two = Node(1), Node(2)
    async with joined(one, two):
        connection = one.raft_connection(2)
        one.network.send(numbered(3, 2, 1))
        await asyncio.wait_for(connection.closed, 10)
        await until(lambda: two.lost == [1])
        assert two.messages == []


async def test_a_frame_that_belongs_elsewhere_ends_the_connection() -> None:
    one, two = Node(1), Node(2)
    async with joined(one, two):
        connection = one.raft_connection(2)
        connection.send(FrameKind.CALL, b"x" * 100)
        await asyncio.wait_for(connection.closed, 10)
        await until(lambda: one.lost)
        assert (one.lost, one.messages, two.messages) == ([2], [], [])


async def test_a_port_that_is_taken_is_named() -> None:
    one, two = Node(1), Node(2)
    async with running(one):
        with pytest.raises(
            PeerPortError, match=rf"peer_listen: cannot listen on {HOST}:{one.address[1]}: Address already in use"
        ):
            await two.network.listen(HOST, one.address[1])
        with pytest.raises(PeerPortError, match="peer_listen"):
            await two.network.listen("no..host", 0)
        await two.network.close()


async def test_a_name_that_is_no_host_is_dialed_in_vain_and_said(caplog: pytest.LogCaptureFixture) -> None:
    one = Node(1)
    async with running(one):
        one.network.set_peers({2: ("no..host", 1)})
        await until(lambda: "node 2 is not reached: no..host:1 cannot be connected to" in caplog.text)
        assert not one.network._peers[2].raft.task.done()
