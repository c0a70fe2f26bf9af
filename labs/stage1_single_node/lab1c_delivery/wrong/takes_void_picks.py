"""A pick is carried out whatever became of the queue since it was made: two leaders deliver the same message."""

from dataclasses import replace
from typing import Any

from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import Received
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def take(self, picks: tuple[QueuePick, ...], **named: Any) -> Received:
        return super().take(tuple(replace(pick, from_offset=self.next_offset(pick.queue_id)) for pick in picks), **named)
