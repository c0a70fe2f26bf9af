"""An offset inside of a batch leads to the batch behind it."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ids import QueueOffset
from mq.core.ports import Steps


class ConsumeQueue(Reference):
    """See above."""

    def _entries(self, offset: QueueOffset, entries_max: int) -> Steps[tuple[QueueEntry, ...]]:
        found = yield from super()._entries(offset, entries_max)
        if found and found[0].base_offset < max(offset, self._min_offset):
            end = QueueOffset(found[0].base_offset + found[0].count)
            found = yield from super()._entries(end, entries_max)
        return found
