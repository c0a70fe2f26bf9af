"""A receive whose pick is void leaves its attempt id: asked again under it, its caller gets what another one holds."""

from typing import Any

from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import Received
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def take(self, picks: tuple[QueuePick, ...], *, attempt_id: str, **named: Any) -> Received:
        for pick in picks:
            if attempt_id:
                self.queue(pick.queue_id).attempt_id = attempt_id
        return super().take(picks, attempt_id=attempt_id, **named)
