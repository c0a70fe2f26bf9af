"""A look at a queue makes a record of it: replicas that were asked differ from those that were not."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def next_offset(self, queue_id: int) -> int:
        return self.queue(queue_id).next_offset
