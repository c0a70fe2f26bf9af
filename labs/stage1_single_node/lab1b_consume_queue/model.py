"""What a consume queue must be, written for being read: a plain list of messages, and all commands that made it so."""

from typing import NamedTuple

from mq.broker.store.queue_entry import QueueEntry

__all__ = ["Fact", "Model"]


class Fact(NamedTuple):
    """What there is to know of one message. number: within the stored batch."""

    position: int
    log_index: int
    number: int
    store_ms: int
    size_bytes: int
    tag_code: int

    def __str__(self) -> str:
        at = f"position {self.position}" if self.position else "no position"
        return (
            f"number {self.number} of the record at {at} (log index {self.log_index}, {self.size_bytes} bytes, "
            f"stored at {self.store_ms} ms, tag code {self.tag_code})"
        )


class Model:
    """facts: of each message from offset 0 on, also of those that retention took. history: entries put, and offsets dropped."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.min_offset = 0
        self.history: list[QueueEntry | int] = []

    @property
    def max_offset(self) -> int:
        return len(self.facts)

    @property
    def last_ms(self) -> int:
        return self.facts[-1].store_ms if self.facts else 0

    def put(self, entry: QueueEntry) -> None:
        self.history.append(entry)
        store_ms = max(entry.store_ms, self.last_ms)
        self.facts += facts_of(entry._replace(store_ms=store_ms))

    def drop_before(self, offset: int) -> None:
        self.history.append(offset)
        self.min_offset = max(self.min_offset, min(offset, self.max_offset))

    def offset_at(self, store_ms: int) -> int:
        later = (offset for offset, fact in enumerate(self.facts) if fact.store_ms >= store_ms)
        return max(next(later, self.max_offset), self.min_offset)


def facts_of(entry: QueueEntry) -> list[Fact]:
    """Of each message that an entry covers."""
    return [
        Fact(entry.position, entry.log_index, entry.first + n, entry.store_ms, entry.size_bytes, entry.tag_code)
        for n in range(entry.count)
    ]
