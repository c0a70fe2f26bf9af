"""A file that lacks the checksum of its last entry, or a part of that, is long enough when the queue is opened."""

from collections.abc import Mapping

from mq.broker.store.consume_queue import _CHECKSUM
from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def missing(self, files: Mapping[str, int]) -> str | None:
        return super().missing({file: size + _CHECKSUM.size for file, size in files.items()})
