"""Whatever `flushed` tells last is how many are in files: told late, an older plan takes the count back."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        super().flushed(entry_count, is_synced=is_synced)
        self._flushed_count = min(entry_count, self._entry_count)
