"""Entries that are in files count as synced."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """See above."""

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        del is_synced
        super().flushed(entry_count, is_synced=True)
