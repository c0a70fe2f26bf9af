"""A message delivered again keeps its handle, so that the consumer before can still acknowledge it."""

from dataclasses import replace
from typing import Any

from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import Received
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def take(self, picks: tuple[QueuePick, ...], **named: Any) -> Received:
        before = {
            (p.queue_id, o): self.flights(p.queue_id)[o].stamp for p in picks for o in p.again if o in self.flights(p.queue_id)
        }
        received = super().take(picks, **named)
        for place, stamp in before.items():
            flight = self.flights(place[0]).get(place[1])
            if flight is not None and flight.stamp == named["stamp"]:
                self.queue(place[0]).hide(place[1], replace(flight, stamp=stamp))
        delivered = tuple(one._replace(stamp=before.get((one.queue_id, one.offset), one.stamp)) for one in received.delivered)
        return received._replace(delivered=delivered)
