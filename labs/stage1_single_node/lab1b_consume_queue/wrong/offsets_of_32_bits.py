"""The offsets of what is in memory are kept in 32 bits, and the snapshot has a shape of its own."""

from array import array
from typing import Any

from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def __init__(self, topic: str, queue_id: int, **sizes: int) -> None:
        super().__init__(topic, queue_id, **sizes)
        self._tail_offsets = array("I")

    def to_plain(self) -> Any:
        *numbers, files = super().to_plain()
        return {"numbers": numbers, "files": files}

    @classmethod
    def from_plain(cls, topic: str, queue_id: int, plain: Any, **sizes: int) -> "Reference":
        return super().from_plain(topic, queue_id, [*plain["numbers"], plain["files"]], **sizes)
