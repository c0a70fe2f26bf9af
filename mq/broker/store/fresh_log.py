"""A log as a node appends to it: what it appends stays at hand, with its place, until it is applied.

Applying needs each entry and where its record lies. A follower hears of both when it appends, and of the commit a moment
later: without this it would read from its disk what it has just written.
"""

from collections.abc import Sequence

from mq.core.entry import Appended, Entry, HardState, RecordPlace
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan
from mq.raft.port import LogStorage

__all__ = ["FreshLog"]


class FreshLog:
    """See `mq.raft.port.LogStorage`, which this fills by the log behind it. fresh: (entry, place) by index, not applied yet.

    appends: how often something was put in.
    """

    def __init__(self, log: LogStorage) -> None:
        self._log = log
        self.fresh: dict[int, tuple[Entry, RecordPlace]] = {}
        self.appends = 0

    @property
    def first_index(self) -> LogIndex:
        """See `LogStorage`."""
        return self._log.first_index

    @property
    def last_index(self) -> LogIndex:
        """See `LogStorage`."""
        return self._log.last_index

    @property
    def durable_index(self) -> LogIndex:
        """See `LogStorage`."""
        return self._log.durable_index

    @property
    def hard_state(self) -> HardState:
        """See `LogStorage`."""
        return self._log.hard_state

    @property
    def is_damaged(self) -> bool:
        """See `LogStorage`."""
        return self._log.is_damaged

    def term_at(self, index: LogIndex) -> Term | None:
        """See `LogStorage`."""
        return self._log.term_at(index)

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        """See `LogStorage`."""
        before = self._log.last_index
        self.appends += 1
        appended = self._log.append(after_index, entries, hard_state)
        if entries and after_index < before:
            self._forget_from(after_index + 1)
        for entry, place in zip(entries, appended.places, strict=True):
            self.fresh[entry.index] = entry, place
        return appended

    def synced(self, sequence: int) -> None:
        """See `LogStorage`."""
        self._log.synced(sequence)

    def abandon(self, sequence: int) -> None:
        """See `LogStorage`. What it had superseded is back, and is read from the disk when it is applied."""
        self._log.abandon(sequence)
        self.fresh = {index: one for index, one in self.fresh.items() if self._log.term_at(LogIndex(index)) == one[0].term}

    def drop_before(self, index: LogIndex) -> Plan:
        """See `LogStorage`."""
        return self._log.drop_before(index)

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """See `LogStorage`."""
        appended = self._log.reset(last, hard_state)
        self.fresh.clear()
        return appended

    def _forget_from(self, index: int) -> None:
        for stale in [found for found in self.fresh if found >= index]:
            del self.fresh[stale]
