"""An ack of one message is an ack of all before it in the queue, as with Kafka's offsets."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        is_done = super().ack(queue_id, offset, stamp, now_ms)
        if is_done:
            self.queue(queue_id).forget_below(offset)
        return is_done
