"""Retention may move the beginning behind the end."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ids import QueueOffset
from mq.core.ports import Plan


class ConsumeQueue(Reference):
    """See above."""

    def drop_before(self, offset: QueueOffset) -> Plan:
        plan = super().drop_before(offset)
        self._min_offset = max(self._min_offset, offset)
        return plan
