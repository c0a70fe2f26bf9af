"""A table made from a snapshot knows what is in flight, and nobody looks for when it is ready again."""

from typing import Any

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Reference:
        table = super().from_plain(plain)
        for queue_id in table.queues():
            table.queue(queue_id).ready.clear()
        return table
