"""A snapshot holds the heap of deadlines, and what is left behind in it: replicas that were asked differ from others."""

from typing import Any

from mq.broker.delivery.progress import QueueProgress
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def to_plain(self) -> list[Any]:
        return [[*queue, [list(one) for one in self.queue(queue[0]).ready]] for queue in super().to_plain()]

    @classmethod
    def from_plain(cls, plain: Any) -> "DeliveryTable":
        table = cls()
        for queue_id, *progress, ready in plain:
            table._queues[queue_id] = QueueProgress.from_plain(progress)
            table._queues[queue_id].ready = [(deadline_ms, offset, stamp) for deadline_ms, offset, stamp in ready]
        return table
