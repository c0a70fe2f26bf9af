"""What a filter leaves out is put in flight, and nobody acknowledges it."""

from dataclasses import replace
from typing import Any

from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import Received
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def take(self, picks: tuple[QueuePick, ...], **named: Any) -> Received:
        received = super().take(tuple(replace(pick, skipped=()) for pick in picks), **named)
        skipped = {(pick.queue_id, offset) for pick in picks for offset in pick.skipped}
        return received._replace(delivered=tuple(one for one in received.delivered if (one.queue_id, one.offset) not in skipped))
