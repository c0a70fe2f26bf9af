"""What is in flight is kept by the last 16 bits of its offset: message 70,000 is in flight as 4,464."""

from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.progress import QueueProgress
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class _Progress(QueueProgress):
    __slots__ = ()

    def hide(self, offset: int, flight: InFlight) -> None:
        super().hide(offset & 0xFFFF, flight)


class DeliveryTable(Reference):
    """See above."""

    def queue(self, queue_id: int) -> QueueProgress:
        return self._queues.setdefault(queue_id, _Progress())
