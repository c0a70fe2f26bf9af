"""A file that is not there is not noticed when the queue is opened."""

from collections.abc import Mapping

from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def missing(self, files: Mapping[str, int]) -> str | None:
        del files
        return None
