"""A Raft log in memory whose disk says yes only when it is asked to. The least that `mq.raft.port.LogStorage` allows.

Every append makes a new state of the whole log and waits in a queue; what is durable is the state of the last one that was
synced. So a crash is easy to understand: it goes back to that state, or to a later one.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from mq.core.entry import Appended, Entry, HardState
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan

__all__ = ["HandLog", "Waiting"]


class _State(NamedTuple):
    """base: the entry before the first one that is kept."""

    base: EntryId
    entries: tuple[Entry, ...]
    hard_state: HardState

    @property
    def last_index(self) -> LogIndex:
        return LogIndex(self.base.index + len(self.entries))

    def term_at(self, index: int) -> Term | None:
        if index == self.base.index:
            return self.base.term
        place = index - self.base.index - 1
        return self.entries[place].term if 0 <= place < len(self.entries) else None


class Waiting(NamedTuple):
    """An append that is not durable yet. after: the index that it was put behind; None when it brought no entries.

    entries, hard_state: what it brought; is_reset: a snapshot took the place of all entries.
    """

    sequence: int
    after: LogIndex | None
    entries: tuple[Entry, ...]
    hard_state: HardState | None
    superseded_to: LogIndex | None
    is_reset: bool
    state: _State


class HandLog:
    """waiting: appends that are not durable yet, the oldest first. is_damaged: may be set, to see what a node does then."""

    def __init__(self) -> None:
        self._now = self._durable = _State(EntryId(Term(0), LogIndex(0)), (), HardState(Term(0), None))
        self._sequence = 0
        self.waiting: deque[Waiting] = deque()
        self.is_damaged = False

    # --- what the port asks for

    @property
    def first_index(self) -> LogIndex:
        """Of the oldest entry that is kept."""
        return LogIndex(self._now.base.index + 1)

    @property
    def last_index(self) -> LogIndex:
        """Of the newest entry, durable or not."""
        return self._now.last_index

    @property
    def durable_index(self) -> LogIndex:
        """Of the newest entry that is durable and that nothing supersedes."""
        index = self._durable.last_index
        for waiting in self.waiting:
            if waiting.after is not None:
                index = LogIndex(waiting.after if waiting.is_reset else min(index, waiting.after))
        return max(index, self._now.base.index)

    @property
    def hard_state(self) -> HardState:
        """The newest one, durable or not."""
        return self._now.hard_state

    def term_at(self, index: LogIndex) -> Term | None:
        """Of an entry, or of the one before the first."""
        return self._now.term_at(index)

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        """See the port. Raises: StateError when the entries do not follow `after_index`."""
        now = self._now
        if not now.base.index <= after_index <= now.last_index:
            raise StateError(f"nothing can stand behind {after_index}: the log holds {self.first_index} to {now.last_index}")
        if [entry.index for entry in entries] != list(range(after_index + 1, after_index + 1 + len(entries))):
            raise StateError(f"these entries do not follow {after_index}")
        superseded_to = now.last_index if entries and after_index < now.last_index else None
        kept = now.entries[: after_index - now.base.index] + tuple(entries) if entries else now.entries
        state = _State(now.base, kept, hard_state or now.hard_state)
        after = after_index if entries else None
        return self._wait(
            Waiting(self._sequence + 1, after, tuple(entries), hard_state, superseded_to, is_reset=False, state=state)
        )

    def _wait(self, waiting: Waiting) -> Appended:
        self._sequence, self._now = waiting.sequence, waiting.state
        self.waiting.append(waiting)
        return Appended((), (), waiting.sequence)

    def synced(self, sequence: int) -> None:
        """The appends up to this one are durable."""
        while self.waiting and self.waiting[0].sequence <= sequence:
            self._durable = self.waiting.popleft().state

    def abandon(self, sequence: int) -> None:
        """The newest append is taken back. Raises: StateError for any other."""
        if not self.waiting or self.waiting[-1].sequence != sequence:
            raise StateError(f"append {sequence} is not the newest one that waits")
        self.waiting.pop()
        self._now = self.waiting[-1].state if self.waiting else self._durable

    def drop_before(self, index: LogIndex) -> Plan:
        """Forget entries below `index`; none while something waits, as it would be in the states that wait, too."""
        count = index - self._now.base.index - 1
        if not self.waiting and 0 < count <= len(self._now.entries):
            last = self._now.entries[count - 1]
            self._now = self._durable = self._now._replace(base=EntryId(last.term, last.index), entries=self._now.entries[count:])
        return ()

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """Forget all entries; the next one follows `last`."""
        state = _State(last, (), hard_state)
        return self._wait(Waiting(self._sequence + 1, last.index, (), hard_state, None, is_reset=True, state=state))

    # --- what the hand does

    def entries(self, first: int, last: int) -> tuple[Entry, ...]:
        """Those of `first` to `last` that are there."""
        return tuple(entry for entry in self._now.entries if first <= entry.index <= last)

    def crash(self, *, keeps_unsaved: bool) -> None:
        """Go back to what is durable; with `keeps_unsaved` what was written had reached the disk, though nobody was told."""
        if keeps_unsaved:
            self._durable = self._now
        self._now = self._durable
        self.waiting.clear()
