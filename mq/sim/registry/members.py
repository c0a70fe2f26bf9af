"""Clients of the registry's world: consumers that share a topic's queues, and producers; each decides by `mq.client` alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from mq.client.allocation import ALLOCATIONS, Allocation
from mq.client.choice import QueueChoice, RoundRobin
from mq.client.producing import Producing
from mq.client.queues import QueueName
from mq.client.rebalance import Rebalance
from mq.client.route_cache import KnownQueue, RouteCache
from mq.registry.route import Route

__all__ = ["ClientParts", "SimConsumer", "SimProducer", "known_queues", "readable"]

_ATTEMPTS_MAX = 3


@dataclass(frozen=True, slots=True)
class ClientParts:
    """What the clients decide by; somebody's own in the place of ours. strategy: the name of an allocation."""

    strategy: str = "averagely"
    allocation: Allocation | None = None
    rebalance: type[Rebalance] = Rebalance
    cache: type[RouteCache] = RouteCache
    choice: Callable[[Callable[[int], int]], QueueChoice] = RoundRobin

    def shares(self) -> Allocation:
        """The allocation that is meant; what was worked out once is known, as consumers look each second."""
        strategy = self.allocation or ALLOCATIONS[self.strategy]

        @cache
        def known(queues: tuple[QueueName, ...], members: tuple[str, ...], member: str) -> tuple[QueueName, ...]:
            return strategy(queues, members, member)

        return lambda queues, members, member: known(tuple(queues), tuple(members), member)


@dataclass(slots=True)
class SimConsumer:
    """One consumer. view: the queues and the members that it went by last. is_alive: until it leaves or crashes."""

    name: str
    routes: RouteCache
    rebalance: Rebalance
    members: tuple[str, ...] = ()
    view: tuple[tuple[QueueName, ...], tuple[str, ...]] = ((), ())
    is_alive: bool = True

    @property
    def own(self) -> tuple[QueueName, ...]:
        """The queues that it reads."""
        return self.rebalance.own if self.is_alive else ()


@dataclass(slots=True)
class SimProducer:
    """One producer. sent, failed: how many messages came to what."""

    name: str
    routes: RouteCache
    producing: Producing = field(init=False)
    choice: QueueChoice
    sent: int = 0

    def __post_init__(self) -> None:
        self.producing = Producing(self.choice, _ATTEMPTS_MAX)

    @property
    def attempts_max(self) -> int:
        """Of one message."""
        return _ATTEMPTS_MAX


def known_queues(route: Route) -> tuple[KnownQueue, ...]:
    """A route as clients keep it."""
    return tuple(
        KnownQueue(
            QueueName(route.topic, one.broker, one.queue_id), one.kind, one.permission.is_writable, one.permission.is_readable,
            one.addresses,
        )
        for one in route.queues
    )  # fmt: skip


def readable(queues: Sequence[KnownQueue]) -> tuple[QueueName, ...]:
    """The names of those that may be read, sorted."""
    return tuple(sorted(one.name for one in queues if one.is_readable))
