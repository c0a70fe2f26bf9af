"""Entries that stand behind each other in a file are believed to follow each other."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ports import Steps


class ConsumeQueue(Reference):
    """See above."""

    def _run(self, first: int, upto: int) -> Steps[tuple[QueueEntry, ...]]:
        found: tuple[QueueEntry, ...] = ()
        for number in range(first, upto):
            found += yield from super()._run(number, number + 1)
        return found
