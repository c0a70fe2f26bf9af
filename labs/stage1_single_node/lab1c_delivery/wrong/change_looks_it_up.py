"""A change looks up its queue's record and takes it for there: with a handle of a queue that was never read it raises."""

from typing import Any

from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def change(self, queue_id: int, *handle: int, **named: Any) -> InFlight | None:
        return super().change(queue_id, *handle, **named) if self._queues[queue_id].in_flight else None
