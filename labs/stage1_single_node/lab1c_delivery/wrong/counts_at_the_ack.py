"""Attempts are counted when a client answers, by ack or change, and not when a message is delivered."""

from typing import Any

from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import InFlight, Received
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def take(self, picks: tuple[QueuePick, ...], **named: Any) -> Received:
        before = {
            (p.queue_id, o): self.flights(p.queue_id)[o].attempt for p in picks for o in p.again if o in self.flights(p.queue_id)
        }
        received = super().take(picks, **named)
        found = []
        for one in received.delivered:
            attempt = before.get((one.queue_id, one.offset), one.attempt)
            self.queue(one.queue_id).in_flight[one.offset].attempt = attempt
            found.append(one._replace(attempt=attempt))
        return received._replace(delivered=tuple(found))

    def change(self, *handle: int, **named: Any) -> InFlight | None:
        flight = super().change(*handle, **named)
        if flight is not None:
            flight.attempt += 1
        return flight
