"""The list of files stands beside the class: all queues of a process have one together, and each new one empties it."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.consume_queue import QueueState

_FILE_OFFSETS: list[int] = []


class ConsumeQueue(Reference):
    """See above."""

    def __init__(self, topic: str, queue_id: int, **sizes: int) -> None:
        super().__init__(topic, queue_id, **sizes)
        self.share()

    def share(self) -> None:
        _FILE_OFFSETS[:] = self._file_offsets
        self._file_offsets = _FILE_OFFSETS

    @classmethod
    def restore(cls, topic: str, queue_id: int, state: QueueState, **sizes: int) -> "ConsumeQueue":
        queue = super().restore(topic, queue_id, state, **sizes)
        assert isinstance(queue, cls)
        queue.share()
        return queue
