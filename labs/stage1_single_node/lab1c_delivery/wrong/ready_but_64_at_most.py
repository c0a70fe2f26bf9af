"""Of the messages that are ready again the first 64 are told, and no more: whoever asks for a hundred gets new ones instead."""

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    def expired(self, queue_id: int, now_ms: int) -> list[int]:
        return super().expired(queue_id, now_ms)[:64]
