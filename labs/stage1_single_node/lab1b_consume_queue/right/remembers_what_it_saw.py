"""What halving saw on its way is remembered, up to a limit: the next search begins nearer. A read stops at the end of a file."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ids import QueueOffset
from mq.core.ports import Plan, Steps

_SEEN_MAX = 64


class ConsumeQueue(Reference):
    """seen: entries by number; they never change while the queue lives."""

    def __init__(self, topic: str, queue_id: int, **sizes: int) -> None:
        super().__init__(topic, queue_id, **sizes)
        self.seen: dict[int, QueueEntry] = {}

    def drop_before(self, offset: QueueOffset) -> Plan:
        plan = super().drop_before(offset)
        self.seen = {number: entry for number, entry in self.seen.items() if number >= self.first_entry}
        return plan

    def _look(self, number: int) -> Steps[QueueEntry | None]:
        known = self.seen.get(number)
        if known is None:
            known = yield from super()._look(number)
            if known is not None and len(self.seen) < _SEEN_MAX:
                self.seen[number] = known
        return known

    def _run(self, first: int, upto: int) -> Steps[tuple[QueueEntry, ...]]:
        return (yield from super()._run(first, min(upto, self._next_file(first))))
