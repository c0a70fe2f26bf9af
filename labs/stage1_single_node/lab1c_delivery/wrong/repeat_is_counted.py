"""A receive that is repeated after a lost reply counts as another attempt: a shaky network makes dead letters."""

from dataclasses import replace
from typing import Any

from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import Received
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def take(self, picks: tuple[QueuePick, ...], **named: Any) -> Received:
        return super().take(tuple(replace(pick, is_repeat=False) for pick in picks), **named)
