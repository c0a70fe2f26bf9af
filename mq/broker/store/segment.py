"""One file of the commit log."""

from dataclasses import dataclass, replace

from mq.broker.store.record import GROUP_HEADER_BYTES, SEGMENT_HEADER_BYTES

__all__ = ["Segment", "segment_base", "segment_file"]

_FOLDER, _SUFFIX = "log/", ".log"


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

    is_mapped: whether the log's map knows its inside; it does not where recovery began behind it.
    """

    base_position: int
    size_bytes: int
    next_index: int
    end_position: int
    is_mapped: bool = True

    @property
    def file(self) -> str:
        """Its name."""
        return segment_file(self.base_position)

    @property
    def first_group_position(self) -> int:
        """Behind the segment's header."""
        return self.base_position + SEGMENT_HEADER_BYTES

    def has_room(self, group_bytes: int) -> bool:
        """Whether a group fits, and behind it the one that says that the segment ends, and a mark."""
        return self.end_position + group_bytes + 2 * GROUP_HEADER_BYTES <= self.base_position + self.size_bytes

    def copy(self) -> "Segment":
        """An independent copy."""
        return replace(self)
