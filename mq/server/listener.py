"""The door for clients: open while this node can serve, closed while it is cut off from the group.

A client stays on a connection that stands, whatever it is told there. So a node that hears of no leader stops listening: its
clients go to another node of their route, and come back when they like. A node that led and heard of no quorum closes at once;
one that only waits for an election holds calls for a while first (`mq.rpc.passing`).
"""

import asyncio
import logging

from mq.core.address import Address
from mq.core.errors import MqError
from mq.rpc.serving import GrpcServer
from mq.server.node import BrokerNode, Reign
from mq.server.services import Services

__all__ = ["Listener"]

_PATIENCE_S = 2.0
_CLOSE_GRACE_S = 0.1
_log = logging.getLogger(__name__)


class Listener:
    """Opens and closes the gRPC servers; each opening is a new one. outside: where the second one listens, if there is one."""

    def __init__(self, address: Address, services: Services, outside: Address | None = None) -> None:
        self._services = services
        self._doors = [(address, services.messaging), *([(outside, services.outside)] if outside else [])]
        self._servers: list[GrpcServer] = []

    @property
    def is_open(self) -> bool:
        """Whether clients can come in."""
        return bool(self._servers)

    async def open(self) -> None:
        """Listen. Raises: PortError."""
        services = self._services
        try:
            for (host, port), messaging in self._doors:
                server = GrpcServer()
                self._servers.append(server)
                server.bind(host, port)
                await server.start(messaging, services.refuse_messaging, services.extension, services.refuse_extension)
        except MqError:
            await self.close(0)
            raise

    async def close(self, grace_s: float) -> None:
        """Stop listening; calls under way may end within `grace_s`."""
        servers, self._servers = self._servers, []
        await asyncio.gather(*(server.stop(grace_s) for server in servers))

    async def follow(self, node: BrokerNode) -> None:
        """Open while a leader is known, for ever."""
        assert node.group is not None
        now = node.reign
        while True:
            await node.until(lambda: node.reign != now)  # noqa: B023 - awaited in the same turn
            before, now = now, node.reign
            if now.leader is None:
                # Whoever led and steps down within its term has heard of no quorum for a whole time-out.
                has_lost_quorum = before == Reign(now.term, node.group.node_id, is_here=before.is_here)
                await self._close_when_lost(node, now, 0.0 if has_lost_quorum else _PATIENCE_S)
            elif not self.is_open:
                await self._reopen()

    async def _close_when_lost(self, node: BrokerNode, lost: Reign, patience_s: float) -> None:
        try:
            async with asyncio.timeout(patience_s):
                await node.until(lambda: node.reign.leader is not None)
        except TimeoutError:
            if node.reign.leader is None and self.is_open:
                _log.warning("no leader since term %d: clients are turned away until one is known", lost.term)
                await self.close(_CLOSE_GRACE_S)

    async def _reopen(self) -> None:
        try:
            await self.open()
            _log.info("a leader is known: clients can come in again")
        except MqError as error:
            _log.error("clients cannot come in again: %s", error)
