"""The queue as a shelf: a box for each message, with what was put there, where its entry lies by now, and what went wrong.

message              3      4      5      6      7
position           220    220    260    260    310
must be stored    1500   1500   1900   1900   1900
is stored         1500   1500   1900   1900   1700
lies in           disk   disk   disk   disk  memory
                                         !at 220

Positions and times are those that must be there; "is stored" is what the queue's own entries say, where that is another time.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from labs.stage1_single_node.lab1b_consume_queue.model import Model
from mq.broker.store.queue_entry import QueueEntry

__all__ = ["Shelf"]

_BOXES_MAX = 10
_NAME, _CELL = 15, 11
_LEFT, _WIDTH, _BOX, _TOP, _ROW = 132, 84, 78, 16, 22
_TEXT, _FAINT, _WRONG = "#1d2a35", "#5a6874", "#b3261e"
_GONE, _SYNCED, _WRITTEN, _MEMORY = "gone", "disk", "written", "memory"
_FILLS = {_GONE: "#eceff1", _SYNCED: "#cfe8d6", _WRITTEN: "#cfe3f5", _MEMORY: "#fbe7c6"}
_LEGEND = {
    _MEMORY: "in memory alone",
    _WRITTEN: "told to be in a file",
    _SYNCED: "told to be durable in a file",
    _GONE: "retention took it",
}


class _Box(NamedTuple):
    offset: str
    position: str
    stored: str
    own: str
    where: str
    mark: str

    @property
    def is_late(self) -> bool:
        """Whether its entry was given another time than it must have."""
        return self.own not in ("", self.stored)


class Shelf:
    """written, synced: messages below these offsets are in files, and durable there. See `labs.grader.figure.Figure`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.written = self.synced = 0
        self._marks: dict[int, str] = {}
        self._own: dict[int, int] = {}

    def saw(self, entries: Sequence[QueueEntry]) -> None:
        """What the queue gave back: the times in there are its own."""
        for entry in entries:
            upto = min(entry.base_offset + entry.count, self.model.max_offset)
            self._own |= dict.fromkeys(range(max(0, entry.base_offset), upto), entry.store_ms)

    def wrong_time(self) -> tuple[int, int] | None:
        """The first message that was given another time than it must have, and that time."""
        facts = self.model.facts
        there = (one for one in sorted(self._own.items()) if one[0] < len(facts))
        return next((one for one in there if one[1] != facts[one[0]].store_ms), None)

    def mark(self, offset: int, text: str) -> None:
        """What is wrong with a message."""
        self._marks[offset] = text

    def _where(self, offset: int) -> str:
        if offset < self.model.min_offset:
            return _GONE
        return _SYNCED if offset < self.synced else _WRITTEN if offset < self.written else _MEMORY

    def _boxes(self) -> Sequence[_Box]:
        """Those around what went wrong, and the end of the queue as one more."""
        end = self.model.max_offset
        centre = min([offset for offset in self._marks if 0 <= offset <= end], default=end)
        first = max(0, min(centre - _BOXES_MAX // 2, end + 1 - _BOXES_MAX))
        found = []
        for offset in range(first, min(end, first + _BOXES_MAX)):
            fact = self.model.facts[offset]
            position = str(fact.position) if fact.position else "none"
            own = str(self._own.get(offset, ""))
            mark = self._marks.get(offset, "")
            found.append(_Box(str(offset), position, str(fact.store_ms), own, self._where(offset), mark))
        if end < first + _BOXES_MAX:
            found.append(_Box(f"end {end}", "", "", "", "", self._marks.get(end, "")))
        return found

    # --- as text

    def lines(self) -> list[str]:
        """See `Figure`."""
        boxes = self._boxes()
        if not self.model.facts:
            return []
        rows = [
            ("message", [box.offset for box in boxes]),
            ("position", [box.position for box in boxes]),
            ("must be stored", [box.stored for box in boxes]),
            *([("is stored", [box.own for box in boxes])] if any(box.is_late for box in boxes) else []),
            ("lies in", [box.where for box in boxes]),
        ]
        lines = [f"{name:{_NAME}}{''.join(cell.rjust(_CELL) for cell in cells)}".rstrip() for name, cells in rows]
        if any(box.mark for box in boxes):
            marks = [f"!{box.mark}" if box.mark else "" for box in boxes]
            lines.append((" " * _NAME + "".join(f"{mark:>{_CELL}}" for mark in marks)).rstrip())
        here = dict.fromkeys(box.where for box in boxes if box.where)
        return [*lines, "", "   ".join(f"{where}: {_LEGEND[where]}" for where in here) + "   !: what was found there"]

    # --- as a picture

    def svg(self) -> str:
        """See `Figure`."""
        if not self.model.facts:
            return ""
        boxes = self._boxes()
        names = ["message", "position", "must be stored, ms"]
        if any(box.is_late for box in boxes):
            names.append("is stored, ms")
        parts = [_text(4, _TOP + 18 + _ROW * n, name, _FAINT, 12) for n, name in enumerate(names)]
        for number, box in enumerate(boxes):
            parts += _drawn(_LEFT + number * _WIDTH, box, len(names))
        top = _TOP + len(names) * _ROW + 52
        left = float(_LEFT)
        for where in dict.fromkeys(box.where for box in boxes if box.where):
            parts.append(f'<rect x="{left}" y="{top}" width="14" height="14" fill="{_FILLS[where]}" stroke="{_FAINT}"/>')
            parts.append(_text(left + 20, top + 12, _LEGEND[where], _FAINT, 12))
            left += 40 + 7 * len(_LEGEND[where])
        width, height = max(620, _LEFT + _WIDTH * len(boxes) + 60), top + 28
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        return f'{head} font-family="system-ui, sans-serif">{"".join(parts)}</svg>'


def _drawn(left: int, box: _Box, rows: int) -> list[str]:
    height = rows * _ROW + 6
    fill, edge, width = _FILLS.get(box.where, "none"), (_WRONG if box.mark else _FAINT), (3 if box.mark else 1)
    dashes = "" if box.where else ' stroke-dasharray="4 3"'
    line = f'stroke="{edge}" stroke-width="{width}"{dashes}'
    parts = [f'<rect x="{left}" y="{_TOP}" width="{_BOX}" height="{height}" rx="3" fill="{fill}" {line}/>']
    for number, text in enumerate((box.offset, box.position, box.stored, box.own)[:rows]):
        colour = _WRONG if number == 3 and box.is_late else _TEXT
        parts.append(_text(left + 8, _TOP + 18 + _ROW * number, text, colour, 14 if number == 0 else 12))
    if box.mark:
        parts.append(_text(left + 2, _TOP + height + 18, box.mark, _WRONG, 12))
    return parts


def _text(x: float, y: float, text: str, colour: str, size: int) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
