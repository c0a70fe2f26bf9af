"""A node's place among the others, for the calls that it passes on and those that it is passed."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import cast

from mq.core.errors import MqError
from mq.raft.errors import NotLeaderError
from mq.rpc.call_codec import Headers
from mq.rpc.handling import Context, Handler
from mq.rpc.methods import Cardinality, Method
from mq.rpc.passing import LeaderAwayError, LeaderLostError, PassedContext, is_read
from mq.server.node import BrokerNode, Reign
from mq.server.peer_calling import CallRefusedError, OutgoingCall, PeerLostError, PeerUnreachableError
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall

__all__ = ["Masterless", "PassedCalls", "Peers"]

_LAST_ANSWERS_S, _OVERDUE_S = 0.1, 0.4
"""So long a node that leads no more may still answer calls that it was passed. One that stands still never would: what it has
had for so long is not waited for any more."""


class Peers:
    """See `mq.rpc.passing.GroupPort`."""

    def __init__(self, node: BrokerNode, network: PeerNetwork, node_id: int) -> None:
        self._node, self._network, self._node_id = node, network, node_id
        self._changed = asyncio.Event()
        self._asked = node.reign.leader
        node.on_reign.append(self._on_reign)

    def _on_reign(self, reign: Reign) -> None:
        if self._asked not in (None, self._node_id, reign.leader):
            self._network.give_up_calls(self._asked, _LAST_ANSWERS_S, "it leads no more", overdue_s=_OVERDUE_S)
        self._asked = reign.leader
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def is_leader_here(self) -> bool:
        """See `GroupPort`."""
        return self._node.reign.is_here

    @property
    def leader(self) -> int | None:
        """See `GroupPort`."""
        leader = self._node.reign.leader
        return None if leader == self._node_id else leader

    async def confirm(self) -> None:
        """See `GroupPort`."""
        await self._node.read_index()

    async def leader_changes(self, timeout_s: float) -> None:
        """See `GroupPort`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return

    async def state_changes(self, timeout_s: float) -> None:
        """See `GroupPort`."""
        known = self._node.machine.applied_index
        try:
            async with asyncio.timeout(timeout_s):
                await self._node.until(lambda: self._node.machine.applied_index > known)
        except TimeoutError:
            return

    async def call(self, node: int, name: str, headers: Headers, raw: bytes, timeout_s: float | None) -> bytes:
        """See `GroupPort`."""
        try:
            return await self._network.call(node, OutgoingCall(name, headers, raw, timeout_s))
        except MqError as error:
            raise _as_known(error) from None

    async def stream(
        self, node: int, name: str, headers: Headers, raw: bytes, timeout_s: float | None
    ) -> AsyncGenerator[bytes, None]:
        """See `GroupPort`."""
        try:
            async with aclosing(self._network.stream(node, OutgoingCall(name, headers, raw, timeout_s))) as parts:
                async for part in parts:
                    yield part
        except MqError as error:
            raise _as_known(error) from None


class Masterless:
    """See `mq.rpc.passing.MasterPort`. own: as clients reach this node."""

    def __init__(self, node: BrokerNode, node_id: int, own: str) -> None:
        self._node, self._node_id, self._own = node, node_id, own

    @property
    def _is_master(self) -> bool:
        return self._node.reign.leader == self._node_id

    @property
    def old_state(self) -> str:
        """See `MasterPort`. A master that began without a slave knows no more than a slave does."""
        has_other = self._node.reign.leader is not None and not self._is_master
        if has_other or (self._is_master and not self._node.stall):
            return ""
        known = self._node.machine.applied_index
        return f"node {self._node_id}, which has no master, knows entries up to {known}; there may be newer ones"

    @property
    def why_nobody(self) -> str:
        """See `MasterPort`."""
        if self._is_master:
            return self._node.stall or "this master is not ready yet; try again"
        return (
            f"there is no master: node {self._node_id} is a slave, and hears none. It answers reads alone, until the master is "
            f"started again, or a person makes this one the master: mq broker promote --endpoint {self._own}"
        )


def _as_known(error: MqError) -> MqError:
    """What a call that is passed on can come to: it may be tried again when the leader was lost, or was none."""
    if isinstance(error, PeerUnreachableError):
        return LeaderAwayError(str(error))
    if isinstance(error, PeerLostError):
        return LeaderLostError(str(error))
    if isinstance(error, CallRefusedError):
        return NotLeaderError(None)
    return error


class PassedCalls:
    """Carries out what other nodes pass on; only while this node leads.

    handlers: by RPC name, such as answer every error themselves but that this node does not lead.
    """

    def __init__(self, node: BrokerNode, methods: Mapping[str, Method], handlers: Mapping[str, Handler]) -> None:
        self._node, self._handlers = node, dict(handlers)
        self._streams = {name for name, method in methods.items() if method.cardinality is Cardinality.SERVER_STREAM}

    async def serve(self, call: IncomingCall) -> None:
        """See `mq.server.peer_serving`. Raises: NotLeaderError."""
        if not self._node.reign.is_here or call.name not in self._handlers:
            raise NotLeaderError(self._node.reign.leader)
        handler, context = self._handlers[call.name], cast(Context, PassedContext(call.headers, call.deadline_s, call.peer))
        if is_read(call.name):
            await self._node.read_index()
        if call.name not in self._streams:
            await call.answer(await handler(call.request, context), is_last=True)
            return
        async with aclosing(handler(call.request, context)) as parts:
            async for part in parts:
                await call.answer(part, is_last=False)
