"""Messages that a push consumer has and is not done with: within limits, each once, and one lane in order.

A lane is a message group, of which one message at a time is handled; messages without a lane are handled side by side.
RocketMQ: the process queue of push consumers.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Held", "Inbox"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Held(Generic[T]):
    """One message. item: as it was delivered last. attempts: how often it was handled here in vain."""

    key: Hashable
    item: T
    size_bytes: int
    lane: str
    attempts: int = 0


class Inbox(Generic[T]):
    """count_max, bytes_max: beyond either, nothing more should be asked for; what is on its way by then finds room."""

    def __init__(self, count_max: int = 1024, bytes_max: int = 64 << 20) -> None:
        self._count_max, self._bytes_max = count_max, bytes_max
        self._held: dict[Hashable, Held[T]] = {}
        self._bytes = 0
        self._ready: deque[Held[T]] = deque()
        self._lanes: dict[str, deque[Held[T]]] = {}  # of each lane that has a head, what waits behind it

    def __len__(self) -> int:
        """How many are held, those being handled included."""
        return len(self._held)

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be asked for."""
        return len(self._held) >= self._count_max or self._bytes >= self._bytes_max

    def put(self, key: Hashable, item: T, size_bytes: int, lane: str = "") -> bool:
        """A delivery has come; whether its message is a new one. One that is held already is known by its newest delivery then.

        key: of the message. It comes again while it is held when the broker has lost sight of us, for instance by another leader.
        """
        if (known := self._held.get(key)) is not None:
            known.item = item
            return False
        held = self._held[key] = Held(key, item, size_bytes, lane)
        self._bytes += size_bytes
        if lane and lane in self._lanes:
            self._lanes[lane].append(held)
        else:
            if lane:
                self._lanes[lane] = deque()
            self._ready.append(held)
        return True

    def take(self) -> Held[T] | None:
        """The next that may be handled now, to be handed to `done` or `again` afterwards."""
        return self._ready.popleft() if self._ready else None

    def again(self, held: Held[T]) -> None:
        """It was handled in vain, and its time has come once more; its lane has waited."""
        held.attempts += 1
        self._ready.append(held)

    def done(self, held: Held[T]) -> None:
        """It is of no interest any more: the next of its lane may go on."""
        if self._held.pop(held.key, None) is None:
            return
        self._bytes -= held.size_bytes
        if held.lane:
            waiting = self._lanes[held.lane]
            if waiting:
                self._ready.append(waiting.popleft())
            else:
                del self._lanes[held.lane]

    def drop_waiting(self) -> int:
        """Forget all that nobody is handling; how many those were."""
        waiting = [*self._ready, *(held for lane in self._lanes.values() for held in lane)]
        for held in waiting:
            del self._held[held.key]
            self._bytes -= held.size_bytes
        for lane in self._lanes.values():
            lane.clear()
        for held in self._ready:
            self._lanes.pop(held.lane, None)
        self._ready.clear()
        return len(waiting)
