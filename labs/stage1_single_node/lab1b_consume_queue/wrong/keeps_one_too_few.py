"""Of the newest entries, which stay in memory, there is one less than was asked for."""

from mq.broker.store.consume_queue import ENTRY_BYTES
from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        super().flushed(entry_count, is_synced=is_synced)
        gone = min(len(self._tail_offsets) - self._tail_min + 1, self._flushed_count - self._tail_first)
        if gone >= self._tail_min:
            del self._tail[: gone * ENTRY_BYTES]
            del self._tail_offsets[:gone]
            self._tail_first += gone
