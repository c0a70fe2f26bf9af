"""Of several batches of one millisecond the last one is found."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ids import QueueOffset
from mq.core.ports import Steps


class ConsumeQueue(Reference):
    """See above."""

    def _offset_at(self, store_ms: int) -> Steps[QueueOffset]:
        after = yield from super()._offset_at(store_ms + 1)
        found = yield from super()._offset_at(store_ms)
        if found == after:
            return found
        entry = (yield from self._entries(QueueOffset(after - 1), 1))[0]
        return QueueOffset(max(entry.base_offset, self._min_offset))
