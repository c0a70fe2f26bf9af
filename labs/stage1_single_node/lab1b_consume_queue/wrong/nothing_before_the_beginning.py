"""Asked for a message that retention took, it finds nothing, and not what is there."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ids import QueueOffset
from mq.core.ports import Steps


class ConsumeQueue(Reference):
    """See above."""

    def _entries(self, offset: QueueOffset, entries_max: int) -> Steps[tuple[QueueEntry, ...]]:
        return () if offset < self._min_offset else (yield from super()._entries(offset, entries_max))
