"""A snapshot names the last position, which is each node's own."""

from typing import Any

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import QueueEntry


class ConsumeQueue(Reference):
    """See above."""

    last_position = 0

    def append(self, entry: QueueEntry) -> None:
        self.last_position = entry.position
        super().append(entry)

    def to_plain(self) -> list[Any]:
        return [self.last_position, *super().to_plain()]

    @classmethod
    def from_plain(cls, topic: str, queue_id: int, plain: list[Any], **sizes: int) -> "Reference":
        queue = super().from_plain(topic, queue_id, plain[1:], **sizes)
        queue.last_position = plain[0]  # type: ignore[attr-defined]
        return queue
