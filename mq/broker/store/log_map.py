"""Where entries lie: a sparse table from log index to position, and the terms in runs.

One point for about every 64 KiB of log, one at the head of each segment, and one wherever entries were
superseded. A point is the start of a group and the index of its first entry; what it says holds up to the next
point, so superseded groups that lie in between physically are never read into.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from mq.core.errors import StateError

__all__ = ["LogMap", "MapTail", "Runs"]

_SPACING_BYTES = 64 << 10
Runs = tuple[tuple[int, int], ...]
"""(first index, term) of each run of entries with one term."""


class MapTail(NamedTuple):
    """All that a map says of an index and what comes behind it."""

    index: int  # type: ignore[assignment] # nobody looks for a value in this tuple, as tuple.index does
    points: tuple[tuple[int, int], ...]
    runs: Runs


class LogMap:
    """Invariants: indexes and positions of the points both rise; first indexes of the runs rise."""

    def __init__(self) -> None:
        self._indexes = array("Q")
        self._positions = array("Q")
        self._run_indexes: list[int] = []
        self._run_terms: list[int] = []

    # --- what is there

    @property
    def runs(self) -> Runs:
        """(first index, term) of each run of entries with one term."""
        return tuple(zip(self._run_indexes, self._run_terms, strict=True))

    @property
    def points(self) -> tuple[tuple[int, int], ...]:
        """(index, position) of each point."""
        return tuple(zip(self._indexes, self._positions, strict=True))

    def term_at(self, index: int) -> int | None:
        """The term of an entry; None when it is before the first run."""
        at = bisect_right(self._run_indexes, index) - 1
        return self._run_terms[at] if at >= 0 else None

    def find(self, index: int) -> tuple[int, int | None]:
        """(position of a group at or before the entry, index up to which that way leads; None = to the end)."""
        at = max(0, bisect_right(self._indexes, index) - 1)
        upto = self._indexes[at + 1] - 1 if at + 1 < len(self._indexes) else None
        return self._positions[at], upto

    def tail(self, index: int) -> MapTail:
        """What `cut` would take away."""
        at, run = bisect_left(self._indexes, index), bisect_left(self._run_indexes, index)
        points = tuple(zip(self._indexes[at:], self._positions[at:], strict=True))
        return MapTail(index, points, tuple(zip(self._run_indexes[run:], self._run_terms[run:], strict=True)))

    # --- changing

    def add_group(self, first_index: int, position: int, *, segment_position: int, is_superseding: bool = False) -> None:
        """A group with entries from `first_index` on was written behind all others.

        segment_position: where its segment begins; the first entries of each segment are a point.
        """
        last = self._positions[-1] if self._positions else -1
        if is_superseding or last < segment_position or position - last >= _SPACING_BYTES:
            self._indexes.append(first_index)
            self._positions.append(position)

    def add_term(self, index: int, term: int) -> None:
        """Entries from `index` on have this term."""
        if not self._run_terms or self._run_terms[-1] != term:
            self._run_indexes.append(index)
            self._run_terms.append(term)

    def cut(self, index: int) -> None:
        """Entries from `index` on are gone."""
        at, run = bisect_left(self._indexes, index), bisect_left(self._run_indexes, index)
        del self._indexes[at:], self._positions[at:]
        del self._run_indexes[run:], self._run_terms[run:]

    def put_back(self, tail: MapTail) -> None:
        """What the map says from an index on is what it said when the tail was taken."""
        self.cut(tail.index)
        self.extend(tail.points, tail.runs)

    def extend(self, points: Iterable[tuple[int, int]], runs: Iterable[tuple[int, int]] = ()) -> None:
        """More points, (index, position), and runs, (first index, term), behind all others."""
        for index, position in points:
            self._indexes.append(index)
            self._positions.append(position)
        for index, term in runs:
            self._run_indexes.append(index)
            self._run_terms.append(term)

    def drop_before(self, index: int, position: int) -> None:
        """The log now begins at this entry, which is the first of the segment at `position`.

        The term of the entry before it is kept: a Raft leader sends it along with the first one.
        """
        at = bisect_left(self._positions, position)
        del self._indexes[:at], self._positions[:at]
        run = bisect_right(self._run_indexes, index - 1) - 1
        if run >= 0:
            del self._run_indexes[:run], self._run_terms[:run]
            self._run_indexes[0] = index - 1

    def learn(self, first_position: int, end_position: int, points: Sequence[tuple[int, int]]) -> None:
        """These are the points of this part of the log, but for those whose entries a later part superseded."""
        low, high = bisect_left(self._positions, first_position), bisect_left(self._positions, end_position)
        limit = self._indexes[high] if high < len(self._indexes) else None
        kept = [(index, position) for index, position in points if limit is None or index < limit]
        self._indexes[low:high] = array("Q", (index for index, _ in kept))
        self._positions[low:high] = array("Q", (position for _, position in kept))

    def check(self) -> None:
        """Raises: StateError when an invariant is broken."""
        for rising in (self._indexes, self._positions, self._run_indexes):
            if any(a >= b for a, b in pairwise(rising)):
                raise StateError("the map of the log is out of order")
