"""An entry without messages is taken."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry


class ConsumeQueue(Reference):
    """See above."""

    def append(self, entry: QueueEntry) -> None:
        if entry.count:
            super().append(entry)
