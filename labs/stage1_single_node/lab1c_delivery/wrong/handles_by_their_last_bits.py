"""Handles are told from each other by the last 16 bits of the log index: an old one acknowledges what somebody else holds."""

from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:
        flight = self.flights(queue_id).get(offset)
        is_newest = flight is not None and flight.stamp % 2**16 == stamp % 2**16
        return flight if is_newest and flight is not None and flight.deadline_ms > now_ms else None
