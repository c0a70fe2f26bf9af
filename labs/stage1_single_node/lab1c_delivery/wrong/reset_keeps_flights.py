"""A reset sets the next offset, and what was in flight is delivered again beside it."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def move(self, queue_id: int, offset: int) -> None:
        self.queue(queue_id).next_offset = offset
