"""What was changed by hand goes on to renew itself."""

from typing import Any

from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def change(self, queue_id: int, offset: int, stamp: int, now_ms: int, **named: Any) -> InFlight | None:
        before = self.flights(queue_id).get(offset)
        flight = super().change(queue_id, offset, stamp, now_ms, **named)
        if flight is not None and before is not None:
            flight.renews = before.renews
        return flight
