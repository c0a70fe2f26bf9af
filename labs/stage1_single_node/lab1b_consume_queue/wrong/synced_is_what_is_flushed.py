"""With a plan that synced, all that is in files by now counts as durable: also what a plan without sync wrote behind it."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        super().flushed(entry_count, is_synced=is_synced)
        if is_synced:
            self._synced_count = self._flushed_count
