"""The two gRPC services of a broker, on a node by itself or on each node of a group."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from mq.core.address import Address, show_address
from mq.core.errors import NotServingError
from mq.raft.errors import NotLeaderError
from mq.rpc.batches import BatchHandlers
from mq.rpc.broker_access import BrokerAccess, HomeRelay
from mq.rpc.extension import ExtensionHandlers
from mq.rpc.handling import Context, Handler, guarded
from mq.rpc.messaging import MessagingHandlers
from mq.rpc.methods import BROKER, MESSAGING, Cardinality
from mq.rpc.passing import PassedContext, Passer
from mq.rpc.raft_handlers import RaftHandlers
from mq.rpc.routes import RouteBook
from mq.server.group_admin import GroupAdministrator
from mq.server.passing import Masterless, PassedCalls, Peers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mq.server.broker import Broker
    from mq.server.neighbours import Neighbours

__all__ = ["Services"]

_INNER_S = 3.0
_ENSURE_GROUP, _STORE_BATCH = "EnsureGroup", "StoreBatch"
"""Calls between nodes alone: what is left to be decided of those that are served where they arrive."""


class Services:
    """Handlers of both services. passed: for what other nodes pass on. port: the one that clients come in by.

    outside, extension_outside: for those that come in by the second listener: they are told other addresses. port_outside: of
    that listener; None when there is none.
    """

    def __init__(self, broker: Broker, port: int, port_outside: int | None = None) -> None:
        self._broker, self._port = broker, port
        routes = self._routes()
        self.own, self.addresses = routes.own, routes.addresses
        self.addresses_outside: Callable[[], Sequence[Address]] = tuple
        self._relays: list[HomeRelay] = []
        messaging = self._messaging(routes)
        batches = BatchHandlers(broker.sender, broker.admin)
        group = GroupAdministrator(broker.node, broker.member, broker.config)
        extension = ExtensionHandlers(broker.admin, batches, RaftHandlers(group))
        self.messaging, self.extension = dict(messaging.by_name), dict(extension.by_name)
        self.outside: dict[str, Handler] = {}
        self.extension_outside: dict[str, Handler] = {}
        routes_outside = self._open_outside(port_outside, batches, group) if port_outside is not None else None
        self.refuse_messaging, self.refuse_extension = messaging.refuse, extension.refuse
        inner = self._inner({_ENSURE_GROUP: self._ensure_group, _STORE_BATCH: batches.store_batch}, messaging, extension)
        self.passed = PassedCalls(broker.node, {**MESSAGING, **BROKER}, inner)
        self._pass_on(routes, batches)
        if broker.neighbours is not None:
            self.messaging = self._for_all_groups(self.messaging, routes, broker.neighbours)
            if routes_outside is not None:
                self.outside = self._for_all_groups(self.outside, routes_outside, broker.neighbours, is_outside=True)

    def _pass_on(self, routes: RouteBook, batches: BatchHandlers) -> None:
        """To the leader, what it alone can do."""
        broker = self._broker
        if broker.member is None or broker.node.group is None:
            return
        own_id = broker.node.group.node_id
        master = Masterless(broker.node, own_id, show_address(routes.own)) if broker.node.group.has_master else None
        passer = Passer(Peers(broker.node, broker.member.network, own_id), master)
        self.messaging = passer.wrap(MESSAGING, self.messaging)
        self.outside = passer.wrap(MESSAGING, self.outside)
        self.extension = passer.wrap(BROKER, self.extension)
        self.extension_outside = passer.wrap(BROKER, self.extension_outside)
        batches.pass_on = passer.unary(_STORE_BATCH, batches.store_batch)
        self._pass_group = passer.unary(_ENSURE_GROUP, self._ensure_group)
        broker.deliverer.make_group = self._make_group

    def _open_outside(self, port: int, batches: BatchHandlers, group: GroupAdministrator) -> RouteBook:
        """For clients of the second listener, who are told other addresses: those of the routes that come back."""
        broker, routes = self._broker, self._routes_outside(port)
        self.addresses_outside = routes.addresses
        self.outside.update(self._messaging(routes).by_name)
        told = {node: show_address(one) for node, one in broker.config.outside_by_node(port).items()}
        self.extension_outside.update(ExtensionHandlers(broker.admin, batches, RaftHandlers(group, told)).by_name)
        return routes

    @staticmethod
    def _inner(inner: dict[str, Handler], messaging: MessagingHandlers, extension: ExtensionHandlers) -> dict[str, Handler]:
        """What other nodes of the group may ask for, beside those that are given."""
        for methods, handlers, refuse in (
            (MESSAGING, messaging.by_name, messaging.refuse), (BROKER, extension.by_name, extension.refuse),
        ):  # fmt: skip
            for name, handler in handlers.items():
                is_unary = methods[name].cardinality is Cardinality.UNARY
                inner[name] = guarded(name, handler, refuse, passes=(NotLeaderError,)) if is_unary else handler
        return inner

    def _for_all_groups(
        self, handlers: dict[str, Handler], routes: RouteBook, neighbours: Neighbours, *, is_outside: bool = False
    ) -> dict[str, Handler]:
        relay = HomeRelay(neighbours.own_addresses, handlers, self.refuse_messaging)
        self._relays.append(relay)
        return BrokerAccess(routes.name, neighbours, relay, routes.own, is_outside=is_outside).wrap(handlers)

    async def close(self) -> None:
        """End all connections to other broker groups."""
        for relay in self._relays:
            await relay.close()

    def _messaging(self, routes: RouteBook) -> MessagingHandlers:
        broker = self._broker
        return MessagingHandlers(broker.sender, broker.deliverer, broker.clients, broker.admin, routes)

    def _routes_outside(self, port: int) -> RouteBook:
        config = self._broker.config
        addresses, listens = config.advertised_outside(port), config.listen_outside_address
        assert listens is not None
        return RouteBook(config.name, addresses, own=config.own_of(addresses, (listens[0], port)))

    def _routes(self) -> RouteBook:
        config = self._broker.config
        addresses = config.advertised(self._port)
        own = config.own_of(addresses, (config.listen_address[0], self._port))
        member = self._broker.member
        if member is None:
            return RouteBook(config.name, addresses, own=own)
        member.client = own
        return RouteBook(config.name, addresses, own=own, members=member.client_addresses)

    async def _ensure_group(self, raw: bytes, _context: Context) -> bytes:
        await self._broker.deliverer.make_own_group(raw.decode())
        return b""

    async def _make_group(self, name: str) -> None:
        """On whatever node: the leader makes it, and then it comes here, too. Raises: NotServingError, when it does not."""
        context = PassedContext((), asyncio.get_running_loop().time() + _INNER_S)
        await self._pass_group(name.encode(), cast(Context, context))
        try:
            async with asyncio.timeout(_INNER_S):
                await self._broker.node.until(lambda: name in self._broker.node.machine.groups)
        except TimeoutError:
            told = f"group {name} was made, and this node did not hear of it for {_INNER_S:g} s; try again"
            raise NotServingError(told) from None
