"""What is chosen is delivered, also when it was hidden again on the way into the log."""

from mq.broker.commands import QueuePick
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:  # noqa: ARG002 - the mistake
        return picks
