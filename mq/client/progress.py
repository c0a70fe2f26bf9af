"""How far a reader is in its queues when messages are done in any order: up to the first that is not done, and no further."""

from collections.abc import Mapping

from mq.client.queues import QueueName

__all__ = ["Progress"]


class _Queue:
    """next_offset: where to read on. open: given to be handled, and not done. told: as the broker was told last, if ever."""

    def __init__(self, offset: int, told: int | None) -> None:
        self.next_offset = offset
        self.open: set[int] = set()
        self.told = told

    @property
    def done_to(self) -> int:
        """Everything below is done."""
        return min(self.open, default=self.next_offset)


class Progress:
    """Of one reader, in the queues that it reads."""

    def __init__(self) -> None:
        self._queues: dict[QueueName, _Queue] = {}

    @property
    def queues(self) -> tuple[QueueName, ...]:
        """Those that are read, sorted."""
        return tuple(sorted(self._queues))

    def take(self, queue: QueueName, offset: int, told: int | None = None) -> None:
        """Read this queue from there on, as if nothing of it had been given. told: what the broker knows of it, if anything."""
        self._queues[queue] = _Queue(offset, told)

    def drop(self, queue: QueueName) -> None:
        """Read it no more."""
        self._queues.pop(queue, None)

    def position(self, queue: QueueName) -> int:
        """Where to read on. Raises: KeyError, for a queue that is not read."""
        return self._queues[queue].next_offset

    def seek(self, queue: QueueName, offset: int) -> None:
        """Read on from there; what was given and is not done is forgotten. Raises: KeyError."""
        known = self._queues[queue]
        known.next_offset, known.open = offset, set()

    def given(self, queue: QueueName, offset: int) -> None:
        """A message is handed on to be handled. Raises: KeyError."""
        known = self._queues[queue]
        known.open.add(offset)
        known.next_offset = max(known.next_offset, offset + 1)

    def passed(self, queue: QueueName, next_offset: int) -> None:
        """What lies below and was not given is of no interest: a filter left it out. Raises: KeyError."""
        known = self._queues[queue]
        known.next_offset = max(known.next_offset, next_offset)

    def done(self, queue: QueueName, offset: int) -> None:
        """A message is done with; nothing to say for a queue that is not read any more."""
        if (known := self._queues.get(queue)) is not None:
            known.open.discard(offset)

    def all_done(self) -> None:
        """Whatever was given is done with."""
        for known in self._queues.values():
            known.open.clear()

    def untold(self) -> Mapping[QueueName, int]:
        """What a broker is to be told: everything below is done, of the queues where it knows something else, or nothing."""
        return {name: known.done_to for name, known in self._queues.items() if known.done_to != known.told}

    def told(self, queue: QueueName, offset: int) -> None:
        """The broker knows it."""
        if (known := self._queues.get(queue)) is not None:
            known.told = offset
