"""What is in files stays in memory, for ever."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        kept, self._tail_min = self._tail_min, 1 << 60
        super().flushed(entry_count, is_synced=is_synced)
        self._tail_min = kept
