"""A handle is good up to and with its deadline, when the message is ready for others already: `<=` for `<`."""

from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:
        return super().valid(queue_id, offset, stamp, now_ms - 1)
