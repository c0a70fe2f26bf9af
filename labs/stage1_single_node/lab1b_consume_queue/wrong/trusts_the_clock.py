"""Store times are written down as the clock says them, also when it went back."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry


class ConsumeQueue(Reference):
    """See above."""

    def append(self, entry: QueueEntry) -> None:
        self._last_store_ms = 0
        super().append(entry)
        self._last_store_ms = entry.store_ms
