"""Behind a page a read goes on in the next file, or in memory: of a file longer than a page the rest is left out."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.errors import DamageError
from mq.core.ports import Steps

_PAGE = 64


class ConsumeQueue(Reference):
    """See above."""

    def _run(self, first: int, upto: int) -> Steps[tuple[QueueEntry, ...]]:
        found: tuple[QueueEntry, ...] = ()
        while first < min(upto, self._tail_first):
            border = min(self._next_file(first), self._tail_first)
            page = yield from super()._run(first, min(upto, border, first + _PAGE))
            if found and page[0].base_offset != found[-1].base_offset + found[-1].count:
                raise DamageError(*self._place(first), "the entry does not begin where the one before it ends")
            found, first = found + page, border
        return found + (yield from super()._run(first, upto))
