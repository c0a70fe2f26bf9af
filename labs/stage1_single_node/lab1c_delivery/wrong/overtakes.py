"""In an ordered group what is ready does not wait for what is hidden before it: the order is lost."""

from mq.broker.commands import QueuePick
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:  # noqa: ARG002 - the mistake
        return super().still_due(picks, now_ms, is_fifo=False)
