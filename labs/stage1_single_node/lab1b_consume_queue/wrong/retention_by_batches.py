"""Retention rounds down to the beginning of a batch."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ids import QueueOffset
from mq.core.ports import Plan


class ConsumeQueue(Reference):
    """See above."""

    def drop_before(self, offset: QueueOffset) -> Plan:
        begins = [base for base in self._tail_offsets if base <= offset]
        return super().drop_before(QueueOffset(begins[-1]) if begins and offset < self._max_offset else offset)
