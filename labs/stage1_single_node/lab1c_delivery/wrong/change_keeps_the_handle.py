"""A change moves the deadline, and the handle from before stays good."""

from typing import Any

from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def change(self, queue_id: int, offset: int, stamp: int, now_ms: int, **named: Any) -> InFlight | None:
        return super().change(queue_id, offset, stamp, now_ms, **{**named, "new_stamp": stamp})
