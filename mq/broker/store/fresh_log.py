"""A log as a node appends to it: what it appends stays at hand, with its place, until it is applied.

Applying needs each entry and where its record lies. A follower hears of both when it appends, and of the commit a moment
later: without this it would read from its disk what it has just written.
"""

from collections import deque
from collections.abc import Sequence

from mq.core.entry import Appended, Entry, HardState, RecordPlace
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan
from mq.raft.port import LogStorage

__all__ = ["FreshLog"]

_REMEMBERED = 4096
"""Far more than are ever on their way to the disk."""


class FreshLog:
    """See `mq.raft.port.LogStorage`, which this fills by the log behind it. fresh: (entry, place) by index, not applied yet.

    appends: how often something was put in. synced_sequence: of the newest that it was told to be durable; -1 before any.
    """

    def __init__(self, log: LogStorage) -> None:
        self._log = log
        self.fresh: dict[int, tuple[Entry, RecordPlace]] = {}
        self.appends = 0
        self.synced_sequence = -1
        self._sequences: deque[int] = deque(maxlen=_REMEMBERED)

    def sequence_after(self, sequence: int) -> int | None:
        """Of what was put in and not taken back, the next one behind this: with -1 the first. None when there is none."""
        found = None
        for one in reversed(self._sequences):
            if one <= sequence:
                break
            found = one
        return found

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
        self._sequences.append(appended.sequence)
        if entries and after_index < before:
            self._forget_from(after_index + 1)
        for entry, place in zip(entries, appended.places, strict=True):
            self.fresh[entry.index] = entry, place
        return appended

    def synced(self, sequence: int) -> None:
        """See `LogStorage`."""
        self.synced_sequence = max(self.synced_sequence, sequence)
        self._log.synced(sequence)

    def abandon(self, sequence: int) -> None:
        """See `LogStorage`. What it had superseded is back, and is read from the disk when it is applied."""
        self._log.abandon(sequence)
        if self._sequences and self._sequences[-1] == sequence:
            self._sequences.pop()
        self.fresh = {index: one for index, one in self.fresh.items() if self._log.term_at(LogIndex(index)) == one[0].term}

    def drop_before(self, index: LogIndex) -> Plan:
        """See `LogStorage`."""
        return self._log.drop_before(index)

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """See `LogStorage`."""
        appended = self._log.reset(last, hard_state)
        self._sequences.append(appended.sequence)
        self.fresh.clear()
        return appended

    def _forget_from(self, index: int) -> None:
        for stale in [found for found in self.fresh if found >= index]:
            del self.fresh[stale]
