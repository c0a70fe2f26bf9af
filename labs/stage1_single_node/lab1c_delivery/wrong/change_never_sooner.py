"""A change can only hide for longer: to give a message back at once is not possible."""

from typing import Any

from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def change(self, queue_id: int, offset: int, stamp: int, now_ms: int, **named: Any) -> InFlight | None:
        before = self.flights(queue_id).get(offset)
        later_ms = max(named["deadline_ms"], before.deadline_ms if before is not None else 0)
        return super().change(queue_id, offset, stamp, now_ms, **{**named, "deadline_ms": later_ms})
