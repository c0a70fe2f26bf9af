"""An ack looks up its queue's record and takes it for there: with a handle of a queue that was never read it raises."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        return offset in self._queues[queue_id].in_flight and super().ack(queue_id, offset, stamp, now_ms)
