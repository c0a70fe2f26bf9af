"""A file that holds more than the snapshot knows of is taken for a wrong one."""

from collections.abc import Mapping

from mq.broker.store.consume_queue import ENTRY_BYTES
from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def missing(self, files: Mapping[str, int]) -> str | None:
        found = super().missing(files)
        if found is None and self._entry_count > self.first_entry:
            file, at = self._place(self._entry_count - 1)
            found = None if files.get(file, 0) == at + ENTRY_BYTES else file
        return found
