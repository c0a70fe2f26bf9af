"""The next deadline is the first that was ever noted, also when its message is done or was changed."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def next_deadline_ms(self) -> int | None:
        return min((ready[0][0] for queue_id in self.queues() if (ready := self.queue(queue_id).ready)), default=None)
