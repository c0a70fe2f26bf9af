"""The first step of opening a log: which segment files are there, and do they follow each other?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mq.broker.store.record import SEGMENT_HEADER_BYTES, SegmentHeader, decode_segment_header
from mq.broker.store.segment import Segment, segment_base, segment_file
from mq.broker.store.tail import read_rest
from mq.core.ports import Read, Steps

__all__ = ["Flaw", "Survey", "survey_segments"]


class Flaw(NamedTuple):
    """A place where files do not hold what was synced. resumes_at: where whole groups go on, or None."""

    file: str
    at: int
    position: int
    reason: str
    resumes_at: int | None = None


@dataclass(slots=True)
class Survey:
    """Segments with their headers, from the newest reset on, up to the first flaw.

    forgotten: files of segments before that reset.
    half_made: a file that was being made when the crash came, and the end of what is in it.
    is_followed: whether a further file proves that the last one of `segments` was full and synced.
    """

    segments: list[tuple[Segment, SegmentHeader]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    flaw: Flaw | None = None
    half_made: tuple[str, int] | None = None
    is_followed: bool = False
    read_bytes: int = 0


def survey_segments(files: Mapping[str, int]) -> Steps[Survey]:
    """Read every segment's header. Raises: FormatError."""
    found = Survey()
    headers: dict[int, SegmentHeader | None] = {}
    for base in sorted(base for file in files if (base := segment_base(file)) is not None):
        data = yield Read(segment_file(base), 0, SEGMENT_HEADER_BYTES)
        found.read_bytes += len(data)
        header = headers[base] = decode_segment_header(segment_file(base), data)
        if header is not None and header.is_reset and header.base_position == base:
            # It was written when all before it was given up: that may be there in part, or damaged, and counts no more.
            found.forgotten += [segment_file(before) for before in headers if before < base]
            headers = {base: header}
    bases = list(headers)
    expected: int | None = None
    for base, header in headers.items():
        file = segment_file(base)
        if header is None:
            is_next = base == bases[-1] and base == (expected or 0)
            yield from _judge_header(found, file, files[file], is_next=is_next)
        elif header.base_position != base:
            found.flaw = Flaw(file, 0, base, f"the header says that the segment begins at {header.base_position}")
        elif expected is not None and base != expected:
            before = segment_file(found.segments[-1][0].base_position)
            missing = f"the segment is missing: {before} ends there and {file} follows"
            found.flaw = Flaw(segment_file(expected), 0, expected, missing, base + SEGMENT_HEADER_BYTES)
        if header is None or found.flaw is not None:
            found.is_followed = found.flaw is not None and bool(found.segments)
            return found
        found.segments.append((Segment(base, header.size_bytes, header.next_index, base + header.size_bytes), header))
        expected = base + header.size_bytes
        if files[file] < header.size_bytes:
            reason = f"the file has {files[file]} bytes, it was made with {header.size_bytes}"
            found.is_followed = base != bases[-1]
            resumes_at = expected + SEGMENT_HEADER_BYTES if found.is_followed else None
            found.flaw = Flaw(file, files[file], base + files[file], reason, resumes_at)
            return found
    return found


def _judge_header(found: Survey, file: str, size_bytes: int, *, is_next: bool) -> Steps[None]:
    """A file has no whole header: was it being made, or is it damaged?

    A header is written when the file has its full size, and it is synced before any group is written behind it.
    is_next: nothing follows it, and it begins where all others end; else it was not made last.
    """
    base = segment_base(file) or 0
    rest = yield from read_rest(file, base, 0, size_bytes)
    found.read_bytes += rest.read_bytes
    is_cut_short = 0 < size_bytes < SEGMENT_HEADER_BYTES
    if is_next and rest.next_group is None and not is_cut_short:
        found.half_made = (file, rest.end)
    else:
        found.flaw = Flaw(file, 0, base, "the segment's header is damaged", rest.next_group)
