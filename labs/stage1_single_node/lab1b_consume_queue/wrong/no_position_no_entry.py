"""An entry without a position gets that of the one before it."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry


class ConsumeQueue(Reference):
    """See above."""

    last_position = 0

    def append(self, entry: QueueEntry) -> None:
        self.last_position = entry.position or self.last_position
        super().append(entry._replace(position=self.last_position))
