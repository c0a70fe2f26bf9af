"""A handle is good until another one replaces it, also when its time is over long since."""

from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:  # noqa: ARG002 - the mistake
        return super().valid(queue_id, offset, stamp, 0)
