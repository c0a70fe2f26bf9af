"""Retention that is told of twice, the older one last, moves the beginning back."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ids import QueueOffset
from mq.core.ports import Plan


class ConsumeQueue(Reference):
    """See above."""

    def drop_before(self, offset: QueueOffset) -> Plan:
        if offset < self._min_offset:
            self._min_offset = offset
            return ()
        return super().drop_before(offset)
