"""An entry with a good checksum is believed to be the one that was looked for, also when it holds another message."""

from bisect import bisect_right

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ids import QueueOffset
from mq.core.ports import Steps


class ConsumeQueue(Reference):
    """See above."""

    def _entries(self, offset: QueueOffset, entries_max: int) -> Steps[tuple[QueueEntry, ...]]:
        offset = max(offset, self._min_offset)
        if offset >= self._max_offset:
            return ()
        if self._tail_offsets and offset >= self._tail_offsets[0]:
            number = self._tail_first + bisect_right(self._tail_offsets, offset) - 1
        else:
            number = yield from self._find(lambda entry: entry.base_offset <= offset)
        return (yield from self._run(number, min(number + entries_max, self._entry_count)))
