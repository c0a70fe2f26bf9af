"""The answer to a client's first question: which queues has this topic, and where. RocketMQ: QueryRoute."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, zip_longest

from mq.core.message import MessageKind, Permission

__all__ = ["Route", "RouteQueue", "interleaved"]


@dataclass(frozen=True, slots=True)
class RouteQueue:
    """One queue of a topic. addresses: HOST:PORT of the nodes that serve it; any of them will do.

    outside: the same for clients from outside of the brokers' network; empty where these are no others.
    """

    broker: str
    queue_id: int
    kind: MessageKind
    permission: Permission
    addresses: tuple[str, ...]
    outside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """All queues of a topic, those of different broker groups between each other."""

    topic: str
    queues: tuple[RouteQueue, ...]


def interleaved(by_broker: Iterable[Iterable[RouteQueue]]) -> tuple[RouteQueue, ...]:
    """The first queue of each broker group, then the second of each, and so on.

    Clients go through a route in its order, and try the next one when a send fails: that should be at another broker group.
    """
    rounds = zip_longest(*by_broker)
    return tuple(queue for queue in chain.from_iterable(rounds) if queue is not None)
