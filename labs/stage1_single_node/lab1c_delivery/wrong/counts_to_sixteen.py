"""The attempt is counted up to 16 and no further: a message that may be tried more often never becomes a dead letter."""

from collections.abc import Iterator

from mq.broker.commands import QueuePick
from mq.broker.delivery.progress import QueueProgress
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


class DeliveryTable(Reference):
    """See above."""

    @staticmethod
    def _picked(progress: QueueProgress, pick: QueuePick) -> Iterator[tuple[int, int]]:
        for offset, attempt in Reference._picked(progress, pick):  # noqa: SLF001 - ours
            yield offset, min(16, attempt)
