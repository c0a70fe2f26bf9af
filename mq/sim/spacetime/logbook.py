"""The log of one node as its trace tells it, with what a power loss takes out of it again.

Between an append and its "save" both are possible after a power loss: the log as it was and as it is now. So versions
are kept until a later one is durable, and the "start" says which of them the node found. Paper: Raft, figure 6.
"""

from typing import NamedTuple

__all__ = ["CELLS_MAX", "Cell", "LogBook", "Strip"]

CELLS_MAX = 40
"""Cells of a strip at most: the newest ones."""


class Cell(NamedTuple):
    """One entry. term 0: not known, since the trace begins later. is_committed: as far as this node knows."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    term: int
    is_committed: bool
    is_durable: bool


class Strip(NamedTuple):
    """A log at one moment. before_index: of the entry before the first cell, which a snapshot stands for; 0 when there is none.

    struck: cells that were just superseded. new_from: the first index that was just written.
    """

    before_index: int
    cells: tuple[Cell, ...]
    struck: tuple[Cell, ...]
    new_from: int


class _Version(NamedTuple):
    """A log. touched: the first index that the append which led to it wrote."""

    sequence: int
    first: int
    terms: tuple[int, ...]
    touched: int

    @property
    def last(self) -> int:
        return self.first + len(self.terms) - 1


class LogBook:
    """One node's log: the newest version that is durable, and those after it."""

    def __init__(self) -> None:
        self._versions = [_Version(0, 1, (), 1)]
        self.commit_index = 0

    @property
    def last_index(self) -> int:
        """Of the newest entry."""
        return self._versions[-1].last

    def term_at(self, index: int) -> int:
        """Of an entry; 0 where it is not known."""
        now = self._versions[-1]
        return now.terms[index - now.first] if now.first <= index <= now.last else 0

    def append(self, after: int, terms: tuple[int, ...], sequence: int) -> tuple[Cell, ...]:
        """Put entries behind an index; none when only term and vote are saved. Returns the cells that this supersedes."""
        now = self._versions[-1]
        if not terms:
            self._versions.append(now._replace(sequence=sequence, touched=now.last + 1))
            return ()
        struck = tuple(self._cell(index) for index in range(max(after + 1, now.first), now.last + 1))
        if now.first - 1 <= after <= now.last:
            first, kept = now.first, now.terms[: after + 1 - now.first]
        else:
            first, kept = after + 1, ()  # the trace begins later than this log
        self._versions.append(_Version(sequence, first, kept + terms, after + 1))
        return struck

    def saved(self, sequence: int) -> None:
        """Appends up to this one are durable."""
        older = [version for version in self._versions if version.sequence <= sequence]
        self._versions = [*older[-1:], *(version for version in self._versions if version.sequence > sequence)]

    def abandoned(self, sequence: int) -> None:
        """An append was not carried out: the log is as before it."""
        self._versions = [version for version in self._versions if version.sequence < sequence] or self._versions[:1]

    def started(self, first: int, last: int, last_term: int) -> None:
        """The node found this log when it started: one of the versions, or one that the trace does not tell."""
        fitting = [version for version in self._versions if version.last == last]
        fitting = [version for version in fitting if not version.terms or version.terms[-1] == last_term]
        terms = fitting[-1].terms[max(0, first - fitting[-1].first) :] if fitting else ()
        if len(terms) != last - first + 1:
            terms = (*([0] * (last - first)), last_term) if last >= first else ()
        self._versions = [_Version(0, first, terms, last + 1)]
        self.commit_index = first - 1

    def installed(self, index: int) -> None:
        """A snapshot took the place of the log."""
        self.commit_index = max(self.commit_index, index)
        self._versions.append(_Version(self._versions[-1].sequence, index + 1, (), index + 1))

    def forgotten(self, first: int) -> None:
        """The log begins here from now on."""
        self._versions = [
            version._replace(first=max(first, version.first), terms=version.terms[max(0, first - version.first) :])
            for version in self._versions
        ]

    def _cell(self, index: int) -> Cell:
        now = self._versions[-1]
        unsaved_from = min((version.touched for version in self._versions[1:]), default=now.last + 1)
        return Cell(index, now.terms[index - now.first], index <= self.commit_index, index < unsaved_from)

    def strip(self, struck: tuple[Cell, ...] = (), new_from: int | None = None) -> Strip:
        """The log as it is now, or its newest entries."""
        now = self._versions[-1]
        indexes = range(max(now.first, now.last - CELLS_MAX + 1), now.last + 1)
        cells = tuple(self._cell(index) for index in indexes)
        return Strip(now.first - 1, cells, struck, now.last + 1 if new_from is None else new_from)
