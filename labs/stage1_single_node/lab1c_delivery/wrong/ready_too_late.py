"""A message is ready again one millisecond after its deadline: `<` for `<=`."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def expired(self, queue_id: int, now_ms: int) -> list[int]:
        return super().expired(queue_id, now_ms - 1)
