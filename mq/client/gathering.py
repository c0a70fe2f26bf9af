"""Messages that wait a moment for others, so that many leave in one batch: until there are enough, or it has been long enough."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mq.core.errors import IllegalArgumentError
from mq.core.limits import BATCH_MESSAGES_MAX, BODY_FRAME_BYTES_MAX

__all__ = ["Gathering"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(slots=True)
class _Batch(Generic[T]):
    """since_ms: when its first item came."""

    since_ms: int
    items: list[T] = field(default_factory=list)
    size_bytes: int = 0


class Gathering(Generic[K, T]):
    """linger_ms: how long the first one waits. bytes_max: a batch is sent that has so many; one item alone may have more.

    Raises: IllegalArgumentError.
    """

    def __init__(self, linger_ms: int, bytes_max: int, count_max: int = BATCH_MESSAGES_MAX) -> None:
        if linger_ms < 0:
            raise IllegalArgumentError(f"linger_ms: {linger_ms} is below 0")
        if not 1 <= bytes_max <= BODY_FRAME_BYTES_MAX // 2:
            raise IllegalArgumentError(f"batch_bytes: {bytes_max} is outside of 1 to {BODY_FRAME_BYTES_MAX // 2}")
        self._linger_ms, self._bytes_max, self._count_max = linger_ms, bytes_max, count_max
        self._batches: dict[K, _Batch[T]] = {}

    def add(self, key: K, item: T, size_bytes: int, now_ms: int) -> list[list[T]]:
        """One more of those that may share a batch; the batches that are to be sent now, in order."""
        full: list[list[T]] = []
        batch = self._batches.get(key)
        if batch is not None and batch.size_bytes + size_bytes > self._bytes_max:
            full.append(self._batches.pop(key).items)
            batch = None
        if batch is None:
            batch = self._batches[key] = _Batch(now_ms)
        batch.items.append(item)
        batch.size_bytes += size_bytes
        if batch.size_bytes >= self._bytes_max or len(batch.items) >= self._count_max or not self._linger_ms:
            full.append(self._batches.pop(key).items)
        return full

    def due(self, now_ms: int) -> list[tuple[K, list[T]]]:
        """Batches whose first item has waited long enough."""
        keys = [key for key, batch in self._batches.items() if now_ms - batch.since_ms >= self._linger_ms]
        return [(key, self._batches.pop(key).items) for key in keys]

    def next_due_ms(self) -> int | None:
        """When `due` will have one; None when nothing waits."""
        return min((batch.since_ms + self._linger_ms for batch in self._batches.values()), default=None)

    def all(self) -> list[tuple[K, list[T]]]:
        """Whatever waits."""
        batches, self._batches = self._batches, {}
        return [(key, batch.items) for key, batch in batches.items()]
