"""Retention does not move on what counts as written: a flush makes a file anew that went before it was ever written."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ids import QueueOffset
from mq.core.ports import Plan


class ConsumeQueue(Reference):
    """See above."""

    def drop_before(self, offset: QueueOffset) -> Plan:
        before = self._flushed_count
        plan = super().drop_before(offset)
        self._flushed_count = before
        return plan
