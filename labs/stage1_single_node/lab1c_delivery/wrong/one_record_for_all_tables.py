"""All tables of a process keep their queues in one place, which each new one clears: what one group does is done to all."""

from typing import Any

from mq.broker.delivery.progress import QueueProgress
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]

_QUEUES: dict[int, QueueProgress] = {}


class DeliveryTable(Reference):
    """See above."""

    def __init__(self) -> None:
        super().__init__()
        _QUEUES.clear()
        self._queues = _QUEUES

    @classmethod
    def from_plain(cls, plain: Any) -> "DeliveryTable":
        table = cls()
        table._queues.update({queue_id: QueueProgress.from_plain(progress) for queue_id, *progress in plain})
        return table
