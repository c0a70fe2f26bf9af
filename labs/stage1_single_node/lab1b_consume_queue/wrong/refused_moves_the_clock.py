"""An entry that is refused has moved the last store time by then."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry


class ConsumeQueue(Reference):
    """See above."""

    def append(self, entry: QueueEntry) -> None:
        self._last_store_ms = max(self._last_store_ms, entry.store_ms)
        super().append(entry)
