"""An ack that is refused makes a record of its queue, which stands in the snapshot from then on."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        self.queue(queue_id)
        return super().ack(queue_id, offset, stamp, now_ms)
