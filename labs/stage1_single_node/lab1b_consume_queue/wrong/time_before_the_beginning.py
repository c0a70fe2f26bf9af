"""A time leads to a message that retention took."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ids import QueueOffset
from mq.core.ports import Steps


class ConsumeQueue(Reference):
    """See above."""

    def _offset_at(self, store_ms: int) -> Steps[QueueOffset]:
        begins, self._min_offset = self._min_offset, QueueOffset(0)
        try:
            return (yield from super()._offset_at(store_ms))
        finally:
            self._min_offset = begins
