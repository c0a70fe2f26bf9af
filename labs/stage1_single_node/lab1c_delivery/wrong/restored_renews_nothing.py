"""Whether a delivery renews itself is not in the snapshot."""

from typing import Any

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def to_plain(self) -> list[Any]:
        return [
            [queue_id, next_offset, attempt_id, [[*flight[:5], False, flight[6]] for flight in flights]]
            for queue_id, next_offset, attempt_id, flights in super().to_plain()
        ]
