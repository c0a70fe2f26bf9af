"""Reads from memory as it was when the read began: when some left it meanwhile, for files, others stand there."""

from mq.broker.store.consume_queue import _FIELDS, _PAGE, ENTRY_BYTES
from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.errors import DamageError
from mq.core.ports import Read, Steps


class ConsumeQueue(Reference):
    """See above."""

    def _run(self, first: int, upto: int) -> Steps[tuple[QueueEntry, ...]]:
        found: list[QueueEntry] = []
        begins = self._tail_first
        while first < min(upto, begins):
            file, at = self._place(first)
            count = min(upto, begins, first + _PAGE, self._next_file(first)) - first
            data = yield Read(file, at, count * ENTRY_BYTES)
            for n in range(0, count * ENTRY_BYTES, ENTRY_BYTES):
                entry = self._verified(file, at + n, data[n : n + ENTRY_BYTES])
                if found and entry.base_offset != found[-1].base_offset + found[-1].count:
                    raise DamageError(file, at + n, "it does not follow")
                found.append(entry)
            first += count
        places = range((first - begins) * ENTRY_BYTES, (upto - begins) * ENTRY_BYTES, ENTRY_BYTES)
        return (*found, *(QueueEntry._make(_FIELDS.unpack_from(self._tail, at)) for at in places))
