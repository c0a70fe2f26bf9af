"""Routes as a client keeps them: asked for on first use, and again from time to time; the old one holds while nobody answers.

Official clients ask for the routes of all topics that they use each 30 s. RocketMQ: QueryRoute
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mq.client.queues import QueueName
from mq.core.errors import MqError
from mq.core.message import MessageKind

__all__ = ["KnownQueue", "RouteCache"]


@dataclass(frozen=True, slots=True)
class KnownQueue:
    """A queue of a route. addresses: HOST:PORT of the nodes that serve it."""

    name: QueueName
    kind: MessageKind
    is_writable: bool
    is_readable: bool
    addresses: tuple[str, ...]


@dataclass(slots=True)
class _Known:
    """queues: as last told. asked_ms: when that was asked for, or failed. error: why it failed the last time."""

    queues: tuple[KnownQueue, ...] | None
    asked_ms: int
    error: MqError | None = None


class RouteCache:
    """Of all topics that this client has used. every_ms: how old a route may grow before it is asked for again."""

    def __init__(self, every_ms: int = 30_000) -> None:
        self._every_ms = every_ms
        self._known: dict[str, _Known] = {}

    def queues(self, topic: str) -> tuple[KnownQueue, ...]:
        """Of the route that is known. Raises: KeyError when there is none yet; the error that the last question came to."""
        known = self._known[topic]
        if known.queues is not None:
            return known.queues
        assert known.error is not None
        raise known.error

    def due(self, now_ms: int) -> tuple[str, ...]:
        """The topics whose routes are to be asked for now."""
        return tuple(topic for topic, known in self._known.items() if now_ms - known.asked_ms >= self._every_ms)

    def told(self, topic: str, queues: tuple[KnownQueue, ...], now_ms: int) -> bool:
        """A route has come; whether it is another one than before."""
        before = self._known.get(topic)
        self._known[topic] = _Known(queues, now_ms)
        return before is None or before.queues != queues

    def failed(self, topic: str, error: MqError, now_ms: int) -> None:
        """The question came to an error: what was known holds on."""
        before = self._known.get(topic)
        self._known[topic] = _Known(before.queues if before is not None else None, now_ms, error)

    def forget(self, topic: str) -> None:
        """It is asked for anew on its next use: an error of a broker made it doubtful."""
        self._known.pop(topic, None)

    def addresses(self) -> Mapping[str, tuple[str, ...]]:
        """Of all broker groups in all routes, by name."""
        return {queue.name.broker: queue.addresses for known in self._known.values() for queue in known.queues or ()}
