"""What was on a log's disks when a promise broke: as lines for a terminal, as SVG for a page.

The newest segments are shown, and those that the failure names. A segment of a megabyte needs no more lines than a small one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import NamedTuple

from labs.grader.seams import Make
from labs.grader.strips import IN_PICTURES, legend, strips_of
from labs.grader.suite import Case, Check, PromiseBrokenError, Run
from mq.broker.store.segment import segment_base
from mq.sim.disk import SimDisk
from mq.sim.disk_layout import Box, Condition, SegmentLayout, layout_of

__all__ = ["TICKS_MAX", "DiskPicture", "pictured", "tick_step"]

TICKS_MAX = 12
_SEGMENTS_MAX, _BOXES_MAX = 3, 300
_WIDTH, _LEFT, _RIGHT = 1060, 16, 44
_HEADING, _NAME, _STRIP, _TICKS, _BETWEEN = 30, 16, 34, 18, 10
_TEXT, _FAINT, _FREE, _GRID = "#1d2a35", "#5a6874", "#eef1f4", "#c3cbd2"
_COLOURS = {
    Condition.DURABLE: ("#14495c", "#2a7f9e"),
    Condition.UNSYNCED: ("#a8650f", "#e9a13b"),
    Condition.TORN: ("#8f2434", "#d1495b"),
    Condition.DAMAGED: ("#38185a", "#5b2a86"),
}
"""Of headers, and of what stands behind them."""
_HATCHED = {Condition.TORN: "torn", Condition.DAMAGED: "damaged"}
_BORDERED = 3
_CHAR, _TURNED_CHAR = 7.4, 5.6


def tick_step(size_bytes: int) -> int:
    """A power of two, so that a strip of so many bytes has TICKS_MAX ticks at most."""
    step = 64
    while size_bytes // step + 1 > TICKS_MAX:
        step *= 2
    return step


@dataclass(frozen=True, slots=True)
class DiskPicture:
    """See `labs.grader.figure.Figure`. disks: (heading, disk); named: files that the failure is about."""

    disks: Sequence[tuple[str, SimDisk]]
    named: Sequence[str] = ()

    def lines(self) -> list[str]:
        """See `Figure`."""
        if not self.disks:
            return []
        found: list[str] = []
        for heading, disk in self.disks:
            layouts, hidden = self._shown(disk)
            kept = disk.copy()
            for file in disk.files().keys() - {one.file for one in layouts}:
                kept.names.pop(file)
            older = [f"  ({hidden} other segment(s) are not shown)"] if hidden else []
            found += [f"{heading}:", *older, *(f"  {line}" for line in strips_of(kept)), ""]
        return [*found, *legend().split("\n")]

    def _shown(self, disk: SimDisk) -> tuple[list[SegmentLayout], int]:
        """The segments that are drawn, and how many are not."""
        layouts = layout_of(disk)
        older = [one for one in layouts[:-_SEGMENTS_MAX] if one.file in self.named][:1]
        shown = [*older, *layouts[len(older) - _SEGMENTS_MAX :]]
        return shown, len(layouts) - len(shown)

    def svg(self) -> str:
        """See `Figure`."""
        if not self.disks:
            return ""
        parts, y = [_PATTERNS], 6
        shown = [(heading, *self._shown(disk)) for heading, disk in self.disks]
        longest = max((one.size_bytes for _, layouts, _ in shown for one in layouts), default=1)
        for heading, layouts, hidden in shown:
            more = f"   ({hidden} other segment(s) are not drawn)" if hidden else ""
            parts.append(_text(_LEFT, y + 18, heading + more, _TEXT, size=15))
            y += _HEADING
            if not layouts:
                parts.append(_text(_LEFT, y + 14, "no segment", _FAINT))
                y += _STRIP
            for layout in layouts:
                # A small one beside one of a megabyte would be a line: it gets a scale of its own.
                scale = _Scale(layout.size_bytes if layout.size_bytes * 4 < longest else longest)
                parts += _strip(layout, y, scale)
                y += _NAME + _STRIP + _TICKS + _BETWEEN
        kinds = [box for _, layouts, _ in shown for layout in layouts for box in layout.boxes]
        legend_parts, y = _legend(kinds, y + 6)
        parts += legend_parts
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}"'
        return f'{head} font-family="sans-serif">{"".join(parts)}</svg>'


class _Scale(NamedTuple):
    """bytes_max: so many are as wide as the picture."""

    bytes_max: int

    def width(self, size_bytes: int) -> float:
        return round(size_bytes * (_WIDTH - _LEFT - _RIGHT) / max(1, self.bytes_max), 1)

    def x(self, at: int) -> float:
        return round(_LEFT + self.width(at), 1)


_PATTERNS = "<defs>" + "".join(
    f'<pattern id="{name}" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="8" height="8" fill="{_COLOURS[condition][1]}"/><rect width="2.5" height="8" fill="#fff"/>{cross}</pattern>'
    for condition, name, cross in (
        (Condition.TORN, "torn", ""),
        (Condition.DAMAGED, "damaged", '<rect width="8" height="2.5" fill="#fff"/>'),
    )
) + "</defs>"  # fmt: skip


def _text(x: float, y: float, text: str, colour: str, *, size: int = 12, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" {more}>{escape(text)}</text>'


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    # Around what is a hair wide, white lines would leave nothing of it.
    border = ' stroke="#fff" stroke-width=".8"' if width > _BORDERED else ""
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}"{border}/>'


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str, width: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{stroke}" stroke-width="{width}"/>'


def _short(file: str) -> str:
    name = file.removeprefix("log/").lstrip("0")
    return name if name != ".log" else "0.log"


def _strip(layout: SegmentLayout, top: int, scale: _Scale) -> Iterator[str]:
    """A segment: its name, its bytes, the ticks below."""
    y, size = top + _NAME, layout.size_bytes
    yield _text(_LEFT, top + 11, f"{_short(layout.file)}, {size:,} bytes", _FAINT)
    yield _rect(_LEFT, y, scale.width(size), _STRIP, _FREE)
    for at in range(0, size + 1, tick_step(scale.bytes_max)):
        yield _line(scale.x(at), y, scale.x(at), y + _STRIP + 4, _GRID, 1)
        yield _text(scale.x(at), y + _STRIP + 15, f"{at:,}", _FAINT, size=10, more='text-anchor="middle" class="tick"')
    for box in layout.boxes[:_BOXES_MAX]:
        yield from _box(box, y, scale)
    if len(layout.boxes) > _BOXES_MAX:
        yield _text(scale.x(layout.boxes[_BOXES_MAX].at) + 4, y + 21, "… more, not drawn", _TEXT)
    for at, size_bytes in layout.unsynced[:_BOXES_MAX]:
        yield _line(scale.x(at), y + _STRIP + 2, scale.x(at + size_bytes), y + _STRIP + 2, _COLOURS[Condition.UNSYNCED][1], 3)
    if layout.durable_end is not None:
        x = scale.x(layout.durable_end)
        yield _line(x, y - 5, x, y + _STRIP + 4, _TEXT, 1.8)
        yield f'<path d="M{x - 5} {y - 9}h10l-5 8z" fill="{_TEXT}"/>'


def _box(box: Box, y: int, scale: _Scale) -> Iterator[str]:
    header, inner = _COLOURS[box.condition]
    fill = inner if box.kind in ("record", "state", "mark") else header
    if box.kind == "rest":
        fill = f"url(#{_HATCHED.get(box.condition, 'torn')})"
    x, width = scale.x(box.at), scale.width(box.size_bytes)
    height = _STRIP // 2 if box.kind == "mark" else _STRIP
    yield _rect(x, y + _STRIP - height, width, height, fill)
    names = {"segment": "H", "end": "end", "rest": _HATCHED.get(box.condition, "")}
    label = names.get(box.kind, box.label)
    colour = _TEXT if fill == _COLOURS[Condition.UNSYNCED][1] else "#fff"
    middle, room = round(x + width / 2, 1), len(label) * _CHAR + 6
    if not label or width < 12 or (width < room and (box.kind == "rest" or len(label) * _TURNED_CHAR > _STRIP)):
        return
    if box.kind == "rest":
        yield _rect(round(middle - room / 2, 1), y + 8, round(room, 1), 18, header)
    turned = "" if width >= room else f' transform="rotate(-90 {middle} {y + 17})"'
    yield _text(middle, y + 21, label, colour, size=12 if width >= room else 9, more=f'text-anchor="middle"{turned}')


def _legend(boxes: Iterable[Box], top: int) -> tuple[list[str], int]:
    """What the signs mean, of those that are there; and where it ends."""
    known = list(boxes)
    parts: list[str] = []
    entries: list[tuple[str, str]] = []
    for condition, (header, inner) in _COLOURS.items():
        if any(box.condition is condition for box in known):
            name = _HATCHED.get(condition)
            swatch = _rect(0, 0, 26, 14, f"url(#{name})") if name else _rect(0, 0, 9, 14, header) + _rect(9, 0, 17, 14, inner)
            entries.append((swatch, condition.value + ("" if name else " (dark: a header; light: what it is of)")))
    if any(box.kind == "mark" for box in known):
        entries.append((_rect(0, 7, 26, 7, _FAINT), "half as high, in each colour: a mark"))
    entries.append(
        (f'<path d="M8 0h10l-5 8z" fill="{_TEXT}"/>' + _line(13, 6, 13, 14, _TEXT, 1.8), "durable end that the log proves")
    )
    entries.append((_rect(0, 0, 26, 14, _FREE), "reserved, still zero; H: header of the segment; index·term: an entry"))
    for number, (swatch, text) in enumerate(entries):
        x, y = _LEFT + number % 2 * 520, top + number // 2 * 22
        parts.append(f'<g transform="translate({x} {y})">{swatch}</g>{_text(x + 34, y + 12, text, _TEXT)}')
    end = top + (len(entries) + 1) // 2 * 22
    about = IN_PICTURES.replace("`", "")
    if any(box.kind == "state" for box in known):
        parts.append(_text(_LEFT, end + 14, about, _FAINT, size=11))
        end += 24
    return parts, end + 14


# ---------------------------------------------------------------- of a test


def pictured(check: Check) -> Check:
    """The same test; when a promise breaks, what is shown of the disks is this picture."""
    by_seed = check.by_seed
    return replace(
        check,
        cases=lambda seeds: [_pictured(case) for case in check.cases(seeds)],
        by_seed=None if by_seed is None else lambda seed: _pictured(by_seed(seed)),
    )


def _pictured(case: Case) -> Case:
    def play(make: Make, steps: tuple[object, ...], run: Run) -> None:
        try:
            case.play(make, steps, run)
        except PromiseBrokenError as error:
            if error.disks:
                run.figure, error.disks = _picture_of(error), ()
            raise

    return replace(case, play=play)


def _picture_of(error: PromiseBrokenError) -> DiskPicture:
    # Copies: what is told is looked at when the run is over.
    disks = [(heading, disk.copy()) for heading, disk in error.disks]
    told = f"{error.expected} {error.found}"
    files = {file for _, disk in disks for file in disk.files() if segment_base(file) is not None}
    return DiskPicture(disks, [file for file in sorted(files) if file in told])
