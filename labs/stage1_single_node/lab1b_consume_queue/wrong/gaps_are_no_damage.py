"""An entry is refused when it begins before the one in front of it ends, and not when messages are missing between them."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.errors import DamageError
from mq.core.ports import Steps


class ConsumeQueue(Reference):
    """See above."""

    def _run(self, first: int, upto: int) -> Steps[tuple[QueueEntry, ...]]:
        found: tuple[QueueEntry, ...] = ()
        for number in range(first, upto):
            (entry,) = yield from super()._run(number, number + 1)
            if found and entry.base_offset < found[-1].base_offset + found[-1].count:
                raise DamageError(*self._place(number), "it begins before the one in front of it ends")
            found = (*found, entry)
        return found
