"""An ack says yes, and leaves the message in flight: when its time is over it is delivered again."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        return self.valid(queue_id, offset, stamp, now_ms) is not None
