"""The other broker groups, as a broker node knows them: what one registry node says, for as long as it holds.

Its own group it knows by itself. When the registry node is away the next one is asked; when none answers, what was known last
holds until it would have expired there, too, and then there is this group alone.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from mq.core.address import Address, show_address
from mq.core.errors import MqError
from mq.registry.registration import NodeKey, Registration, RegistryTimes
from mq.registry.route import Route
from mq.registry.table import RegistryTable
from mq.rpc.watching_client import watch_registry

__all__ = ["Neighbours"]

_AGAIN_S = 0.3
_log = logging.getLogger(__name__)


class Neighbours:
    """See `mq.rpc.access_point.RoutesPort`. clock: seconds that only grow. Nobody is known before `join`."""

    def __init__(
        self,
        key: NodeKey,
        registries: Sequence[Address],
        times: RegistryTimes,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key, self._times, self._clock = key, times, clock
        self._own: Callable[[], Registration] | None = None
        # Not all of them ask the first one.
        first = key.node % len(registries)
        self._registries = [*registries[first:], *registries[:first]]
        self._others: tuple[Registration, ...] = ()
        self._heard_s = clock()
        self._made: RegistryTable | None = None
        # Asked for with each call of a client, so what the table says is kept as long as the table is.
        self._routes: dict[str, Route] = {}
        self._brokers: dict[str, tuple[str, ...]] = {}

    def join(self, own: Callable[[], Registration]) -> None:
        """own: says what this node is now."""
        self._own = own

    # --- routes

    def route(self, topic: str) -> Route | None:
        """Where the queues of a topic are; None when no broker group is known to have it."""
        table = self._table()
        if topic not in self._routes and (found := table.route(topic)) is not None:
            self._routes[topic] = found
        return self._routes.get(topic)

    async def known_route(self, topic: str) -> Route | None:
        """The same: a broker that has just started answers for itself."""
        return self.route(topic)

    def is_fifo(self, consumer_group: str) -> bool:
        """Whether a consumer group is an ordered one, anywhere."""
        return self._table().is_fifo(consumer_group)

    def brokers(self) -> dict[str, tuple[str, ...]]:
        """The addresses of all broker groups, by name, sorted."""
        self._table()
        return self._brokers

    def own_addresses(self) -> tuple[str, ...]:
        """Of the nodes of this group."""
        return self.brokers().get(self._key.broker, ())

    # --- what they follow from

    def own_has_changed(self) -> None:
        """What this node says of itself is another thing than before."""
        self._made = None

    def told(self, registrations: Sequence[Registration]) -> None:
        """By a registry node, all that it knows."""
        self._others = tuple(one for one in registrations if one.broker != self._key.broker)
        self._heard_s, self._made = self._clock(), None

    def _table(self) -> RegistryTable:
        if self._others and self._clock() - self._heard_s > self._times.expiry_ms / 1000:
            _log.warning(
                "no registry has said anything for %g s: other groups are not known any more", self._times.expiry_ms / 1000
            )
            self._others, self._made = (), None
        if self._own is None:
            return RegistryTable(self._times.expiry_ms)
        if self._made is None:
            self._made = RegistryTable(self._times.expiry_ms)
            for one in (*self._others, self._own()):
                self._made.register(one, 0)
            self._routes, self._brokers = {}, self._made.brokers()
        return self._made

    async def follow_forever(self) -> None:
        """Listen to one registry node, and to the next one when that is away."""
        silence_s = (2 * self._times.register_every_ms + 5_000) / 1000
        told = ""
        while True:
            for registry in self._registries:
                try:
                    async for registrations in watch_registry(registry, silence_s):
                        self.told(registrations)
                except MqError as error:
                    if str(error) != told:
                        told = str(error)
                        _log.info("routes of other groups: registry %s: %s; the next one is asked", show_address(registry), error)
                await asyncio.sleep(_AGAIN_S)
