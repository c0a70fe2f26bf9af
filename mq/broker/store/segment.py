"""The files of the commit log: one of them, and all in their order."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from mq.broker.store.log_view import SegmentView
from mq.broker.store.record import GROUP_HEADER_BYTES, SEGMENT_HEADER_BYTES
from mq.core.errors import StateError

__all__ = ["Segment", "SegmentList", "segment_base", "segment_file"]

_FOLDER, _SUFFIX = "log/", ".log"


@lru_cache(maxsize=1024)
def segment_file(base_position: int) -> str:
    """The name of the segment that begins at a position."""
    return f"{_FOLDER}{base_position:020d}{_SUFFIX}"


def segment_base(file: str) -> int | None:
    """The position that a segment's name says; None for another file."""
    name = file.removeprefix(_FOLDER).removesuffix(_SUFFIX)
    return int(name) if len(name) == 20 and name.isascii() and name.isdigit() and segment_file(int(name)) == file else None


@dataclass(slots=True)
class Segment:
    """next_index: of the lowest entry that came or would come into it. end_position: behind its last group.

    unmapped_end: below this position the log's map does not know its inside, since recovery began behind it.
    """

    base_position: int
    size_bytes: int
    next_index: int
    end_position: int
    unmapped_end: int = 0

    @property
    def file(self) -> str:
        """Its name."""
        return segment_file(self.base_position)

    @property
    def first_group_position(self) -> int:
        """Behind the segment's header."""
        return self.base_position + SEGMENT_HEADER_BYTES

    @property
    def next_base(self) -> int:
        """Where the segment behind it begins."""
        return self.base_position + self.size_bytes

    def has_room(self, group_bytes: int) -> bool:
        """Whether a group fits, and behind it the one that says that the segment ends, and a mark."""
        return self.end_position + group_bytes + 2 * GROUP_HEADER_BYTES <= self.next_base


class SegmentList:
    """The segments, the oldest first. Each begins where the one before it ends."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []

    def __len__(self) -> int:
        return len(self._segments)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    def __getitem__(self, number: int) -> Segment:
        return self._segments[number]

    def add(self, segment: Segment) -> None:
        """A new newest one. Raises: StateError when it does not follow the last one."""
        if self._segments and self._segments[-1].next_base != segment.base_position:
            raise StateError(f"{segment.file} does not follow {self._segments[-1].file}")
        self._segments.append(segment)

    def take_last(self) -> Segment:
        """Take the newest one away."""
        return self._segments.pop()

    def take_first(self) -> Segment:
        """Take the oldest one away."""
        return self._segments.pop(0)

    @property
    def first_position(self) -> int:
        """Where the oldest segment begins; 0 without one."""
        return self._segments[0].base_position if self._segments else 0

    @property
    def end_position(self) -> int:
        """Behind the last group; 0 without a segment."""
        return self._segments[-1].end_position if self._segments else 0

    def number_of(self, position: int) -> int | None:
        """Number of the segment that holds a position, or None."""
        number = bisect_right(self._segments, position, key=lambda segment: segment.base_position) - 1
        return number if number >= 0 and position < self._segments[number].next_base else None

    def at(self, position: int) -> Segment:
        """The segment that holds a position. Raises: StateError."""
        number = self.number_of(position)
        if number is None:
            raise StateError(f"position {position} is not in the log: it begins at {self.first_position}")
        return self._segments[number]

    def lower(self, index: int, upto: Segment) -> Mapping[int, int]:
        """The segments up to one now hold or begin with nothing higher than `index`.

        Returns what their next_index was, by base position, as far as it was changed.
        """
        before = {}
        for segment in self._segments:
            if segment.base_position <= upto.base_position and segment.next_index > index:
                before[segment.base_position] = segment.next_index
                segment.next_index = index
        return before

    def restore(self, before: Mapping[int, int]) -> None:
        """Take a `lower` back."""
        for segment in self._segments:
            segment.next_index = before.get(segment.base_position, segment.next_index)

    def views(self, last_index: int) -> tuple[SegmentView, ...]:
        """What people and hosts may see of them. last_index: of the log."""
        views, last = [], last_index
        for number in reversed(range(len(self._segments))):
            s = self._segments[number]
            is_sealed, written_bytes = number + 1 < len(self._segments), s.end_position - s.base_position
            views.append(SegmentView(s.file, s.base_position, s.size_bytes, s.next_index, last, is_sealed, written_bytes))
            last = min(last, s.next_index - 1)
        return tuple(reversed(views))
