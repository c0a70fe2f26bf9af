"""What is made of a snapshot begins at offset 0 again."""

from dataclasses import replace

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.consume_queue import QueueState


class ConsumeQueue(Reference):
    """See above."""

    @classmethod
    def restore(cls, topic: str, queue_id: int, state: QueueState, **sizes: int) -> "Reference":
        begins = state.file_offsets[0] if state.file_offsets else 0
        return super().restore(topic, queue_id, replace(state, min_offset=begins), **sizes)
