"""The borders of a search stand in the queue itself: another search that is under way as well moves them."""

from collections.abc import Callable

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ports import Steps


class ConsumeQueue(Reference):
    """See above."""

    low = high = 0

    def _find(self, is_before: Callable[[QueueEntry], bool]) -> Steps[int]:
        self.low, self.high = self.first_entry, self._entry_count
        while self.high - self.low > 1:
            middle = (self.low + self.high) // 2
            entry = yield from self._look(middle)
            if entry is None or is_before(entry):
                self.low = middle
            else:
                self.high = middle
        return self.low
