"""The links in both kinds of event loop, and between real processes of which one is killed."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mq.server.peer_calling import OutgoingCall, PeerLostError
from mq.server.peer_serving import IncomingCall
from tests.unit.server.eventually import until
from tests.unit.server.peers import HOST, Node, Wire, appending, joined, numbered, running

ROOT = Path(__file__).resolve().parents[3]


async def serve(call: IncomingCall) -> None:
    if call.name == "Wait":
        await asyncio.get_running_loop().create_future()
    await call.answer(call.request, is_last=False)
    await call.answer(b"!", is_last=True)


async def messages_and_calls_pass() -> None:
    one, two = Node(1, serve=serve), Node(2, serve=serve)
    async with joined(one, two):
        for number in range(2000):
            one.network.send(numbered(1, 2, number))
        one.network.send(appending(1, 2, 2000, bytes(9 << 20)))
        request = bytes(5 << 20)
        assert await two.network.call(1, OutgoingCall("Echo", (), request, 10.0)) == request + b"!"
        await until(lambda: two.terms == list(range(2001)))


async def a_break_is_known_at_once() -> None:
    one, two = Node(1), Node(2, serve=serve)
    async with running(one, two), Wire(two.address) as wire:
        one.network.set_peers({2: wire.address})
        await until(lambda: one.is_ready(2))
        waiting = asyncio.ensure_future(one.network.call(2, OutgoingCall("Wait", (), b"", None)))
        await until(lambda: len(two.network._tasks) == 1)
        wire.cut()
        with pytest.raises(PeerLostError):
            await asyncio.wait_for(waiting, 10)
        await until(lambda: (one.lost, two.lost) == ([2], [1]))
        await until(lambda: one.is_ready(2))


async def strangers_and_a_full_backlog_are_borne() -> None:
    one, two = Node(1), Node(2)
    async with running(one, two), Wire(two.address) as wire:
        one.network.set_peers({2: wire.address})
        await until(lambda: one.is_ready(2))
        for said in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100):
            reader, writer = await asyncio.open_connection(*two.address)
            writer.write(said)
            assert await reader.read() == b""
            writer.close()
        wire.mute()
        for number in range(50):
            one.network.send(appending(1, 2, number, bytes(1 << 20)))
            await asyncio.sleep(0)
        assert 32 << 20 <= one.raft_connection(2).unwritten_bytes < 34 << 20
        wire.unmute()
        await until(lambda: one.raft_connection(2).unwritten_bytes == 0)
        await until(lambda: len(two.messages) >= 32)


SCENARIOS = [messages_and_calls_pass, a_break_is_known_at_once, strangers_and_a_full_backlog_are_borne]


def loop_of(kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if kind == "asyncio":
        return asyncio.new_event_loop
    uvloop = pytest.importorskip("uvloop")
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_links_work_in_either_event_loop(scenario: Callable[[], Awaitable[None]], kind: str) -> None:
    async def run() -> bool:
        await scenario()
        return True

    with asyncio.Runner(loop_factory=loop_of(kind)) as runner:
        assert runner.run(run())


PROGRAM = """
import asyncio, sys
from mq.server.peer_network import PeerNetwork

async def serve(call):
    await asyncio.get_running_loop().create_future()

async def main():
    nothing = lambda _: None
    network = PeerNetwork("broker-a", 2, secret=b"sesame", on_message=nothing, on_lost=nothing, serve=serve)
    port = await network.listen(sys.argv[1], 0)
    network.set_peers({1: (sys.argv[1], int(sys.argv[2]))})
    sys.stdout.write(f"{port}\\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


async def test_a_process_that_is_killed_is_lost_at_once_and_its_calls_end() -> None:
    one = Node(1)
    async with running(one):
        command = (sys.executable, "-c", PROGRAM, HOST, str(one.address[1]))
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        try:
            assert process.stdout is not None
            port = int(await asyncio.wait_for(process.stdout.readline(), 60))
            one.network.set_peers({2: (HOST, port)})
            await until(lambda: one.is_ready(2) and len(one.network._accepted) == 2)
            waiting = asyncio.ensure_future(one.network.call(2, OutgoingCall("Wait", (), b"", None)))
            await until(lambda: one.network._calling[2]._pending)
        finally:
            process.kill()
        with pytest.raises(PeerLostError):
            await asyncio.wait_for(waiting, 4.0)  # far below any ping
        await until(lambda: one.lost == [2, 2])
        assert not one.network.is_reachable(2)
        await process.wait()
