"""A snapshot has one byte for the attempt: what was delivered 300 times comes back as delivered 44 times."""

from typing import Any

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def to_plain(self) -> list[Any]:
        return [
            [queue_id, next_offset, attempt_id, [[flight[0], flight[1] & 0xFF, *flight[2:]] for flight in flights]]
            for queue_id, next_offset, attempt_id, flights in super().to_plain()
        ]
