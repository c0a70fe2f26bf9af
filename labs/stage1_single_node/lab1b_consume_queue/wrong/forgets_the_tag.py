"""The code of the tag is kept in one byte."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry


class ConsumeQueue(Reference):
    """See above."""

    def append(self, entry: QueueEntry) -> None:
        super().append(entry._replace(tag_code=entry.tag_code & 0xFF))
