"""A snapshot holds how far the group came, and forgets what is in flight: all of that is lost."""

from typing import Any

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def to_plain(self) -> list[Any]:
        return [[queue_id, next_offset, attempt_id, []] for queue_id, next_offset, attempt_id, _ in super().to_plain()]
