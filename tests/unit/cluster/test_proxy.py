"""The proxy between nodes, with real sockets: what is cut is silent, what is delayed comes later, what is healed works again."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from mq.cluster.errors import ClusterError
from mq.cluster.proxy import Proxy, ask_proxy

HOST = "127.0.0.1"
TOKEN = "a token"
LIMIT_S = 20.0


async def until(is_so: Callable[[], object], what: str) -> None:
    """Let the loop run until the answer is true; fail when it never is."""
    end_s = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < end_s, f"not within {LIMIT_S:g} s: {what}"
        await asyncio.sleep(0.001)


class Talk(asyncio.Protocol):
    """One connection as a node sees it."""

    def __init__(self, seen: "list[Talk] | None" = None) -> None:
        self._seen = seen
        self.heard = bytearray()
        self.is_over = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._seen is not None:
            self._seen.append(self)

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_over = True

    def say(self, data: bytes) -> None:
        self.transport.write(data)

    async def expect(self, data: bytes) -> None:
        await until(lambda: bytes(self.heard) == data, f"{data[:40]!r} is heard, not {bytes(self.heard[:40])!r}")


class Group:
    """Nodes a, b and c that listen, and the proxy between them."""

    def __init__(self) -> None:
        self.accepted: dict[str, list[Talk]] = {name: [] for name in "abc"}
        self.dialled: list[Talk] = []
        self.servers: dict[str, asyncio.Server] = {}
        self.addresses: dict[str, tuple[str, int]] = {}
        self.proxy: Proxy

    async def start(self) -> None:
        for name in "abc":
            await self.listen(name)
        self.proxy = Proxy(self.addresses, [(x, y) for x in "abc" for y in "abc" if x != y], TOKEN)
        await self.proxy.start()

    async def listen(self, name: str) -> None:
        accepted = self.accepted[name]
        port = self.addresses.get(name, (HOST, 0))[1]
        self.servers[name] = await asyncio.get_running_loop().create_server(lambda: Talk(accepted), HOST, port)
        self.addresses[name] = (HOST, self.servers[name].sockets[0].getsockname()[1])

    async def dial(self, source: str, target: str) -> Talk:
        port = self.proxy.ports[source, target]
        _, talk = await asyncio.get_running_loop().create_connection(Talk, HOST, port)
        self.dialled.append(talk)
        return talk

    async def pair(self, source: str, target: str) -> tuple[Talk, Talk]:
        """An established connection: the end that dialled, and the end that accepted."""
        before = len(self.accepted[target])
        near = await self.dial(source, target)
        await until(lambda: len(self.accepted[target]) > before, "the far end is dialled")
        return near, self.accepted[target][before]

    async def check_network(self, source: str, target: str) -> None:
        """A new connection carries data both ways; all that was under way before has had its turn then."""
        near, far = await self.pair(source, target)
        near.say(b"ping")
        await far.expect(b"ping")
        far.say(b"pong")
        await near.expect(b"pong")

    def losses(self) -> int:
        return sum(connection.has_lost for connection in self.proxy.fabric.connections)

    async def stop(self) -> None:
        await self.proxy.close()
        for server in self.servers.values():
            server.close()
        for talk in [*self.dialled, *(talk for talks in self.accepted.values() for talk in talks)]:
            talk.transport.abort()
        await until(lambda: all(talk.is_over for talk in self.dialled), "all is closed")


@pytest.fixture
async def group() -> AsyncIterator[Group]:
    made = Group()
    await made.start()
    yield made
    await made.stop()


async def test_without_faults_everything_passes_both_ways_in_order(group: Group) -> None:
    near, far = await group.pair("a", "b")
    blocks = [bytes([i % 251]) * 9973 for i in range(1000)]
    for block in blocks:
        near.say(block)
        far.say(block[:7])
    await far.expect(b"".join(blocks))
    await near.expect(b"".join(block[:7] for block in blocks))


async def test_what_is_said_before_the_far_end_is_there_arrives_too(group: Group) -> None:
    near = await group.dial("a", "b")
    near.say(b"early")
    near.transport.close()
    await until(lambda: group.accepted["b"] and group.accepted["b"][0].is_over, "the far end came and went")
    assert bytes(group.accepted["b"][0].heard) == b"early"


@pytest.mark.parametrize("dialler_hangs_up", [True, False])
async def test_an_end_that_hangs_up_is_noticed_at_the_other_at_once(group: Group, dialler_hangs_up: bool) -> None:
    near, far = await group.pair("a", "b")
    near.say(b"last words")
    await far.expect(b"last words")
    gone, left = (near, far) if dialler_hangs_up else (far, near)
    gone.transport.abort()
    await until(lambda: left.is_over, "the other end hears of it")
    await until(lambda: not group.proxy.fabric.connections, "nothing is kept of it")


async def test_a_node_that_is_not_there_hangs_up(group: Group) -> None:
    group.servers["b"].close()
    near = await group.dial("a", "b")
    await until(lambda: near.is_over, "the dialler hears that nobody is there")
    await group.listen("b")
    await group.check_network("a", "b")


async def test_a_cut_is_silent_both_ways_and_leaves_all_others_alone(group: Group) -> None:
    near, far = await group.pair("a", "b")
    back_near, back_far = await group.pair("b", "a")
    group.proxy.fabric.cut("a", "b", is_one_way=False)
    for talk in (near, far, back_near, back_far):
        talk.say(b"nobody hears this")
    await until(lambda: group.losses() == 2, "the proxy has thrown it away")
    await group.check_network("a", "c")
    await group.check_network("c", "b")
    for talk in (near, far, back_near, back_far):
        assert bytes(talk.heard) == b""
        assert not talk.is_over, "a cut tells nobody"


async def test_a_cut_one_way_takes_that_way_out_of_the_connections_of_both(group: Group) -> None:
    near, far = await group.pair("a", "b")
    back_near, back_far = await group.pair("b", "a")
    group.proxy.fabric.cut("a", "b", is_one_way=True)
    near.say(b"lost")
    back_far.say(b"lost, too")
    await until(lambda: group.losses() == 2, "what a says is thrown away")
    far.say(b"heard")
    back_near.say(b"heard, too")
    await near.expect(b"heard")
    await back_far.expect(b"heard, too")
    assert (bytes(far.heard), bytes(back_near.heard)) == (b"", b"")
    assert [talk.is_over for talk in (near, far, back_near, back_far)] == [False] * 4


@pytest.mark.parametrize("cut", [("a", "b", False), ("a", "b", True), ("b", "a", True)])
async def test_who_dials_over_a_cut_hears_nothing(group: Group, cut: tuple[str, str, bool]) -> None:
    group.proxy.fabric.cut(cut[0], cut[1], is_one_way=cut[2])
    near = await group.dial("a", "b")
    near.say(b"hello?")
    await until(group.losses, "the proxy has it")
    await group.check_network("c", "b")
    assert len(group.accepted["b"]) == 1, "only c came through"
    assert bytes(near.heard) == b""
    assert not near.is_over, "not even a refusal"
    group.proxy.fabric.heal()
    await until(lambda: near.is_over, "it may try again now")
    await group.check_network("a", "b")


async def test_who_dies_behind_a_cut_dies_unheard_until_it_is_healed(group: Group) -> None:
    near, far = await group.pair("a", "b")
    group.proxy.fabric.cut("a", "b", is_one_way=False)
    near.transport.abort()
    await until(group.losses, "the end of the connection is thrown away")
    await group.check_network("c", "b")
    assert not far.is_over
    group.proxy.fabric.heal()
    await until(lambda: far.is_over, "now it is noticed")
    await until(lambda: group.proxy.fabric.state()["cuts"] == [], "healed")


async def test_healing_closes_what_lost_something_and_keeps_what_lost_nothing(group: Group) -> None:
    near, far = await group.pair("a", "b")
    quiet_near, quiet_far = await group.pair("a", "b")
    group.proxy.fabric.cut("a", "b", is_one_way=False)
    near.say(b"lost")
    await until(group.losses, "thrown away")
    group.proxy.fabric.heal()
    await until(lambda: near.is_over and far.is_over, "the one that lost something is closed")
    assert bytes(far.heard) == b""
    quiet_near.say(b"still here")
    await quiet_far.expect(b"still here")
    await group.check_network("a", "b")


async def test_a_delay_keeps_the_order_and_comes_later(group: Group) -> None:
    near, far = await group.pair("a", "b")
    group.proxy.fabric.delay("a", "b", 150)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for i in range(50):
        near.say(b"%02d" % i)
        await asyncio.sleep(0)
    said = b"".join(b"%02d" % i for i in range(50))
    await far.expect(said)
    assert loop.time() - began_s >= 0.145
    began_s = loop.time()
    far.say(b"answer")
    await near.expect(b"answer")
    assert loop.time() - began_s >= 0.145, "the other way is slow, too"
    other, its_far = await group.pair("c", "b")
    other.say(b"quick")
    await its_far.expect(b"quick")
    assert [way[:2] for way in group.proxy.fabric.state()["delays"]] == [["a", "b"], ["b", "a"]]  # type: ignore[attr-defined]


async def test_a_shorter_delay_lets_nothing_overtake_and_healing_delivers_at_once(group: Group) -> None:
    near, far = await group.pair("a", "b")
    group.proxy.fabric.delay("a", "b", 3_600_000)
    near.say(b"first ")
    waiting = next(iter(group.proxy.fabric.connections)).from_near
    await until(lambda: waiting._waiting_bytes == 6, "it is on its way")
    group.proxy.fabric.delay("a", "b", 0)
    near.say(b"second")
    await until(lambda: waiting._waiting_bytes == 12, "it waits behind the first")
    assert bytes(far.heard) == b""
    group.proxy.fabric.heal()
    await far.expect(b"first second")
    near.say(b" third")
    await far.expect(b"first second third")


async def test_what_is_on_its_way_when_the_cable_is_cut_is_lost(group: Group) -> None:
    near, far = await group.pair("a", "b")
    group.proxy.fabric.delay("a", "b", 100)
    near.say(b"under way")
    waiting = next(iter(group.proxy.fabric.connections)).from_near
    await until(lambda: waiting._waiting_bytes, "it is on its way")
    group.proxy.fabric.cut("a", "b", is_one_way=True)
    await until(group.losses, "it comes to the cut")
    assert bytes(far.heard) == b""
    assert not far.is_over


async def test_an_end_that_does_not_read_slows_the_other_down_and_nothing_is_lost(group: Group) -> None:
    near, far = await group.pair("a", "b")
    far.transport.pause_reading()
    block = bytes(1 << 20)
    for _ in range(64):
        near.say(block)
    # The sender's own buffer stays full: neither the proxy nor the far end takes it all.
    connection = next(iter(group.proxy.fabric.connections))
    await until(lambda: connection.near._held, "the proxy reads no more")
    assert connection.far.transport is not None
    assert connection.far.transport.get_write_buffer_size() < 4 << 20
    far.transport.resume_reading()
    await until(lambda: len(far.heard) == 64 << 20, "all of it arrives")
    await until(lambda: not connection.near._held, "the proxy reads again")


async def test_a_delayed_flood_is_bounded(group: Group) -> None:
    near, far = await group.pair("a", "b")
    group.proxy.fabric.delay("a", "b", 3_600_000)
    for _ in range(64):
        near.say(bytes(1 << 20))
    connection = next(iter(group.proxy.fabric.connections))
    await until(lambda: connection.near._held, "the proxy reads no more")
    assert connection.from_near._waiting_bytes < 4 << 20
    group.proxy.fabric.heal()
    await until(lambda: len(far.heard) == 64 << 20, "all of it arrives")


# --- its commands


@asynccontextmanager
async def asked(group: Group) -> AsyncIterator[Callable[..., "asyncio.Future[dict[str, object]]"]]:
    loop = asyncio.get_running_loop()
    yield lambda token=TOKEN, **request: loop.run_in_executor(None, ask_proxy, group.proxy.control_port, token, request)


async def test_the_commands_cut_delay_and_heal(group: Group) -> None:
    async with asked(group) as ask:
        assert (await ask(verb="state"))["cuts"] == []
        state = await ask(verb="cut", **{"from": "a", "to": "b", "one_way": False})
        assert state["cuts"] == [["a", "b"], ["b", "a"]]
        state = await ask(verb="cut", **{"from": "c", "to": "b", "one_way": True})
        assert state["cuts"] == [["a", "b"], ["b", "a"], ["c", "b"]]
        state = await ask(verb="delay", **{"from": "a", "to": "c", "ms": 5})
        assert state["delays"] == [["a", "c", 5], ["c", "a", 5]]
        assert (await ask(verb="delay", **{"from": "c", "to": "a", "ms": 0}))["delays"] == []
        assert await ask(verb="heal") == {"cuts": [], "delays": [], "connections": 0}


@pytest.mark.parametrize(
    ("token", "request_", "text"),
    [
        ("another", {"verb": "heal"}, "wrong token"),
        (TOKEN, {"verb": "cut", "from": "a", "to": "x", "one_way": False}, "a and x do not talk to each other"),
        (TOKEN, {"verb": "cut", "from": "a", "to": "a", "one_way": False}, "a and a do not talk to each other"),
        (TOKEN, {"verb": "cut", "from": "a", "to": "b"}, "there is no such verb, or not all it needs"),
        (TOKEN, {"verb": "delay", "from": "a", "to": "b", "ms": -1}, "there is no such verb, or not all it needs"),
        (TOKEN, {"verb": "explode"}, "there is no such verb"),
    ],
)
async def test_a_command_that_makes_no_sense_changes_nothing(
    group: Group, token: str, request_: dict[str, object], text: str
) -> None:
    async with asked(group) as ask:
        with pytest.raises(ClusterError, match=text):
            await ask(token=token, **request_)
        assert await ask(verb="state") == {"cuts": [], "delays": [], "connections": 0}


@pytest.mark.parametrize("line", [b"no json\n", b"[]\n", b"{}\n", b'{"token": 5}\n', b"\xff\n", b"5\n"])
async def test_a_stranger_that_talks_nonsense_is_answered_and_harms_nothing(group: Group, line: bytes) -> None:
    reader, writer = await asyncio.open_connection(HOST, group.proxy.control_port)
    writer.write(line)
    assert "error" in json.loads(await asyncio.wait_for(reader.readline(), LIMIT_S))
    writer.close()
    await writer.wait_closed()
    await group.check_network("a", "b")


async def test_a_line_without_end_is_hung_up_on(group: Group) -> None:
    reader, writer = await asyncio.open_connection(HOST, group.proxy.control_port)
    writer.write(b"x" * (1 << 20))
    try:
        answer = await asyncio.wait_for(reader.read(), LIMIT_S)
    except ConnectionError:
        answer = b""
    assert answer == b""
    writer.close()
    await group.check_network("a", "b")


def test_a_proxy_that_is_gone_is_told_in_words() -> None:
    with pytest.raises(ClusterError, match=r"the proxy between the nodes does not answer .*`mq cluster down`, then `up`"):
        ask_proxy(1, TOKEN, {"verb": "state"})
