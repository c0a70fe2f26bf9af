"""Retention moves the next offset alone: what is in flight below is waited for, and is not there any more."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def forget_below(self, queue_id: int, offset: int) -> int:
        progress = self.queue(queue_id)
        skipped = max(0, offset - progress.next_offset)
        progress.next_offset += skipped
        return skipped
