"""An ack looks for the message and not at the handle: a slow consumer acknowledges what another one is at work on."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:  # noqa: ARG002 - the mistake
        flight = self.flights(queue_id).get(offset)
        return flight is not None and super().ack(queue_id, offset, flight.stamp, now_ms)
