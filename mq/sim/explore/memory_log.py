"""A log in memory for a node that is explored: what is durable, and what is not yet.

All that it holds are tuples, so that a copy of it costs nothing.
"""

from collections.abc import Sequence
from typing import TypeAlias

from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan
from mq.sim.explore.freezing import SaveNumber

__all__ = ["MemoryLog"]

_Contents: TypeAlias = tuple[EntryId, tuple[Entry, ...], HardState]
_NOTHING = EntryId(Term(0), LogIndex(0))


class MemoryLog:
    """Behind `mq.raft.port.LogStorage`.

    base: the entry before the first. waiting: what the log is after each append that is not durable, oldest first, with its
    number.
    """

    __slots__ = ("base", "durable", "entries", "hard_state", "newest_save", "waiting")

    is_damaged = False

    def __init__(self) -> None:
        self.base = _NOTHING
        self.entries: tuple[Entry, ...] = ()
        self.hard_state = HardState(Term(0), None)
        self.durable: _Contents = (self.base, self.entries, self.hard_state)
        self.waiting: tuple[tuple[SaveNumber, _Contents], ...] = ()
        self.newest_save = SaveNumber(0)

    @property
    def first_index(self) -> LogIndex:
        """Of the oldest entry."""
        return LogIndex(self.base.index + 1)

    @property
    def last_index(self) -> LogIndex:
        """Of the newest entry, durable or not."""
        return LogIndex(self.base.index + len(self.entries))

    @property
    def durable_index(self) -> LogIndex:
        """Of the newest entry that is durable and that no append after it supersedes."""
        base, entries, _ = self.durable
        index: int = self.base.index
        if base == self.base:
            for ours, durable in zip(self.entries, entries, strict=False):
                if ours is not durable:
                    break
                index += 1
        return LogIndex(index)

    def term_at(self, index: LogIndex) -> Term | None:
        """The term of an entry, or of the one before the first; None for what is not there."""
        place = index - self.base.index - 1
        if place == -1:
            return self.base.term
        return self.entries[place].term if 0 <= place < len(self.entries) else None

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        """Put entries behind `after_index`, in place of what stood there."""
        if entries:
            self.entries = (*self.entries[: after_index - self.base.index], *entries)
        if hard_state is not None:
            self.hard_state = hard_state
        return self._appended()

    def _appended(self) -> Appended:
        self.newest_save = SaveNumber(self.newest_save + 1)
        self.waiting += ((self.newest_save, (self.base, self.entries, self.hard_state)),)
        return Appended((), (), self.newest_save)

    def synced(self, sequence: int) -> None:
        """The appends up to this one are durable."""
        while self.waiting and self.waiting[0][0] <= sequence:
            self.durable = self.waiting[0][1]
            self.waiting = self.waiting[1:]

    def abandon(self, sequence: int) -> None:
        """The newest append could not be carried out."""
        if self.waiting and self.waiting[-1][0] == sequence:
            self.waiting = self.waiting[:-1]
            self.base, self.entries, self.hard_state = self.waiting[-1][1] if self.waiting else self.durable

    def drop_before(self, index: LogIndex) -> Plan:
        """Entries below `index` are not needed any more; what is not durable yet waits for the next time."""
        if not self.waiting and self.base.index < index - 1 <= self.last_index:
            base = EntryId(self.term_at(LogIndex(index - 1)) or Term(0), LogIndex(index - 1))
            self.entries = self.entries[index - 1 - self.base.index :]
            self.base = base
            self.durable = (base, self.entries, self.hard_state)
        return ()

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """In one durable step: forget all entries; the next one follows `last`."""
        self.base, self.entries, self.hard_state = last, (), hard_state
        return self._appended()

    def lose_power(self) -> None:
        """What was not durable is gone; who starts again counts its saves from 0."""
        self.waiting, self.newest_save = (), SaveNumber(0)
        self.base, self.entries, self.hard_state = self.durable
