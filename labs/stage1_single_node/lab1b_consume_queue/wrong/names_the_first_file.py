"""Whichever file is missing, the first one is named."""

from collections.abc import Mapping

from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def missing(self, files: Mapping[str, int]) -> str | None:
        return None if super().missing(files) is None else self._place(self.first_entry)[0]
