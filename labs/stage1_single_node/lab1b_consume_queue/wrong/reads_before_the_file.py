"""A byte of a file that is full is counted from its end, below 0: no disk reads there, but a slice in Python does."""

from mq.broker.store.consume_queue import _HOLE, ENTRY_BYTES
from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ports import Read, Steps


class ConsumeQueue(Reference):
    """See above."""

    def _look(self, number: int) -> Steps[QueueEntry | None]:
        full = self._entries_per_file
        if number >= self._tail_first or self._next_file(number) > self._flushed_count or number % full == full - 1:
            return (yield from super()._look(number))
        file, at = self._place(number)
        data = yield Read(file, at - full * ENTRY_BYTES, ENTRY_BYTES)
        return None if data == _HOLE else self._verified(file, at, data)
