"""Which queue a producer sends a message to: strategies that are told what became of earlier sends.

None of them asks the time or a random number generator: both are told to it. A message that is sent again, because a send of
it failed, goes to a broker that it has not been at, as long as there is one.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from mq.client.back_off import FAILED_LATENCY_MS, back_off_ms, latency_class
from mq.client.queues import QueueName
from mq.core.errors import Code, IllegalArgumentError, RefusedError

__all__ = [
    "CHOICES",
    "ConsistentHash",
    "Draw",
    "LeastInFlight",
    "LowestLatencyFirst",
    "QueueChoice",
    "RandomChoice",
    "RoundRobin",
    "Sending",
    "home_among",
    "home_of",
    "queue_choice",
]

Draw: TypeAlias = Callable[[int], int]
"""A random number from 0 to below the argument."""

_NO_QUEUE = "the topic has no queue that may be written to"


class Sending(NamedTuple):
    """A send that is under way, since `begun_ms`."""

    queue: QueueName
    number: int
    begun_ms: int


@dataclass(slots=True)
class _Sends:
    """To one broker. in_flight: when those began that are not answered yet, by number, the oldest first.

    last_ms: how long the last answer took. not_before_ms: the broker is left alone until then.
    """

    in_flight: dict[int, int] = field(default_factory=dict)
    last_ms: int = 0
    not_before_ms: int = 0

    def latency_ms(self, now_ms: int) -> int:
        """As far as it is known: an answer that is not here yet takes at least as long as it is waited for."""
        return max(self.last_ms, now_ms - next(iter(self.in_flight.values()), now_ms))


class QueueChoice:
    """What all strategies share: the turn, and what is known of each broker. A strategy says which brokers are `_best`."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._numbers = count()
        self._turn: int | None = None
        self._brokers: dict[str, _Sends] = {}

    def choose(
        self,
        queues: Sequence[QueueName],
        now_ms: int,
        *,
        key: str = "",  # noqa: ARG002  # of use to a consistent hash
        avoid: Collection[str] = (),
    ) -> QueueName:
        """One of the queues. key: messages of one key belong together. avoid: brokers at which a send of this message failed.

        Raises: RefusedError, when there is no queue.
        """
        if not queues:
            raise RefusedError(Code.FORBIDDEN, _NO_QUEUE)
        among = [queue for queue in queues if queue.broker not in avoid] or queues
        best = self._best(among, now_ms)
        return self._next([queue for queue in among if queue.broker in best])

    def begun(self, queue: QueueName, now_ms: int) -> Sending:
        """A send to this queue is under way. What comes back is to be handed to `ended`."""
        sending = Sending(queue, next(self._numbers), now_ms)
        self._of(queue.broker).in_flight[sending.number] = now_ms
        return sending

    def ended(self, sending: Sending, now_ms: int, *, is_failed: bool = False) -> None:
        """The send is answered, or has failed."""
        sends = self._of(sending.queue.broker)
        sends.in_flight.pop(sending.number, None)
        sends.last_ms = FAILED_LATENCY_MS if is_failed else max(0, now_ms - sending.begun_ms)
        sends.not_before_ms = now_ms + back_off_ms(sends.last_ms)

    def _best(self, queues: Sequence[QueueName], now_ms: int) -> Collection[str]:  # noqa: ARG002  # of use to some
        """The brokers among which the turn goes round."""
        return {queue.broker for queue in queues}

    def _next(self, queues: Sequence[QueueName]) -> QueueName:
        """In turn, from a random one on, so that many producers that start together do not all begin with the same queue."""
        self._turn = self._draw(len(queues)) if self._turn is None else self._turn + 1
        return queues[self._turn % len(queues)]

    def _of(self, broker: str) -> _Sends:
        return self._brokers.setdefault(broker, _Sends())


class RoundRobin(QueueChoice):
    """One queue after the other. Those of different brokers alternate in a route, so that brokers take turns, too."""


class RandomChoice(QueueChoice):
    """Any queue."""

    def _next(self, queues: Sequence[QueueName]) -> QueueName:
        return queues[self._draw(len(queues))]


class LeastInFlight(QueueChoice):
    """The broker that owes the fewest answers: who is slow is owed many."""

    def _best(self, queues: Sequence[QueueName], now_ms: int) -> Collection[str]:  # noqa: ARG002  # see above
        owed = {queue.broker: len(self._of(queue.broker).in_flight) for queue in queues}
        least = min(owed.values())
        return {broker for broker, count in owed.items() if count == least}


class LowestLatencyFirst(QueueChoice):
    """Those that answered fastest last time, by the classes of the back-off table; who took long is left alone for a while.

    When that while has passed, the broker is tried with one send, and nothing else goes there until it is answered: else all
    that is sent meanwhile would wait for a broker that is still slow.

    RocketMQ: MQFaultStrategy, sendLatencyFaultEnable.
    """

    def _best(self, queues: Sequence[QueueName], now_ms: int) -> Collection[str]:
        brokers = {queue.broker: self._of(queue.broker) for queue in queues}
        for name, sends in brokers.items():
            if back_off_ms(sends.last_ms) and now_ms >= sends.not_before_ms and not sends.in_flight:
                return (name,)
        classes = {name: latency_class(sends.latency_ms(now_ms)) for name, sends in brokers.items()}
        fastest = min(classes.values())
        return {name for name, found in classes.items() if found == fastest}


class ConsistentHash(QueueChoice):
    """Messages of one key go to one queue; when queues come or go, only a small part of the keys moves. Without a key: in turn.

    Each queue stands at many places of a ring of hashes; a key goes to the next place. Many, so that shares come out even.
    """

    _VIRTUAL_NODES = 256

    def __init__(self, draw: Draw) -> None:
        super().__init__(draw)
        self._queues: tuple[QueueName, ...] = ()
        self._ring: list[tuple[int, QueueName]] = []

    def choose(self, queues: Sequence[QueueName], now_ms: int, *, key: str = "", avoid: Collection[str] = ()) -> QueueName:
        """As without a key, or the key's own; the next one on the ring where that is to be avoided."""
        if not key or not queues:
            return super().choose(queues, now_ms, key=key, avoid=avoid)
        if self._queues != tuple(queues):
            self._queues = tuple(queues)
            self._ring = sorted((_hash(f"{queue}-{n}"), queue) for queue in queues for n in range(self._VIRTUAL_NODES))
        begin = bisect_left(self._ring, (_hash(key),))
        onward = (self._ring[at % len(self._ring)][1] for at in range(begin, begin + len(self._ring)))
        return next((queue for queue in onward if queue.broker not in avoid), self._ring[begin % len(self._ring)][1])


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:8])


def home_of(message_group: str, queues: Sequence[QueueName]) -> QueueName:
    """Where an ordered message goes: each message group has one broker group, which keeps its order; there the broker chooses.

    When a broker group joins or leaves, only those message groups move that it gets or had. Raises: RefusedError.
    """
    if not queues:
        raise RefusedError(Code.FORBIDDEN, _NO_QUEUE)
    home = home_among(message_group, {queue.broker for queue in queues})
    return min(queue for queue in queues if queue.broker == home)


def home_among(key: str, brokers: Iterable[str]) -> str:
    """The broker group where what has that key is at home; clients, registry nodes and brokers all ask this function."""
    return min(brokers, key=lambda broker: (_hash(f"{broker} {key}"), broker))


CHOICES: Mapping[str, type[QueueChoice]] = MappingProxyType(
    {
        "round_robin": RoundRobin, "random": RandomChoice, "least_in_flight": LeastInFlight,
        "lowest_latency_first": LowestLatencyFirst, "consistent_hash": ConsistentHash,
    }
)  # fmt: skip
"""By the name that a producer is told."""


def queue_choice(name: str, draw: Draw) -> QueueChoice:
    """A new one of that name. Raises: IllegalArgumentError."""
    if name not in CHOICES:
        raise IllegalArgumentError(f"choice: {name!r} is none of {', '.join(CHOICES)}")
    return CHOICES[name](draw)
