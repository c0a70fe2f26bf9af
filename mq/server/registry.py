"""The registry process: the table, its clock, and the gRPC server in front."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from mq.core.address import Address
from mq.registry.registration import NodeKey, Registration, RegistryTimes
from mq.registry.route import Route
from mq.registry.table import Registered, RegistryTable
from mq.registry.view import RegistryView
from mq.rpc.access_point import AccessPoint
from mq.rpc.extension_relay import ExtensionRelay
from mq.rpc.messaging import MessagingHandlers
from mq.rpc.methods import BROKER, BROKER_SERVICE, MESSAGING, MESSAGING_SERVICE, REGISTRY, REGISTRY_SERVICE
from mq.rpc.registry_handlers import RegistryHandlers
from mq.rpc.relaying import Relay
from mq.rpc.serving import GrpcServer, Service

__all__ = ["RegistryNode"]

_YOUNG_S = 3.0
"""So long after its start a registry may not have heard of brokers that are there: they come back within a second."""
_HOLD_S = 2.0
_GRACE_S = 1.0
_log = logging.getLogger(__name__)


class RegistryNode:
    """One registry node. It must be made inside a running event loop. clock: seconds that only grow.

    outside: where clients from outside of the brokers' network connect, who are told the brokers' addresses out there.
    advertise, advertise_outside: by which addresses both kinds of clients reach this node, where not by those.
    """

    def __init__(
        self,
        listen: Address,
        times: RegistryTimes,
        *,
        outside: Address | None = None,
        advertise: Address | None = None,
        advertise_outside: Address | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._times, self._clock = times, clock
        self.table = RegistryTable(times.expiry_ms)
        self._began_s = clock()
        self._changed = asyncio.Event()
        self._relay = Relay()
        self._doors = [(listen, advertise, False), (outside, advertise_outside, True)]
        self._servers: list[GrpcServer] = []
        self._scan: asyncio.Task[None] | None = None

    # --- what the handlers ask

    def register(self, said: Registration, connection: int) -> Registered:
        """See `RegistryTable`."""
        found = self.table.register(said, self._now_ms(), connection)
        if found.is_new:
            _log.info("%s is here: %s at %s, %d topics", said.key, said.role, said.address, len(said.topics))
        if found.has_changed:
            self._tell()
        return found

    def unregister(self, key: NodeKey) -> bool:
        """See `RegistryTable`."""
        was_known = self.table.unregister(key)
        self._tell()
        return was_known

    def closed(self, connection: int) -> tuple[NodeKey, ...]:
        """See `RegistryTable`."""
        gone = self.table.closed(connection)
        if gone:
            self._tell()
        return gone

    def view(self) -> RegistryView:
        """See `RegistryTable`."""
        return self.table.view(self._now_ms())

    async def snapshots(self) -> AsyncIterator[tuple[Registration, ...]]:
        """See `RegistryPort`. Not before brokers had their time to come back: half of them would be taken for all."""
        await asyncio.sleep(max(0.0, self._began_s + _YOUNG_S - self._clock()))
        while True:
            changed = self._changed
            yield self.table.registrations()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._times.register_every_ms / 1000):
                    await changed.wait()

    def route(self, topic: str) -> Route | None:
        """See `RegistryTable`."""
        return self.table.route(topic)

    async def known_route(self, topic: str) -> Route | None:
        """As `route`; soon after the start, brokers that were there before have a while to come back."""
        left_s = min(_HOLD_S, self._began_s + _YOUNG_S - self._clock())
        await self.until(lambda: self.table.route(topic) is not None, left_s)
        return self.table.route(topic)

    async def until(self, holds: Callable[[], bool], timeout_s: float) -> bool:
        """Come back when a registration has made this so, or after a while; whether it has."""
        end_s = self._clock() + timeout_s
        while not holds():
            left_s = end_s - self._clock()
            if left_s <= 0:
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._changed.wait()
        return True

    def is_fifo(self, consumer_group: str) -> bool:
        """See `RegistryTable`."""
        return self.table.is_fifo(consumer_group)

    def brokers(self) -> dict[str, tuple[str, ...]]:
        """See `RegistryTable`."""
        return self.table.brokers()

    def writable_brokers(self) -> frozenset[str]:
        """See `RegistryTable`."""
        return self.table.writable_brokers()

    # --- the process

    async def start(self) -> int:
        """Listen; returns the port. Raises: MqError."""
        own, ours = RegistryHandlers(self), ExtensionRelay(self, self._relay)
        ports = []
        for listen, advertised, is_outside in self._doors:
            if listen is not None:
                server = GrpcServer()
                self._servers.append(server)
                ports.append(server.bind(listen[0], GrpcServer.port_of(*listen)))
                point = AccessPoint(self, self._relay, advertised or (listen[0], ports[-1]), is_outside=is_outside)
                await server.start([
                    Service(MESSAGING_SERVICE, MESSAGING, point.by_name, MessagingHandlers.refuse),
                    Service(BROKER_SERVICE, BROKER, ours.by_name, ours.refuse),
                    Service(REGISTRY_SERVICE, REGISTRY, own.by_name, own.refuse),
                ])  # fmt: skip
        self._scan = asyncio.create_task(self._expire_forever())
        return ports[0]

    async def stop(self) -> None:
        """Turn everybody away."""
        if self._scan is not None:
            self._scan.cancel()
        await asyncio.gather(*(server.stop(_GRACE_S) for server in self._servers))
        await self._relay.close()

    async def _expire_forever(self) -> None:
        while True:
            await asyncio.sleep(self._times.scan_every_ms / 1000)
            for key in self.table.expire(self._now_ms()):
                _log.warning("%s was not heard of for %g s and is given up", key, self._times.expiry_ms / 1000)
                self._tell()

    def _tell(self) -> None:
        """Those who wait for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
