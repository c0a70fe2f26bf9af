"""An entry is looked for from the first one on."""

from collections.abc import Callable

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ports import Steps


class ConsumeQueue(Reference):
    """See above."""

    def _find(self, is_before: Callable[[QueueEntry], bool]) -> Steps[int]:
        found = self.first_entry
        for number in range(self.first_entry, self._entry_count):
            entry = yield from self._look(number)
            if entry is not None and not is_before(entry):
                break
            found = number
        return found
