"""Only an offset that is taken already is refused; a gap is not noticed."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ids import QueueOffset


class ConsumeQueue(Reference):
    """See above."""

    def append(self, entry: QueueEntry) -> None:
        if entry.base_offset > self._max_offset and entry.count > 0:
            self._max_offset = QueueOffset(entry.base_offset)
        super().append(entry)
