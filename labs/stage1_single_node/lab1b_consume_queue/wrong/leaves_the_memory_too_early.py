"""The newest entries leave the memory also when they are in no file."""

from mq.broker.store.consume_queue import ENTRY_BYTES
from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        super().flushed(entry_count, is_synced=is_synced)
        gone = len(self._tail_offsets) - self._tail_min
        if gone > 0:
            del self._tail[: gone * ENTRY_BYTES]
            del self._tail_offsets[:gone]
            self._tail_first += gone
