"""A dead letter is told and stays in flight: it dies again each time."""

from typing import Any

from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import Received
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def take(self, picks: tuple[QueuePick, ...], **named: Any) -> Received:
        kept = {(p.queue_id, d.offset): f for p in picks for d in p.dead if (f := self.flights(p.queue_id).get(d.offset))}
        received = super().take(picks, **named)
        for queue_id, place in received.dead:
            self.queue(queue_id).hide(place.offset, kept[queue_id, place.offset])
        return received
