"""Says which file is missing one too late: the file behind it is named."""

from collections.abc import Mapping

from mq.broker.store.consume_queue import ENTRY_BYTES
from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def missing(self, files: Mapping[str, int]) -> str | None:
        number = self.first_entry
        while number < self._entry_count:
            upto = min(self._entry_count, self._next_file(number))
            file, at = self._place(upto - 1)
            if files.get(file, 0) < at + ENTRY_BYTES:
                return self._place(upto)[0]
            number = upto
        return None
