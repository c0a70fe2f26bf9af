"""What a trace tells about one node: its term, vote and role, its log with what is durable of it, how far it is.

Built from the lines alone, so that real nodes can be judged by it. Paper: Raft, figure 2, "State".
"""

from copy import copy
from typing import NamedTuple

__all__ = ["Book", "Slot", "split"]


def split(value: int | str) -> tuple[str, ...]:
    """A list such as `3,3,4`; `-` when it is empty."""
    return () if value == "-" else tuple(str(value).split(","))


class Slot(NamedTuple):
    """An entry of a log, as traces tell of it."""

    term: int
    body: str


class _Undo(NamedTuple):
    """An append that is not durable, and what it took out of the log. is_kept: it holds no entries."""

    sequence: int
    after: int
    removed: dict[int, Slot]
    last: int
    is_kept: bool


class Book:
    """last: index of the newest entry. base: (index, term or None) of what a snapshot stands for.

    votes: of this life, by term; what was not saved is forgotten by a crash. saved_term, saved_vote, saved_last: as the disk has
    them. spoken: the highest term of a message. is_known: a start was seen. installed: the index of the newest snapshot that took
    the place of the log, in this life.
    """

    def __init__(self, node: str) -> None:
        self.node = node
        self.is_known = False
        self.term, self.role, self.leader = 0, "follower", "-"
        self.votes: dict[int, str] = {}
        self.saved_term, self.saved_vote, self.saved_sequence, self.saved_last = 0, "-", 0, 0
        self.spoken = self.commit = self.applied = 0
        self.slots: dict[int, Slot] = {}
        self.base: tuple[int, int | None] = (0, 0)
        self.last = self.installed = 0
        self._before: Book | None = None  # as the disk has the log, until it has the one behind a snapshot
        self._reset_sequence = 0  # of the save that brings that
        self._undo: list[_Undo] = []
        self.members: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def term_at(self, index: int) -> int | None:
        """None when it is not there, or not known."""
        if index == self.base[0]:
            return self.base[1]
        slot = self.slots.get(index)
        return None if slot is None else slot.term

    def disk_term_at(self, index: int) -> int | None:
        """As the disk has it, without what is not durable yet; None when it is not there, or not known."""
        if self._before is not None:
            return self._before.disk_term_at(index)
        if index > self.saved_last:
            return None
        for undo in self._undo:
            if not undo.is_kept and undo.after < index:
                slot = undo.removed.get(index)
                return None if slot is None else slot.term
        return self.term_at(index)

    def has_durable(self, index: int, term: int) -> bool:
        """Whether this entry is on the disk, itself or in a snapshot that the log there begins behind."""
        if self._before is not None:
            return self._before.has_durable(index, term)
        if index < self.base[0]:
            return self.saved_last >= self.base[0]
        return self.disk_term_at(index) == term

    def append(self, after: int, terms: tuple[str, ...], bodies: tuple[str, ...], sequence: int) -> None:
        """Entries stand behind `after` now; without entries only term and vote are saved."""
        removed: dict[int, Slot] = {}
        last = self.last
        if terms:
            removed = {index: self.slots.pop(index) for index in range(after + 1, last + 1) if index in self.slots}
            for number, (term, body) in enumerate(zip(terms, bodies, strict=True), 1):
                self.slots[after + number] = Slot(int(term), body)
            self.last = after + len(terms)
        self._undo.append(_Undo(sequence, after, removed, last, not terms))

    def save(self, sequence: int, term: int, vote: str, durable: int) -> None:
        """Appends up to this one are durable."""
        if self._before is not None:
            if sequence < self._reset_sequence:
                self._before.save(sequence, term, vote, durable)
            else:
                self._before = None
        self._undo = [undo for undo in self._undo if undo.sequence > sequence]
        self.saved_sequence, self.saved_term, self.saved_vote, self.saved_last = sequence, term, vote, durable

    def take_back(self, sequence: int) -> None:
        """The newest append was not carried out."""
        if self._undo and self._undo[-1].sequence == sequence:
            self._take_back_newest()
            self.commit = min(self.commit, self.last)

    def _take_back_newest(self) -> None:
        undo = self._undo.pop()
        if not undo.is_kept:
            for index in range(undo.after + 1, self.last + 1):
                self.slots.pop(index, None)
            self.slots.update(undo.removed)
            self.last = undo.last

    def reset(self, index: int, term: int | None) -> None:
        """A snapshot takes the place of the log. On the disk it does so with the append that was told of just before."""
        if self._undo:
            self._before, self._reset_sequence = copy(self), self._undo[-1].sequence
        self.slots, self._undo = {}, [undo for undo in self._undo if undo.is_kept]
        self.base, self.last, self.saved_last, self.installed = (index, term), index, 0, index

    def forget(self, first: int) -> None:
        """The log begins here from now on."""
        if first - 1 > self.base[0]:
            self.base = (first - 1, self.term_at(first - 1))
        for index in [index for index in self.slots if index < first]:
            del self.slots[index]

    def restart(self, first: int, last_entry: tuple[int, int | None], snapshot: int) -> bool:
        """The node starts with a log that ends so. False when that is none of those which a crash may have left."""
        last, last_term = last_entry
        # A snapshot that came just before the crash may have taken the place of the log.
        is_behind = snapshot == last == first - 1 and (self.last < last or self.term_at(last) != last_term)
        is_found = not self.is_known or is_behind or self._find(last, last_term)
        self._undo, self._before, self.installed = [], None, 0
        if not self.is_known or is_behind or not is_found:
            self.slots.clear()
            self.base, self.last = (last, last_term), last
        self.forget(first)
        self.is_known = True
        self.role, self.leader = "follower", "-"
        self.votes.clear()
        self.commit = self.applied = snapshot
        self.saved_sequence, self.saved_last = 0, self.last
        return is_found

    def _find(self, last: int, last_term: int | None) -> bool:
        while (self.last, self.term_at(self.last)) != (last, last_term):
            if self.term_at(self.last) is None and self.last == last:
                return True
            if not self._undo:
                return False
            self._take_back_newest()
        return True
