"""What lies where in the segments of a simulated disk, and what would survive: the facts behind the drawing."""

from dataclasses import dataclass
from enum import Enum

from mq.broker.store.record import (
    GROUP_HEADER_BYTES,
    GROUP_MAGIC,
    HARD_STATE_KIND,
    PLACE_KIND,
    SEGMENT_HEADER_BYTES,
    decode_group_header,
    decode_segment_header,
    records_of,
)
from mq.broker.store.segment import segment_base
from mq.core.errors import FormatError
from mq.sim.disk import SimDisk, SimFile

__all__ = ["Box", "Condition", "SegmentLayout", "layout_of"]


class Condition(Enum):
    """What is to be said of some bytes; the value is what the legend says."""

    DURABLE = "durable: survives a power loss"
    UNSYNCED = "written, not synced: may be lost"
    TORN = "torn: part of a write that was never synced"
    DAMAGED = "damaged: was synced, is not what was written"


@dataclass(frozen=True, slots=True)
class Box:
    """Bytes that belong together. kind: "segment" (its header), "group", "mark", "end", "record", "state" or "rest".

    label: of a record "index·term", of a hard state "term t, vote v".
    """

    kind: str
    at: int
    size_bytes: int
    condition: Condition
    label: str = ""


@dataclass(frozen=True, slots=True)
class SegmentLayout:
    """One segment. unsynced: runs (at, size) of bytes that would not surely survive.

    durable_end: byte in this segment below which everything was synced, as far as the log itself tells; None = elsewhere.
    """

    file: str
    base_position: int
    size_bytes: int
    boxes: tuple[Box, ...]
    unsynced: tuple[tuple[int, int], ...]
    durable_end: int | None
    end: int


def layout_of(disk: SimDisk) -> list[SegmentLayout]:
    """The segments in order; what no power loss brought to light is taken as it stands in the files."""
    bases = sorted((base, file) for file in disk.files() if (base := segment_base(file)) is not None)
    contents = {base: bytes(disk.names[file].content) for base, file in bases}
    proven = max((_proven_end(file, contents[base], base) for base, file in bases), default=0)
    return [_segment(file, base, contents[base], disk.names[file], proven) for base, file in bases]


def _proven_end(file: str, data: bytes, base: int) -> int:
    """The highest durable end that any whole header in a segment tells of."""
    best, at = 0, data.find(GROUP_MAGIC)
    header = decode_segment_header(file, data)
    if header is not None:
        best = header.durable_end
    while at >= 0:
        group = _group_at(file, data, at)
        if group is not None and group[0] == base + at:
            best = max(best, group[1])
        at = data.find(GROUP_MAGIC, at + 1)
    return best


def _group_at(file: str, data: bytes, at: int) -> tuple[int, int] | None:
    try:
        header = decode_group_header(file, data, at)
    except FormatError:
        return None
    return None if header is None else (header.position, header.durable_end)


def _segment(file: str, base: int, data: bytes, found: SimFile, proven: int) -> SegmentLayout:
    unsynced = _runs(found)
    boxes: list[Box] = []
    at, end = 0, len(data.rstrip(b"\0"))
    if decode_segment_header(file, data) is not None:
        boxes.append(Box("segment", 0, SEGMENT_HEADER_BYTES, _condition(0, SEGMENT_HEADER_BYTES, unsynced)))
        at = SEGMENT_HEADER_BYTES
    while at < end:
        group = _boxes_of_group(file, base, data, at, unsynced)
        if group is not None and boxes:
            boxes += group
            at += _group_bytes(file, data, at)
            continue
        # No whole group: up to the next one, if there is one, it is damage or a torn write.
        behind = _next_group(file, base, data, at + 1) if proven > base + at else end
        boxes.append(Box("rest", at, behind - at, Condition.DAMAGED if proven > base + at else Condition.TORN))
        at = behind
    durable_end = proven - base if base < proven <= base + len(data) else None
    return SegmentLayout(file, base, len(data), tuple(boxes), unsynced, durable_end, max(end, at))


def _next_group(file: str, base: int, data: bytes, at: int) -> int:
    """Where the next whole group begins, else behind the last byte that is not zero."""
    at = data.find(GROUP_MAGIC, at)
    while at >= 0:
        if _boxes_of_group(file, base, data, at, ()) is not None:
            return at
        at = data.find(GROUP_MAGIC, at + 1)
    return len(data.rstrip(b"\0"))


def _group_bytes(file: str, data: bytes, at: int) -> int:
    header = decode_group_header(file, data, at)
    return 0 if header is None else header.size_bytes


def _boxes_of_group(file: str, base: int, data: bytes, at: int, unsynced: tuple[tuple[int, int], ...]) -> list[Box] | None:
    """The boxes of a whole group; None when none stands here."""
    header = decode_group_header(file, data, at)
    if header is None or header.position != base + at:
        return None
    records = records_of(data, at, header)
    if records is None:
        return None
    condition = _condition(at, header.size_bytes, unsynced)
    kind = "end" if header.is_end_of_segment else "group" if header.record_count else "mark"
    boxes = [Box(kind, at, GROUP_HEADER_BYTES, condition)]
    for record in records:
        label = f"term {record.term}" if record.kind == HARD_STATE_KIND else f"{record.index}·{record.term}"
        is_entry = record.kind not in (HARD_STATE_KIND, PLACE_KIND)
        boxes.append(Box("state" if not is_entry else "record", record.at, record.size_bytes, condition, label))
    return boxes


def _condition(at: int, size_bytes: int, unsynced: tuple[tuple[int, int], ...]) -> Condition:
    is_safe = all(begin + size <= at or begin >= at + size_bytes for begin, size in unsynced)
    return Condition.DURABLE if is_safe else Condition.UNSYNCED


def _runs(found: SimFile) -> tuple[tuple[int, int], ...]:
    """Runs of bytes that were written and not synced, merged."""
    runs: list[tuple[int, int]] = []
    for _, at, data in sorted(found.pieces(), key=lambda piece: piece.at):
        if runs and at <= runs[-1][0] + runs[-1][1]:
            begin, size = runs[-1]
            runs[-1] = (begin, max(size, at + len(data) - begin))
        else:
            runs.append((at, len(data)))
    return tuple(runs)
