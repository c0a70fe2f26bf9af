"""Nodes of a broker group as far as their links go, and a wire between two of them that can be cut and muted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mq.core.address import Address
from mq.core.entry import Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.messages import AppendRequest, Message, TimeoutNow
from mq.server.peer_connection import PeerConnection, PeerTimes
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import Serve
from tests.unit.server.eventually import until

__all__ = ["HOST", "Node", "Wire", "appending", "joined", "numbered", "running"]

HOST = "127.0.0.1"
_TIMES = PeerTimes()
_NOWHERE = EntryId(Term(0), LogIndex(0))


def numbered(sender: int, to: int, number: int) -> Message:
    """A small message that is told apart from others."""
    return TimeoutNow(sender, to, Term(number))


def appending(sender: int, to: int, number: int, payload: bytes) -> Message:
    """A message of any size."""
    entries = (Entry(LogIndex(number), Term(1), EntryKind.COMMAND, payload),)
    return AppendRequest(sender, to, Term(number), _NOWHERE, entries, LogIndex(0), 0)


class Node:
    """A network, and all that it told."""

    def __init__(
        self,
        node_id: int,
        *,
        group: str = "broker-a",
        secret: bytes = b"sesame",
        serve: Serve | None = None,
        times: PeerTimes = _TIMES,
    ) -> None:
        self.id = node_id
        self.messages: list[Message] = []
        self.lost: list[int] = []
        self.reached: list[int] = []
        self.network = PeerNetwork(
            group,
            node_id,
            secret=secret,
            on_message=self.messages.append,
            on_lost=self.lost.append,
            on_reached=self.reached.append,
            serve=serve,
            times=times,
        )
        self.address: Address = (HOST, 0)

    async def start(self) -> None:
        self.address = (HOST, await self.network.listen(HOST, 0))

    @property
    def terms(self) -> list[int]:
        return [message.term for message in self.messages]

    def raft_connection(self, peer: int) -> PeerConnection:
        connection = self.network._peers[peer].raft.connection
        assert connection is not None
        return connection

    def is_ready(self, peer: int) -> bool:
        """Whether both connections to that node stand."""
        link = self.network._peers.get(peer)
        return link is not None and link.raft.connection is not None and link.calls.connection is not None

    def die(self) -> None:
        """All its connections break, and it takes no new ones, as when its process is killed."""
        assert self.network._server is not None
        self.network._server.close()
        for peer in self.network._peers.values():
            peer.raft.task.cancel()
            peer.calls.task.cancel()
        for connection in tuple(self.network._connections):
            connection.fail("killed")


@asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    """The nodes listen, without knowing of each other yet; in the end they are closed."""
    try:
        for node in nodes:
            await node.start()
        yield
    finally:
        for node in nodes:
            await node.network.close()


@asynccontextmanager
async def joined(*nodes: Node) -> AsyncIterator[None]:
    """The nodes listen, and each is connected with each."""
    async with running(*nodes):
        for node in nodes:
            node.network.set_peers({other.id: other.address for other in nodes})
        await until(lambda: all(node.is_ready(other.id) for node in nodes for other in nodes if other is not node))
        yield


class Wire:
    """Passes bytes on to an address, both ways, until it is told otherwise."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self.address: Address = (HOST, 0)
        self.accepted = 0

    async def __aenter__(self) -> "Wire":
        self._server = await asyncio.start_server(self._on_client, HOST, 0)
        self.address = (HOST, self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        try:
            back_reader, back_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(back_writer)
        for source, sink in ((reader, back_writer), (back_reader, writer)):
            task = asyncio.ensure_future(self._pass_on(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(1 << 16):
                await self._may_pass.wait()
                sink.write(data)
                await sink.drain()
        sink.close()

    def cut(self) -> None:
        """Break all connections that stand; new ones may come."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def mute(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._may_pass.clear()

    def unmute(self) -> None:
        self._may_pass.set()
