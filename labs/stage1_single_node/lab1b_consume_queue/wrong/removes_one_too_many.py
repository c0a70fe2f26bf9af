"""The file that the beginning lies in is removed, too."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ids import QueueOffset
from mq.core.ports import Plan, Remove


class ConsumeQueue(Reference):
    """See above."""

    def drop_before(self, offset: QueueOffset) -> Plan:
        plan = super().drop_before(offset)
        if plan and self._next_file(self.first_entry) < self._flushed_count:
            plan = (*plan, Remove(self._place(self.first_entry)[0]))
        return plan
