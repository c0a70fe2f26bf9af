"""The log of a node in memory, a twin of the broker's `CommitLog` without its bytes: what is written, and what is durable.

The *medium* is the truth: what a crash leaves is asked of it alone, so that a node that is wrong about its own log, or tells it
of syncs that never were, cannot change what a simulated disk holds. The *log* is what the node sees (`mq.raft.port.LogStorage`).
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from mq.core.entry import Appended, Entry, HardState
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan, Remove

__all__ = ["Group", "LightLog", "LightMedium"]

_BEFORE_ALL = EntryId(Term(0), LogIndex(0))
_NO_CUT = 1 << 62
_RESET = -1


class Group(NamedTuple):
    """One append: all of it survives a crash, or nothing. reset: the log begins anew behind this entry."""

    sequence: int
    after_index: int
    entries: tuple[Entry, ...]
    hard_state: HardState | None
    reset: EntryId | None = None


class LightMedium:
    """What the disk holds. base: the entry before the first. waiting: groups that are not durable, the oldest first.

    end: the highest index that was durable since the last crash, superseded or not. votes: all that ever were, with terms.
    """

    __slots__ = ("base", "end", "entries", "hard_state", "is_damaged", "votes", "waiting")

    def __init__(self) -> None:
        self.base = _BEFORE_ALL
        self.entries: list[Entry] = []
        self.hard_state = HardState(Term(0), None)
        self.waiting: deque[Group] = deque()
        self.end = 0
        self.votes: set[tuple[int, int | None]] = set()
        self.is_damaged = False

    @property
    def last_index(self) -> int:
        """Of the newest durable entry."""
        return self.base.index + len(self.entries)

    def term_at(self, index: int) -> int | None:
        """Of a durable entry, or of the one before the first."""
        place = index - self.base.index - 1
        if place >= 0:
            return self.entries[place].term if place < len(self.entries) else None
        return self.base.term if place == -1 else None

    def holds(self, index: int, term: int) -> bool:
        """Whether this entry is durable here, itself or in a snapshot."""
        return index < self.base.index or self.term_at(index) == term

    def sync(self, sequence: int) -> None:
        """The groups up to this one are durable."""
        while self.waiting and self.waiting[0].sequence <= sequence:
            self._keep(self.waiting.popleft())

    def crash(self, kept: int) -> None:
        """Of the groups that were not durable, the first few arrived, and the others are gone for ever."""
        for _ in range(min(kept, len(self.waiting))):
            self._keep(self.waiting.popleft())
        self.waiting.clear()
        self.end = self.last_index

    def _keep(self, group: Group) -> None:
        if group.hard_state is not None:
            self.hard_state = group.hard_state
            self.votes.add((group.hard_state.term, group.hard_state.vote))
        if group.reset is not None:
            self.base = group.reset
            self.entries.clear()
        elif group.entries:
            del self.entries[group.after_index - self.base.index :]
            self.entries += group.entries
        self.end = max(self.end, self.last_index)

    def drop_before(self, index: int) -> None:
        """Entries below `index` are removed."""
        if self.base.index < index - 1 <= self.last_index:
            term = self.term_at(index - 1)
            del self.entries[: index - 1 - self.base.index]
            self.base = EntryId(Term(term or 0), LogIndex(index - 1))


class _Waiting(NamedTuple):
    """An append that is not known to be durable, and the log as it was before it.

    last_index: behind it. cut: the index behind which it supersedes what stood there.
    """

    sequence: int
    last_index: int
    cut: int
    base: EntryId
    hard_state: HardState
    after_index: int
    replaced: tuple[Entry, ...]
    synced_index: int


class LightLog:
    """See the module; the attributes are those of `LogStorage`. A new one is opened after each crash."""

    __slots__ = (
        "_base",
        "_entries",
        "_sequence",
        "_synced_index",
        "_waiting",
        "durable_index",
        "first_index",
        "hard_state",
        "is_damaged",
        "last_index",
        "medium",
    )

    def __init__(self, medium: LightMedium) -> None:
        self.medium = medium
        self._base, self._entries = medium.base, list(medium.entries)
        self.hard_state, self.is_damaged = medium.hard_state, medium.is_damaged
        self._waiting: deque[_Waiting] = deque()
        self._sequence = 0
        self.first_index = LogIndex(self._base.index + 1)
        self.last_index = self.durable_index = LogIndex(medium.last_index)
        self._synced_index = medium.last_index

    def term_at(self, index: LogIndex) -> Term | None:
        """The term of an entry, or of the one before the first; None for what is not there."""
        place = index - self.first_index
        if place >= 0:
            return self._entries[place].term if place < len(self._entries) else None
        return self._base.term if place == -1 else None

    def entries(self, first: int, last: int) -> tuple[Entry, ...]:
        """Those from `first` to `last`; none when the first of them is not kept any more."""
        place = first - self.first_index
        return tuple(self._entries[place : last + 1 - self.first_index]) if place >= 0 else ()

    # --- writing

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        """Put entries behind `after_index`, superseding what stood there.

        Raises: StateError when they do not fit there, or are there already. The rules are those of `CommitLog`.
        """
        replaced: tuple[Entry, ...] = ()
        last, before = self.last_index, self.hard_state
        if entries:
            self._check(after_index, entries, (hard_state or before).term)
            if after_index < last:
                place = after_index + 1 - self.first_index
                replaced = tuple(self._entries[place:])
                del self._entries[place:]
            self._entries += entries
            self.last_index = LogIndex(after_index + len(entries))
        elif hard_state is None:
            raise StateError("an append without entries and without hard state")
        if hard_state is not None:
            self.hard_state = hard_state
        cut = after_index if replaced else _NO_CUT
        kept_from = after_index if entries else last
        self._note(cut, self._base, before, kept_from, replaced)
        self.medium.waiting.append(Group(self._sequence, after_index, tuple(entries), hard_state))
        return Appended((), (), self._sequence)

    def _check(self, after_index: int, entries: Sequence[Entry], own_term: int) -> None:
        first = entries[0]
        if self.is_damaged:
            raise StateError("nothing is appended to a damaged log")
        if first.index != after_index + 1 or not self.first_index - 1 <= after_index <= self.last_index:
            raise StateError(
                f"entry {first.index} cannot stand behind {after_index}: the log holds {self.first_index} to {self.last_index}"
            )
        before = self.term_at(LogIndex(after_index)) or 0
        for entry in entries:
            if entry.term < before:
                raise StateError(f"entry {entry.index} of term {entry.term} cannot stand behind one of term {before}")
            if entry.index <= self.last_index and entry.term == self.term_at(entry.index):
                raise StateError(f"entry {entry.index} of term {entry.term} is in the log already")
            before = entry.term
        if before > own_term:
            raise StateError(f"an entry of term {before} comes from a later term than the node's own, {own_term}")

    def _note(self, cut: int, base: EntryId, before: HardState, after_index: int, replaced: tuple[Entry, ...]) -> None:
        self._sequence += 1
        waiting = _Waiting(self._sequence, self.last_index, cut, base, before, after_index, replaced, self._synced_index)
        self._waiting.append(waiting)
        if cut < self.durable_index:
            self.durable_index = LogIndex(cut)

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """In one durable step: forget all entries; the next one follows `last`."""
        replaced, base, before = tuple(self._entries), self._base, self.hard_state
        self._entries.clear()
        self._base, self.hard_state = last, hard_state
        self.first_index, self.last_index = LogIndex(last.index + 1), last.index
        self._note(_RESET, base, before, base.index, replaced)
        self.medium.waiting.append(Group(self._sequence, last.index, (), hard_state, last))
        return Appended((), (), self._sequence)

    def synced(self, sequence: int) -> None:
        """The appends up to this one are durable."""
        waiting = self._waiting
        while waiting and waiting[0].sequence <= sequence:
            self._synced_index = waiting.popleft().last_index
        self._measure()

    def _measure(self) -> None:
        self.durable_index = LogIndex(min([self._synced_index, *(append.cut for append in self._waiting)]))

    def abandon(self, sequence: int) -> None:
        """The newest append could not be carried out: the log is as it was before it. Raises: StateError for any other."""
        if not self._waiting or self._waiting[-1].sequence != sequence:
            raise StateError(f"append {sequence} cannot be taken back: it is not the newest, or it is durable")
        undone = self._waiting.pop()
        if undone.cut == _RESET:
            self._base, self.first_index = undone.base, LogIndex(undone.base.index + 1)
            self._entries = list(undone.replaced)
        else:
            del self._entries[undone.after_index + 1 - self.first_index :]
            self._entries += undone.replaced
        self.last_index, self.hard_state = LogIndex(self._base.index + len(self._entries)), undone.hard_state
        self._measure()
        if self.medium.waiting and self.medium.waiting[-1].sequence == sequence:
            self.medium.waiting.pop()

    def drop_before(self, index: LogIndex) -> Plan:
        """Forget entries below `index`; nothing while an append waits that supersedes some, or the newest are not durable."""
        index = LogIndex(min(index, self.durable_index + 1))
        if index <= self.first_index or any(append.cut < _NO_CUT for append in self._waiting):
            return ()
        term = self.term_at(LogIndex(index - 1)) or Term(0)
        del self._entries[: index - self.first_index]
        self._base, self.first_index = EntryId(term, LogIndex(index - 1)), index
        return (Remove(f"entries below {index}"),)
