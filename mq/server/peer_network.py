"""The links between the nodes of a broker group: Raft's messages, and calls that one node passes on to another.

Each node dials every other one twice: one connection for Raft's messages and one for calls, so that a large call never holds
up a heartbeat. A node's own messages and calls leave on the connections that it dialed; those of others arrive on the ones
that they dialed. Who may connect is decided by the cluster's secret (`mq.rpc.handshake`). Why frames and not gRPC:
`docs/decisions/008-peers-speak-frames.md`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import NamedTuple

from mq.core.address import Address, show_address
from mq.core.errors import Code, FormatError, MqError
from mq.raft.messages import Message
from mq.rpc.frames import FrameKind
from mq.rpc.handshake import Identity, Purpose
from mq.rpc.peer_codec import decode_message, encode_message
from mq.server.peer_calling import CallFailedError, CallingEnd, OutgoingCall, PeerUnreachableError, PendingCall
from mq.server.peer_connection import PeerConnection, PeerTimes
from mq.server.peer_greeting import AcceptedGreeting, Target, os_reason
from mq.server.peer_link import PeerLink
from mq.server.peer_log import RareLog
from mq.server.peer_serving import Serve, ServingEnd

__all__ = ["PeerNetwork", "PeerPortError"]

_BACKLOG_BYTES_MAX = 32 << 20
"""Of Raft's messages to one node that are not written yet. What comes beyond is dropped: Raft sends again what is missing."""
_STRANGERS_MAX = 64
"""Connections that have not proved themselves yet."""
_CLOSE_S = 2.0
_TIMES = PeerTimes()

_log = logging.getLogger("mq.peers")


class PeerPortError(MqError):
    """The address for other nodes cannot be listened on."""


class _Peer(NamedTuple):
    address: Address
    raft: PeerLink
    calls: PeerLink


class PeerNetwork:
    """One node's end of all links. Everything happens in the event loop in which it was made.

    secret: the same on all nodes of the cluster; may be empty. on_message: a message of Raft arrived. on_lost: a connection for
    Raft's messages with that node broke, in whichever direction: once for each connection that stood, so twice when a node dies
    to which both stood; never because of what this side did. on_reached: messages to that node arrive from now on. These three
    must not raise. serve: carries out a call that another node passed on (`mq.server.peer_serving`); None refuses all.
    """

    def __init__(  # noqa: PLR0913 - who it is, and one for each thing that can happen
        self,
        group: str,
        node_id: int,
        *,
        secret: bytes,
        on_message: Callable[[Message], None],
        on_lost: Callable[[int], None],
        on_reached: Callable[[int], None] | None = None,
        serve: Serve | None = None,
        times: PeerTimes = _TIMES,
    ) -> None:
        self._identity, self._times = Identity(group, node_id, secret), times
        self._on_message, self._on_lost, self._on_reached, self._serve = on_message, on_lost, on_reached, serve
        self._server: asyncio.Server | None = None
        self._peers: dict[int, _Peer] = {}
        self._calling: dict[int, CallingEnd] = {}
        self._accepted: dict[tuple[int, Purpose], PeerConnection] = {}
        self._strangers: set[PeerConnection] = set()
        self._connections: set[PeerConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stranger_log, self._drop_log = RareLog(_log), RareLog(_log)
        self._is_closing = False

    async def listen(self, host: str, port: int) -> int:
        """Let other nodes connect; returns the real port, also when 0 was asked for. Raises: PeerPortError."""
        try:
            self._server = await asyncio.get_running_loop().create_server(self._made_by_stranger, host, port)
        except (OSError, UnicodeError) as error:  # the latter for a name that cannot be one
            address = show_address((host, port))
            raise PeerPortError(f"peer_listen: cannot listen on {address}: {os_reason(error)}") from error
        return int(self._server.sockets[0].getsockname()[1])

    def set_peers(self, addresses: Mapping[int, Address]) -> None:
        """Whom to keep connections to from now on. This node itself may be among them, and is passed over."""
        wanted = {} if self._is_closing else {node: at for node, at in addresses.items() if node != self._identity.node_id}
        for node, peer in tuple(self._peers.items()):
            if wanted.get(node) != peer.address:
                del self._peers[node]
                peer.raft.stop()
                peer.calls.stop()
        for node, address in wanted.items():
            if node not in self._peers:
                self._peers[node] = _Peer(address, *(self._link(Target(node, address, purpose)) for purpose in Purpose))

    def _link(self, target: Target) -> PeerLink:
        on_up = self._on_raft_up if target.purpose is Purpose.RAFT else self._on_calls_up
        link = PeerLink(
            self._identity, target, self._times, on_made=self._note, on_up=lambda connection: on_up(target, connection)
        )
        self._tasks.add(link.task)
        link.task.add_done_callback(lambda task: self._on_link_ended(target, task))
        return link

    def _on_link_ended(self, target: Target, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the link to node %d ended", target.peer, exc_info=error)

    # --- Raft's messages

    def send(self, message: Message) -> None:
        """To `message.to`, if it is reachable and not too far behind; else nothing happens. Never blocks."""
        peer = self._peers.get(message.to)
        connection = peer.raft.connection if peer is not None else None
        if connection is None:
            return
        if connection.unwritten_bytes >= _BACKLOG_BYTES_MAX:
            self._drop_log.warning(f"node {message.to} takes in too little: a {type(message).__name__} for it is dropped")
            return
        try:
            connection.send(FrameKind.RAFT, encode_message(message))
        except FormatError as error:
            self._drop_log.warning(f"a {type(message).__name__} for node {message.to} cannot be sent: {error}")

    def is_reachable(self, node: int) -> bool:
        """Whether a message to that node would be sent now."""
        peer = self._peers.get(node)
        return peer is not None and peer.raft.connection is not None

    def _on_raft_up(self, target: Target, connection: PeerConnection) -> None:
        connection.on_closed = lambda: self._on_raft_closed(target.peer, connection)
        _log.info("node %d is reached at %s", target.peer, show_address(target.address))
        if self._on_reached is not None:
            self._on_reached(target.peer)

    def _on_raft_closed(self, node: int, connection: PeerConnection) -> None:
        if connection.is_ended_by_us or self._is_closing:
            return
        _log.info("a connection with node %d broke: %s", node, connection.reason)
        self._on_lost(node)

    @property
    def is_listening(self) -> bool:
        """Whether others can connect to this node."""
        return self._server is not None

    # --- calls

    async def call(self, node: int, call: OutgoingCall) -> bytes:
        """A call with one answer (of several, all of them joined).

        Raises: PeerUnreachableError (nothing was sent), PeerLostError and CallTimeoutError (it may have been carried out),
        CallFailedError (it failed over there), IllegalArgumentError (too large). When the task that waits is cancelled, so is the
        one that serves.
        """
        pending = await self._begin(node, call)
        try:
            parts = []
            while (part := await pending.next()) is not None:
                parts.append(part)
        finally:
            pending.end()
        if not parts:
            raise CallFailedError(Code.INTERNAL_SERVER_ERROR, f"{pending.what} ended without an answer")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def stream(self, node: int, call: OutgoingCall) -> AsyncGenerator[bytes, None]:
        """A call with many answers; it is sent when the first one is asked for. Raises as `call` does.

        Whoever stops reading before the end should close the iterator (`contextlib.aclosing`), which cancels the serving task.
        """
        pending = await self._begin(node, call)
        pending.has_many = True
        try:
            while (part := await pending.next()) is not None:
                yield part
        finally:
            pending.end()

    def give_up_calls(self, node: int, after_s: float, why: str, *, overdue_s: float) -> None:
        """Calls to that node that are under way now and still are so much later end with PeerLostError.

        overdue_s: one whose only answer was waited for so long already ends at once, if nothing was heard of that node either.
        """
        end = self._calling.get(node)
        if end is not None:
            if self._silent_s(node) >= overdue_s:
                end.give_up(end.last_id, why, overdue_s=overdue_s)
            asyncio.get_running_loop().call_later(after_s, end.give_up, end.last_id, why)

    def _silent_s(self, node: int) -> float:
        """Since when nothing came from there: one that leads says something several times a second."""
        accepted = [self._accepted.get((node, purpose)) for purpose in Purpose]
        dialed = [link.connection for link in (self._peers[node].raft, self._peers[node].calls)] if node in self._peers else []
        heard = [one.heard_at_s for one in (*accepted, *dialed) if one is not None]
        return asyncio.get_running_loop().time() - max(heard, default=0.0)

    async def _begin(self, node: int, call: OutgoingCall) -> PendingCall:
        peer, end = self._peers.get(node), self._calling.get(node)
        if peer is None or peer.calls.connection is None or end is None:
            raise PeerUnreachableError(f"there is no connection with node {node}")
        return await end.begin(call)

    def _on_calls_up(self, target: Target, connection: PeerConnection) -> None:
        self._calling[target.peer] = CallingEnd(connection, target.peer)

    # --- those who connect to this node

    def _note(self, connection: PeerConnection) -> None:
        self._connections.add(connection)
        connection.closed.add_done_callback(lambda _: self._connections.discard(connection))

    def _made_by_stranger(self) -> PeerConnection:
        return PeerConnection(self._times, self._on_stranger)

    def _on_stranger(self, connection: PeerConnection) -> None:
        self._note(connection)
        if self._is_closing:
            connection.drop()
            return
        if len(self._strangers) >= _STRANGERS_MAX:
            self._stranger_log.warning(f"{connection.remote} is turned away: too many connections have not proved themselves yet")
            connection.drop()
            return
        self._strangers.add(connection)
        AcceptedGreeting(connection, self._identity, self._times, on_welcome=self._on_welcome, on_end=self._on_stranger_closed)

    def _on_stranger_closed(self, connection: PeerConnection, reason: str) -> None:
        self._strangers.discard(connection)
        if not self._is_closing:
            self._stranger_log.warning(f"{connection.remote} is no node of this group: {reason}")

    def _on_welcome(self, connection: PeerConnection, node: int, purpose: Purpose) -> None:
        self._strangers.discard(connection)
        if (older := self._accepted.get((node, purpose))) is not None:
            older.drop()
        self._accepted[node, purpose] = connection  # stays when it is closed: one for each node and purpose
        if purpose is Purpose.RAFT:
            connection.on_frame = lambda kind, body: self._on_raft_frame(node, kind, body)
            connection.on_closed = lambda: self._on_raft_closed(node, connection)
        else:
            ServingEnd(connection, node, self._serve, self._tasks)
        if (peer := self._peers.get(node)) is not None:
            (peer.raft if purpose is Purpose.RAFT else peer.calls).wake()

    def _on_raft_frame(self, node: int, kind: FrameKind, body: memoryview) -> None:
        if kind is not FrameKind.RAFT:
            raise FormatError(f"a {kind.name} frame where Raft's messages are expected")
        message = decode_message(body)
        if message.sender != node or message.to != self._identity.node_id:
            raise FormatError(f"a {type(message).__name__} from node {message.sender} to node {message.to}")
        self._on_message(message)

    async def close(self) -> None:
        """End all links; what was sent is still written, for a moment. No callback is called from then on."""
        self._is_closing = True
        if self._server is not None:
            self._server.close()
        self.set_peers({})
        for connection in tuple(self._connections):
            connection.finish()
        for task in tuple(self._tasks):
            task.cancel()
        endings = [*self._tasks, *(connection.closed for connection in self._connections)]
        if endings:
            await asyncio.wait(endings, timeout=_CLOSE_S)
