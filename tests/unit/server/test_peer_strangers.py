"""Whoever connects and is no node of the group: turned away, within bounds, and without harm to those who are."""

import asyncio
import logging
import random

import pytest

from mq.rpc.frames import GREETING_BYTES_MAX, FrameKind, encode_head
from mq.rpc.handshake import Accepting, Dialing, Identity, Purpose
from mq.server.peer_connection import PeerTimes
from mq.server.peer_log import RareLog
from tests.unit.server.eventually import until
from tests.unit.server.peers import Node, joined, numbered, running

NONCE = b"n" * 32


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """All that is said until the connection ends, in whatever way."""
    said = b""
    async with asyncio.timeout(10):
        try:
            while data := await reader.read(1 << 16):
                said += data
        except ConnectionError:
            pass
    return said


async def frame_from(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(5)
    return head[4], await reader.readexactly(int.from_bytes(head[:4], "little"))


def hello(node_id: int = 1, secret: bytes = b"sesame", peer: int = 2) -> tuple[Dialing, bytes]:
    dialing = Dialing(Identity("broker-a", node_id, secret), peer, Purpose.RAFT, NONCE)
    return dialing, encode_head(FrameKind.HELLO, len(dialing.hello)) + dialing.hello


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "no frame of ours"),
        (encode_head(FrameKind.HELLO, GREETING_BYTES_MAX + 1), "at most 4096 are allowed"),
        (encode_head(FrameKind.RAFT, 0), "a RAFT frame that has no place in a handshake"),
        (encode_head(FrameKind.PROOF, 32) + bytes(32), "a proof without a hello"),
        (hello()[1] * 2, "a second hello"),
        (hello()[1] + encode_head(FrameKind.PROOF, 32) + bytes(32), "another secret"),
        (hello(peer=5)[1], "node 5 was expected here"),
    ],
)
async def test_nonsense_ends_a_connection_and_is_said_once(said: bytes, text: str, caplog: pytest.LogCaptureFixture) -> None:
    two = Node(2)
    async with running(two):
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*two.address)
            writer.write(said)
            await end_of(reader)
            writer.close()
        await until(lambda: not two.network._connections)
        lines = [line for line in caplog.messages if "is no node of this group" in line]
        assert len(lines) == 1
        assert text in lines[0]
        assert (two.messages, two.lost) == ([], [])


async def test_who_says_nothing_is_sent_away_in_time(caplog: pytest.LogCaptureFixture) -> None:
    two = Node(2, times=PeerTimes(greeting_s=0.1))
    async with running(two):
        silent, silent_writer = await asyncio.open_connection(*two.address)
        slow, slow_writer = await asyncio.open_connection(*two.address)
        slow_writer.write(hello()[1])
        assert await end_of(silent) == b""
        assert (await end_of(slow))[4] == FrameKind.CHALLENGE
        silent_writer.close()
        slow_writer.close()
        assert "did not finish the handshake within 0.1 s" in caplog.text


async def test_strangers_are_limited_and_nodes_that_are_known_are_not_disturbed() -> None:
    one, two = Node(1), Node(2, times=PeerTimes(greeting_s=60))
    async with joined(one, two):
        pairs = [await asyncio.open_connection(*two.address) for _ in range(64)]
        await until(lambda: len(two.network._strangers) == 64)
        reader, writer = await asyncio.open_connection(*two.address)
        assert await end_of(reader) == b""  # at once, not after a time-out
        writer.close()
        assert len(two.network._strangers) == 64
        one.network.send(numbered(1, 2, 1))
        await until(lambda: two.terms == [1])
        for _, each in pairs:
            each.close()
        await until(lambda: not two.network._strangers)
        three = Node(3)
        async with running(three):
            three.network.set_peers({2: two.address})
            await until(lambda: three.is_ready(2))


async def test_a_server_that_is_none_of_ours_is_not_taken_for_a_node(caplog: pytest.LogCaptureFixture) -> None:
    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    one = Node(1)
    async with running(one), await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        one.network.set_peers({2: ("127.0.0.1", server.sockets[0].getsockname()[1])})
        await until(lambda: "the handshake was broken off: it sent no frame of ours" in caplog.text)
        assert one.reached == one.lost == []


async def test_a_server_that_welcomes_without_the_secret_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    proofs: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        impostor = Accepting(Identity("broker-a", 2, b"guessed"), NONCE)
        dialed = impostor.on_hello((await frame_from(reader))[1])
        writer.write(encode_head(FrameKind.CHALLENGE, len(dialed)) + dialed)
        kind, proof = await frame_from(reader)
        assert kind == FrameKind.PROOF
        proofs.append(proof)
        writer.write(encode_head(FrameKind.WELCOME, len(proof)) + proof)  # the best that it has
        await end_of(reader)
        writer.close()

    one = Node(1)
    async with running(one), await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        one.network.set_peers({2: ("127.0.0.1", server.sockets[0].getsockname()[1])})
        await until(lambda: "node 2 is not reached: another secret: node 2 has not the cluster secret" in caplog.text)
        assert proofs
        assert not one.is_ready(2)
        assert one.reached == one.lost == []


async def test_a_node_does_not_take_itself_for_another(caplog: pytest.LogCaptureFixture) -> None:
    one = Node(1)
    async with running(one):
        one.network.set_peers({2: one.address})
        await until(lambda: "node 2 was expected here, and this is node 1" in caplog.text)
        assert not one.network.is_reachable(2)


@pytest.mark.parametrize("seed", range(3))
async def test_random_bytes_do_no_harm_before_the_handshake_or_behind_it(seed: int) -> None:
    rng, quick = random.Random(seed), PeerTimes(retry_s_max=0.02)
    one, two = Node(1, times=quick), Node(2, times=quick)
    async with joined(one, two):
        for _ in range(20):
            reader, writer = await asyncio.open_connection(*two.address)
            start = hello()[1] if rng.random() < 0.5 else b""
            writer.write(start + rng.randbytes(rng.randrange(1, 9000)))
            if rng.random() < 0.5:
                writer.write_eof()
            else:
                writer.close()
            await end_of(reader)
            writer.close()
        kinds = (FrameKind.RAFT, FrameKind.CALL, FrameKind.CANCEL, FrameKind.ANSWER, FrameKind.TAKEN, FrameKind.FAILED)
        for round_ in range(20):
            link = one.network._peers[2].raft if round_ % 2 else one.network._peers[2].calls
            connection = link.connection
            assert connection is not None
            connection.send(rng.choice(kinds), rng.randbytes(rng.randrange(100)))
            connection.send(FrameKind.HELLO)  # which surely has no place here
            await asyncio.wait_for(connection.closed, 10)
            await until(lambda: one.is_ready(2))
        one.network.send(numbered(1, 2, 1))
        await until(lambda: two.terms[-1:] == [1])


def test_a_rare_log_counts_what_it_leaves_out(caplog: pytest.LogCaptureFixture) -> None:
    now_s = [0.0]
    log = RareLog(logging.getLogger("mq.test"), rest_s=10, now_s=lambda: now_s[0])
    for text in ("one", "two", "three"):
        log.warning(text)
    now_s[0] = 10.0
    log.warning("four")
    log.warning("five")
    log.reset()
    log.warning("six")
    assert caplog.messages == ["one", "four (and 2 more like it)", "six"]


def test_a_rare_log_may_tell_what_is_new(caplog: pytest.LogCaptureFixture) -> None:
    log = RareLog(logging.getLogger("mq.test"), is_new_told=True, now_s=lambda: 0.0)
    for text in ("one", "one", "two", "two", "one"):
        log.warning(text)
    assert caplog.messages == ["one", "two (and 1 more like it)", "one (and 1 more like it)"]
