"""A snapshot says how much was in files, which is each node's own."""

from typing import Any

from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def to_plain(self) -> list[Any]:
        return [self._flushed_count, *super().to_plain()]

    @classmethod
    def from_plain(cls, topic: str, queue_id: int, plain: list[Any], **sizes: int) -> "Reference":
        return super().from_plain(topic, queue_id, plain[1:], **sizes)
