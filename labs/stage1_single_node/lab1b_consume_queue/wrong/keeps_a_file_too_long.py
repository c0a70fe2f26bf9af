"""A file stays until the queue begins behind its next one, and not where that one begins: one message too long."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ids import QueueOffset
from mq.core.ports import Operation, Plan, Remove


class ConsumeQueue(Reference):
    """See above."""

    def drop_before(self, offset: QueueOffset) -> Plan:
        self._min_offset = max(self._min_offset, min(offset, self._max_offset))
        plan: list[Operation] = []
        while len(self._file_offsets) > 1 and self._file_offsets[1] < self._min_offset:
            plan.append(Remove(self._place(self.first_entry)[0]))
            self.first_entry = self._next_file(self.first_entry)
            del self._file_offsets[0]
        self._flushed_count = max(self._flushed_count, self.first_entry)
        return tuple(plan)
