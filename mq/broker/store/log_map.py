"""Where entries lie: a sparse table from log index to position, and the terms in runs.

One point for about every 64 KiB of log, one at the head of each segment, and one wherever entries were
superseded. A point is the start of a group and the index of its first entry; what it says holds up to the next
point, so superseded groups that lie in between physically are never read into.
"""

from array import array
from bisect import bisect_left, bisect_right

__all__ = ["LogMap"]

_SPACING_BYTES = 64 << 10


class LogMap:
    """Invariants: indexes and positions of the points both rise; run terms and first indexes rise."""

    def __init__(self) -> None:
        self.indexes = array("Q")
        self.positions = array("Q")
        self.run_indexes: list[int] = []
        self.run_terms: list[int] = []
        self._was_cut = False

    def copy(self) -> "LogMap":
        """An independent copy."""
        other = LogMap()
        other.indexes, other.positions = self.indexes[:], self.positions[:]
        other.run_indexes, other.run_terms = self.run_indexes[:], self.run_terms[:]
        other._was_cut = self._was_cut
        return other

    def add_group(self, first_index: int, position: int, *, is_segment_head: bool) -> None:
        """A group with entries from `first_index` on was written; entries from there on, if any, are superseded."""
        self.cut(first_index)
        if is_segment_head or not self.positions or position - self.positions[-1] >= _SPACING_BYTES or self._was_cut:
            self.indexes.append(first_index)
            self.positions.append(position)
            self._was_cut = False

    def cut(self, index: int, *, is_supersede: bool = False) -> None:
        """Entries from `index` on are gone."""
        at = bisect_left(self.indexes, index)
        if at < len(self.indexes) or is_supersede:
            self._was_cut = True
        del self.indexes[at:]
        del self.positions[at:]
        while self.run_indexes and self.run_indexes[-1] >= index:
            self.run_indexes.pop()
            self.run_terms.pop()

    def add_term(self, index: int, term: int) -> None:
        """The entry at `index` has this term."""
        if not self.run_terms or self.run_terms[-1] != term:
            self.run_indexes.append(index)
            self.run_terms.append(term)

    def term_at(self, index: int) -> int | None:
        """The term of an entry; None when it is before the first run."""
        at = bisect_right(self.run_indexes, index) - 1
        return self.run_terms[at] if at >= 0 else None

    def find(self, index: int) -> tuple[int, int | None]:
        """(position of a group at or before the entry, index up to which that way leads; None = to the end)."""
        at = max(0, bisect_right(self.indexes, index) - 1)
        upto = self.indexes[at + 1] - 1 if at + 1 < len(self.indexes) else None
        return self.positions[at], upto

    def drop_before(self, index: int, position: int) -> None:
        """The log now begins at this entry, which is the first of the segment at `position`."""
        at = bisect_left(self.positions, position)
        del self.indexes[:at]
        del self.positions[:at]
        term = self.term_at(index - 1)
        while len(self.run_indexes) > 1 and self.run_indexes[1] <= index - 1:
            del self.run_indexes[0], self.run_terms[0]
        if self.run_indexes and term is not None and self.run_indexes[0] < index - 1:
            self.run_indexes[0] = index - 1

    def replace(self, first_position: int, end_position: int, points: list[tuple[int, int]]) -> None:
        """These are the points of this part of the log, but for those whose entries a later part superseded."""
        low, high = bisect_left(self.positions, first_position), bisect_left(self.positions, end_position)
        limit = self.indexes[high] if high < len(self.indexes) else None
        kept = [(index, position) for index, position in points if limit is None or index < limit]
        self.indexes[low:high] = array("Q", (index for index, _ in kept))
        self.positions[low:high] = array("Q", (position for _, position in kept))
