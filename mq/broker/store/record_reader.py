"""From an entry of a consume queue to the stored batch, by the record's place or, where that is not known, by its log index."""

from collections.abc import Iterable
from typing import Protocol

from mq.broker.store.consume_queue import QueueEntry
from mq.broker.store.log_view import StoredEntry
from mq.core.entry import Entry, RecordPlace
from mq.core.errors import DamageError, StateError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Read, Steps

__all__ = ["RecordReader", "Records"]

_AHEAD_ENTRIES = 256
_AHEAD_BYTES = 64 << 10
"""Finding an entry by its index means reading into the middle of a group: its neighbours are likely to be asked for next."""
_PLACES_MAX = 1 << 16


class Records(Protocol):
    """What is asked of the commit log here."""

    @property
    def first_index(self) -> LogIndex:
        """Of the oldest entry that is kept."""

    @property
    def durable_index(self) -> LogIndex:
        """Of the newest entry that is durable."""

    def term_at(self, index: LogIndex) -> Term | None:
        """The term of an entry; None when it is not known."""

    def read(self, place: RecordPlace) -> Read:
        """What to read for the record at a place. Raises: StateError."""

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        """Verify and decode it. Raises: DamageError, FormatError."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        """Entries in order. Raises: StateError, DamageError."""


class RecordReader:
    """Reads what consume-queue entries stand for. It remembers where it found entries; that affects its speed alone."""

    def __init__(self, log: Records) -> None:
        self._log = log
        self._places: dict[int, RecordPlace] = {}

    def is_gone(self, entry: QueueEntry) -> bool:
        """Whether retention took the message although its queue goes further back.

        Dead letters and delayed messages may have been stored long before they became visible.
        """
        return entry.log_index < self._log.first_index

    def payload(self, entry: QueueEntry) -> Steps[bytes]:
        """The stored batch. Raises: StateError when it is gone; DamageError, FormatError."""
        if entry.place is not None:
            return (yield from self._at(entry.place)).payload
        index = LogIndex(entry.log_index)
        known = yield from self._where_it_was(index)
        if known is not None:
            return known.payload
        last = LogIndex(max(index, min(index + _AHEAD_ENTRIES, self._log.durable_index)))
        found = yield from self._log.entries(index, last, _AHEAD_BYTES)
        self._learn(found)
        return found[0].entry.payload

    def _at(self, place: RecordPlace) -> Steps[Entry]:
        data = yield self._log.read(place)
        return self._log.decode(place, data)

    def _where_it_was(self, index: LogIndex) -> Steps[Entry | None]:
        """The entry, if it is still where it was seen: an index and a term mean one entry for ever."""
        place = self._places.get(index)
        if place is None:
            return None
        try:
            found = yield from self._at(place)
        except (DamageError, StateError):
            return None  # the log itself can say what is the matter
        return found if (found.index, found.term) == (index, self._log.term_at(index)) else None

    def _learn(self, found: Iterable[StoredEntry]) -> None:
        if len(self._places) >= _PLACES_MAX:
            self._places.clear()
        self._places.update((stored.entry.index, stored.place) for stored in found)
