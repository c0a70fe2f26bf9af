"""Whatever its topic is, a queue's files lie in the folder of the topic that the tests speak of."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.broker.store.queue_entry import queue_folder


class ConsumeQueue(Reference):
    """See above."""

    def __init__(self, topic: str, queue_id: int, **sizes: int) -> None:
        super().__init__(topic, queue_id, **sizes)
        self._folder = queue_folder("orders", queue_id)
