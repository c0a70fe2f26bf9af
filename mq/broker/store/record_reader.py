"""From an entry of a consume queue to the stored batch, by the record's place or, where that is not known, by its log index."""

from typing import Protocol

from mq.broker.store.consume_queue import QueueEntry
from mq.broker.store.log_view import StoredEntry
from mq.core.entry import Entry, RecordPlace
from mq.core.ids import LogIndex
from mq.core.ports import Read, Steps

__all__ = ["RecordReader", "Records"]


class Records(Protocol):
    """What is asked of the commit log here."""

    @property
    def first_index(self) -> LogIndex:
        """Of the oldest entry that is kept."""

    def read(self, place: RecordPlace) -> Read:
        """What to read for the record at a place. Raises: StateError."""

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        """Verify and decode it. Raises: DamageError, FormatError."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        """Entries in order. Raises: StateError, DamageError."""


class RecordReader:
    """Reads what consume-queue entries stand for."""

    def __init__(self, log: Records) -> None:
        self._log = log

    def is_gone(self, entry: QueueEntry) -> bool:
        """Whether retention took the message although its queue goes further back.

        Dead letters and delayed messages may have been stored long before they became visible.
        """
        return entry.log_index < self._log.first_index

    def payload(self, entry: QueueEntry) -> Steps[bytes]:
        """The stored batch. Raises: StateError when it is gone; DamageError, FormatError."""
        place = entry.place
        if place is not None:
            data = yield self._log.read(place)
            return self._log.decode(place, data).payload
        index = LogIndex(entry.log_index)
        found = yield from self._log.entries(index, index, 1)
        return found[0].entry.payload
