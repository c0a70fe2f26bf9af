"""Only the newest file is looked for."""

from collections.abc import Mapping

from mq.broker.store.consume_queue import ENTRY_BYTES
from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def missing(self, files: Mapping[str, int]) -> str | None:
        if self._entry_count == self.first_entry:
            return None
        file, at = self._place(self._entry_count - 1)
        return None if files.get(file, 0) >= at + ENTRY_BYTES else file
