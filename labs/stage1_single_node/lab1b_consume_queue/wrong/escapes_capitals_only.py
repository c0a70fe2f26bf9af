"""The name of its folder escapes capital letters, and no other sign of the topic."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def __init__(self, topic: str, queue_id: int, *, entries_per_file: int = 65536, tail_min: int = 1024) -> None:
        super().__init__(topic, queue_id, entries_per_file=entries_per_file, tail_min=tail_min)
        safe = "".join(f"={ord(sign):x}=" if sign.isupper() else sign for sign in topic)
        self._folder = f"queues/{safe}/{queue_id}"
