"""When a plan is told to be carried out, what came in meanwhile counts as written, too."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        del entry_count
        super().flushed(self._entry_count, is_synced=is_synced)
