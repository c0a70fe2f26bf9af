"""The door for clients: open while this node can serve, closed while it is cut off from the group.

A client stays on a connection that stands, whatever it is told there. So a node that hears of no leader, be it from its start
on, stops listening: its clients go to another node of their route, and come back when they like. A node that led and heard of
no quorum closes at once; one that only waits for an election holds calls for a while first (`mq.rpc.passing`), but not when its
peers follow a leader that it does not hear. And one that hears of its leader but cannot say anything to it has nobody to pass
calls on to.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from mq.core.address import Address
from mq.core.errors import MqError
from mq.rpc.methods import BROKER, BROKER_SERVICE, MESSAGING, MESSAGING_SERVICE
from mq.rpc.serving import GrpcServer, Service
from mq.server.node import BrokerNode, Reign
from mq.server.services import Services

__all__ = ["Listener"]

_PATIENCE_S = 2.0
_ALONE_PATIENCE_S = 5.0
"""A node that is told of no others looks whether any speak to it before it begins (`mq.server.coming_in`). It will lead soon, and
who asked it meanwhile, to add a node say, is not to be cut off in the middle."""
_UNREACHED_S = 1.0
"""So long the leader may be out of reach, as while a connection is made again on a busy machine."""
_LOOK_EVERY_S = 0.1
_ASK_EVERY_S = 0.2
_TOLD_MIN = 2
"""In a row; a leader that is new says so to all within that time."""
_CLOSE_GRACE_S = 0.1
_log = logging.getLogger(__name__)

IsLed: TypeAlias = Callable[[], Awaitable[bool]]


class Listener:
    """Opens and closes the gRPC servers; each opening is a new one. outside: where the second one listens, if there is one."""

    def __init__(self, address: Address, services: Services, outside: Address | None = None) -> None:
        self._services = services
        self._doors = [(address, services.messaging, services.extension)]
        if outside is not None:
            self._doors.append((outside, services.outside, services.extension_outside))
        self._servers: list[GrpcServer] = []
        self._reached_s = 0.0  # when whoever leads was last in reach

    @property
    def is_open(self) -> bool:
        """Whether clients can come in."""
        return bool(self._servers)

    async def open(self) -> None:
        """Listen. Raises: PortError."""
        services = self._services
        try:
            for (host, port), messaging, extension in self._doors:
                server = GrpcServer()
                self._servers.append(server)
                server.bind(host, port)
                await server.start([
                    Service(MESSAGING_SERVICE, MESSAGING, messaging, services.refuse_messaging),
                    Service(BROKER_SERVICE, BROKER, extension, services.refuse_extension),
                ])  # fmt: skip
        except MqError:
            await self.close(0)
            raise

    async def close(self, grace_s: float) -> None:
        """Stop listening; calls under way may end within `grace_s`."""
        servers, self._servers = self._servers, []
        await asyncio.gather(*(server.stop(grace_s) for server in servers))

    async def follow(self, node: BrokerNode, reaches: Callable[[int], bool], is_led: IsLed) -> None:
        """Open while a leader is known and can be reached, for ever.

        reaches: whether what is said to that node arrives. is_led: whether another node knows of a leader.
        """
        assert node.group is not None
        now, self._reached_s = node.reign, asyncio.get_running_loop().time()
        if now.leader is None:  # a node that is no member yet may never hear of one
            is_alone = node.group.voters == (node.group.node_id,)
            await self._close_when_lost(node, now, is_led, _ALONE_PATIENCE_S if is_alone else _PATIENCE_S)
        while True:
            if not await self._changes(node, now):
                await self._look_at_way(node, reaches)
                continue
            before, now = now, node.reign
            if now.leader is None:
                # Whoever led and steps down within its term has heard of no quorum for a whole time-out.
                has_lost_quorum = before == Reign(now.term, node.group.node_id, is_here=before.is_here)
                await self._close_when_lost(node, now, is_led, 0.0 if has_lost_quorum else _PATIENCE_S)
            else:
                self._reached_s = asyncio.get_running_loop().time()
                if not self.is_open:
                    await self._reopen()

    @staticmethod
    async def _changes(node: BrokerNode, now: Reign) -> bool:
        """Whether another one leads, or none any more, within a moment."""
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                await node.until(lambda: node.reign != now)
        except TimeoutError:
            return node.reign != now
        return True

    async def _look_at_way(self, node: BrokerNode, reaches: Callable[[int], bool]) -> None:
        leader, now_s = node.reign.leader, asyncio.get_running_loop().time()
        assert node.group is not None
        if leader is None:
            return
        if leader == node.group.node_id or reaches(leader):
            self._reached_s = now_s
            if not self.is_open:
                await self._reopen()
        elif self.is_open and now_s - self._reached_s >= _UNREACHED_S:
            _log.warning("node %d leads and cannot be reached from here: clients are turned away until it can", leader)
            await self.close(_CLOSE_GRACE_S)

    async def _close_when_lost(self, node: BrokerNode, lost: Reign, is_led: IsLed, patience_s: float) -> None:
        why = await self._why_lost(node, lost, is_led, patience_s)
        if why and self.is_open:
            _log.warning("%s: clients are turned away until a leader is known", why)
            await self.close(_CLOSE_GRACE_S)

    async def _why_lost(self, node: BrokerNode, lost: Reign, is_led: IsLed, patience_s: float) -> str:
        """Why there is nothing more to wait for; empty when a leader is known again."""
        assert node.group is not None
        now_s = asyncio.get_running_loop().time
        end_s = now_s() + patience_s
        # Time-outs of different nodes lie so far apart: before, another one may still believe in a leader that is gone.
        within_s = node.group.raft.election_ticks * node.group.tick_ms / 1000
        told = 0
        while not await self._is_found(node, min(within_s, end_s - now_s())):
            if now_s() >= end_s:
                return f"no leader since term {lost.term}"
            told = told + 1 if await is_led() else 0
            if told >= _TOLD_MIN and node.reign.leader is None:
                return "the others have a leader that is not heard here"
            within_s = _ASK_EVERY_S
        return ""

    @staticmethod
    async def _is_found(node: BrokerNode, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                await node.until(lambda: node.reign.leader is not None)
        except TimeoutError:
            return node.reign.leader is not None
        return True

    async def _reopen(self) -> None:
        try:
            await self.open()
            _log.info("a leader is known and in reach: clients can come in again")
        except MqError as error:
            _log.error("clients cannot come in again: %s", error)
