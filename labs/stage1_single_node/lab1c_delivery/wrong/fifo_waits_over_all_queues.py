"""In an ordered group all queues of a receive wait for what is hidden in one of them."""

from dataclasses import replace

from mq.broker.commands import QueuePick
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:
        due = super().still_due(picks, now_ms, is_fifo=is_fifo)
        if not is_fifo or due == picks:
            return due
        return tuple(pick if pick.is_repeat else replace(pick, again=(), dead=()) for pick in due)
