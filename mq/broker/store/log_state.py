"""What a commit log knows of itself in memory; the same for the log that is written and the one that is recovered."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mq.broker.store.log_map import LogMap
from mq.broker.store.log_view import Damage
from mq.broker.store.segment import Segment, SegmentList
from mq.core.entry import HardState
from mq.core.errors import StateError
from mq.core.ids import CommitLogPosition, EntryId, LogIndex, Term

__all__ = ["Forgotten", "LogState"]


class Forgotten(NamedTuple):
    """What a log was before all its entries were forgotten."""

    segments: SegmentList
    map: LogMap
    first_index: LogIndex


class LogState:
    """Segments, map, and the ends of the log.

    synced_index: last_index as it was behind the newest append that is durable.
    superseded_count: how often entries were superseded or forgotten.
    durable_end: position below which everything is synced. noted_end: the durable end that the newest group tells of.
    """

    def __init__(self) -> None:
        self.segments = SegmentList()
        self.map = LogMap()
        self.first_index, self.last_index = LogIndex(1), LogIndex(0)
        self.synced_index = LogIndex(0)
        self.superseded_count = 0
        self.durable_end = CommitLogPosition(0)
        self.noted_end = 0
        self.hard_state = HardState(Term(0), None)
        self.damage: tuple[Damage, ...] = ()

    def term_at(self, index: int) -> int | None:
        """The term of an entry or of the one before the first; None for what is not there."""
        if index == 0:
            return 0 if self.first_index == 1 else None  # as of any other entry that is not kept
        return self.map.term_at(index) if self.first_index - 1 <= index <= self.last_index else None

    def locate(self, index: int) -> tuple[int, int | None]:
        """See `LogMap.find`. Raises: StateError when the entry is not kept any more."""
        if index < self.first_index:
            raise StateError(f"entry {index} is not kept any more: the log begins at {self.first_index}")
        return self.map.find(index)

    def enter(
        self, entries: Sequence[tuple[int, int]], position: int, segment: Segment, before: EntryId | None = None
    ) -> Mapping[int, int]:
        """A group with these entries, (index, term), stands at a position, behind all others.

        What had the same or a higher index is superseded, whatever its term: the position decides. before: the entry that they
        stand behind, if it is not known otherwise. Returns what `SegmentList.restore` needs to take that back.
        """
        first, lowered = entries[0][0], dict[int, int]()
        is_supersede = first <= self.last_index
        if is_supersede:
            self.superseded_count += 1
            self.map.cut(first)
            lowered = dict(self.segments.lower(first, segment))
            if before is not None and before.index and self.map.term_at(before.index) is None:
                self.map.add_term(before.index, before.term)
        self.map.add_group(first, position, segment_position=segment.base_position, is_superseding=is_supersede)
        if entries[0][1] == entries[-1][1]:
            self.map.add_term(first, entries[0][1])
        else:
            for index, term in entries:
                self.map.add_term(index, term)
        self.last_index = LogIndex(entries[-1][0])
        return lowered

    def start_behind(self, last: EntryId, hard_state: HardState, segment: Segment) -> Forgotten:
        """Forget all entries: the log begins in this segment, behind `last`. Returns what `take_up` needs to undo that."""
        forgotten = Forgotten(self.segments, self.map, self.first_index)
        self.segments, self.map = SegmentList(), LogMap()
        self.segments.add(segment)
        if last.index:
            self.map.add_term(last.index, last.term)
        self.first_index, self.last_index = LogIndex(last.index + 1), last.index
        self.hard_state = hard_state
        self.superseded_count += 1
        return forgotten

    def take_up(self, forgotten: Forgotten) -> None:
        """The entries were not forgotten after all."""
        self.segments, self.map, self.first_index = forgotten
        self.superseded_count += 1

    def what_does_not_fit(
        self, entries: Sequence[tuple[int, int]], hard_state: HardState | None, before: EntryId | None = None
    ) -> str | None:
        """Why entries, (index, term), cannot stand behind what the log holds or supersede it; None when they can.

        hard_state: that comes together with them, if any. before: the entry they are said to stand behind, if it is said.

        Paper: Raft, sections 5.1 and 5.3: indexes are dense, terms never fall along the log, none is above the node's own, and
        one entry is never replaced by itself. Figure 8: an entry may well take the place of one of a *higher* term.
        """
        index, term = entries[0]
        if not self.first_index <= index <= self.last_index + 1:
            return f"entry {index} cannot be appended: the log holds {self.first_index} to {self.last_index}"
        before_index, before_term = index - 1, self.term_at(index - 1)
        if before is not None and (before.index != before_index or before_term not in (None, before.term)):
            return f"entry {index} is said to stand behind {before.index} of term {before.term}, not of term {before_term}"
        before_term = before_term or (before.term if before is not None else 0)
        for index, term in entries:
            if index != before_index + 1 or term < before_term:
                return f"entry {index} of term {term} cannot stand behind {before_index} of term {before_term}"
            if index <= self.last_index and term == self.term_at(index):
                return f"entry {index} of term {term} is in the log already"
            before_index, before_term = index, term
        own_term = (hard_state or self.hard_state).term
        if term > own_term > 0:
            return f"entry {index} of term {term} comes from a later term than the node's own, {own_term}"
        return None

    def check(self) -> None:
        """Raises: StateError when an invariant is broken."""
        indexes = [segment.next_index for segment in self.segments]
        if indexes != sorted(indexes):
            raise StateError("the segments' first entries are out of order")
        if not self.first_index - 1 <= self.last_index or self.durable_end > self.segments.end_position:
            raise StateError("the ends of the log are out of order")
        if self.segments and self.segments[0].next_index != self.first_index:
            raise StateError(f"the log begins at {self.first_index}, its first segment at {self.segments[0].next_index}")
        self.map.check()
