"""A run between a few parties: a line for each of them from top to bottom, an arrow for each message, a row for each step.

    step   anna            machine         ben
       1    |------m1------>|               |
       2    |      x<--m2---|               |         x: it was lost

Rows have the numbers of the story's lines ("What happened"), so that picture and text are read side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

__all__ = ["SpaceTime"]

_GAP = 20
"""Characters from one line to the next."""
_LEFT, _LANE, _ROW, _TOP, _WIDTH = 60, 170, 30, 52, 1060
_LINE, _LOST, _DEAD, _TEXT, _FAINT, _WRONG = "#2b6cb0", "#b3261e", "#8a5a00", "#1d2a35", "#5a6874", "#f9dedc"


class _Arrow(NamedTuple):
    """A message. row: when it left; until: when it arrived, 0 for at once."""

    row: int
    label: str
    source: int
    target: int
    is_lost: bool
    until: int


class _Mark(NamedTuple):
    row: int
    lane: int
    sign: str
    is_end: bool


@dataclass(slots=True)
class SpaceTime:
    """See `labs.grader.figure.Figure`. lanes: the parties. story: the lines of the run, which goes on to fill them.

    wrong: the row in which a promise broke; 0 for none.
    """

    lanes: Sequence[str]
    story: Sequence[str]
    wrong: int = 0
    _arrows: list[_Arrow] = field(default_factory=list)
    _marks: list[_Mark] = field(default_factory=list)

    # --- what happens, each time in the row of the story's last line

    @property
    def row(self) -> int:
        """The last line's number."""
        return len(self.story)

    def arrow(self, label: str, source: str, target: str, *, is_lost: bool = False) -> int:
        """A message that arrives at once, or never. Returns its place, for `arrives`."""
        self._arrows.append(_Arrow(self.row, label, self._lane(source), self._lane(target), is_lost, 0))
        return len(self._arrows) - 1

    def delayed(self, label: str, source: str, target: str) -> int:
        """One that is under way until `arrives` is told of it."""
        self._arrows.append(_Arrow(self.row, label, self._lane(source), self._lane(target), is_lost=False, until=-1))
        return len(self._arrows) - 1

    def arrives(self, number: int) -> None:
        """It is there now."""
        self._arrows[number] = self._arrows[number]._replace(until=self.row)

    def mark(self, lane: str, sign: str, *, is_end: bool = False) -> None:
        """Something that befalls one party. is_end: it ends there, and begins anew."""
        self._marks.append(_Mark(self.row, self._lane(lane), sign, is_end))

    def _lane(self, name: str) -> int:
        return self.lanes.index(name)

    # --- as text

    def lines(self) -> list[str]:
        """See `Figure`."""
        if not self.story:
            return []
        head = "step   " + "".join(name.ljust(_GAP) for name in self.lanes)
        lines = [head.rstrip()]
        for row in range(1, len(self.story) + 1):
            cells = list(" " * (_GAP * len(self.lanes) + 4))
            for lane in range(len(self.lanes)):
                cells[lane * _GAP] = "|"
            for arrow in self._arrows:
                self._draw(cells, arrow, row)
            for mark in self._marks:
                if mark.row == row:
                    at = mark.lane * _GAP
                    cells[at : at + len(mark.sign) + 1] = list(("X" if mark.is_end else "*") + mark.sign)
            wrong = "   <== here" if row == self.wrong else ""
            lines.append(f"{row:4}    {''.join(cells).rstrip()}{wrong}")
        return [*lines, "", self._legend()]

    def _legend(self) -> str:
        parts = ["--m1--> a message"]
        if any(arrow.is_lost for arrow in self._arrows):
            parts.append("x it was lost on its way")
        if any(arrow.until for arrow in self._arrows):
            parts.append("~~ it is late, and arrives further down")
        if any(mark.is_end for mark in self._marks):
            parts.append("X a process ended, and began anew")
        if self.wrong:
            parts.append("<== here the promise is broken")
        return "   ".join(parts)

    @staticmethod
    def _draw(cells: list[str], arrow: _Arrow, row: int) -> None:
        if row not in (arrow.row, arrow.until):
            return
        left, right = sorted((arrow.source, arrow.target))
        begins, ends = left * _GAP + 1, right * _GAP
        is_rightwards = arrow.target > arrow.source
        late = arrow.until and row == arrow.row
        fill = "~" if late else "-"
        body = f"{arrow.label:{fill}^{ends - begins - 1}}"
        if arrow.is_lost or late:
            half = (ends - begins) * 2 // 3
            body = f"{arrow.label:{fill}^{half}}"
            end = "x" if arrow.is_lost else "~"
            text = f"{body}{end}" if is_rightwards else f"{end}{body}".rjust(ends - begins)
        else:
            text = f"{body}>" if is_rightwards else f"<{body}"
        cells[begins : begins + len(text)] = [sign if sign != " " else cells[begins + number] for number, sign in enumerate(text)]

    # --- as a picture

    def svg(self) -> str:
        """See `Figure`."""
        if not self.story:
            return ""
        rows = len(self.story)
        height = _TOP + _ROW * rows + 44
        parts = []
        if self.wrong:
            parts.append(f'<rect x="0" y="{self._y(self.wrong) - 15}" width="{_WIDTH}" height="30" fill="{_WRONG}"/>')
        for number, name in enumerate(self.lanes):
            x = self._x(number)
            parts.append(_text(x, 22, name, _TEXT, size=15, anchor="middle"))
            parts.append(
                f'<line x1="{x}" y1="{_TOP - 18}" x2="{x}" y2="{_TOP + _ROW * rows - 6}" stroke="#aab4bd" stroke-width="2"/>'
            )
        text_x = self._x(len(self.lanes) - 1) + 40
        chars = int((_WIDTH - text_x) / 6.3)
        for row, line in enumerate(self.story, 1):
            parts.append(_text(12, self._y(row) + 4, str(row), _FAINT))
            told = line if len(line) <= chars else line[: chars - 1] + "…"
            parts.append(_text(text_x, self._y(row) + 4, told, _LOST if row == self.wrong else _TEXT))
        parts += [part for arrow in self._arrows for part in self._line(arrow, rows)]
        parts += [part for mark in self._marks for part in self._sign(mark)]
        legend = (
            "arrow: a message · red cross: it was lost · bar: a process ended and began anew · red row: the promise is broken"
        )
        parts.append(_text(_LEFT, height - 10, legend, _FAINT, size=11))
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
        return f'{head} font-family="system-ui, sans-serif">{"".join(parts)}</svg>'

    @staticmethod
    def _x(lane: int) -> int:
        return _LEFT + 30 + lane * _LANE

    @staticmethod
    def _y(row: int) -> int:
        return _TOP + _ROW * (row - 1) + 8

    def _line(self, arrow: _Arrow, rows: int) -> list[str]:
        x1, y1 = self._x(arrow.source), self._y(arrow.row)
        x2, y2 = self._x(arrow.target), self._y(arrow.until if arrow.until > 0 else arrow.row)
        is_under_way = arrow.until < 0
        if is_under_way:
            y2 = self._y(rows)
        colour = _LOST if arrow.is_lost else _LINE
        if arrow.is_lost or is_under_way:
            x2 = x1 + (x2 - x1) * 2 // 3
        dash = ' stroke-dasharray="5 4"' if arrow.until else ""
        parts = [f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="2"{dash}/>']
        if arrow.is_lost:
            parts.append(_cross(x2, y2))
        elif not is_under_way:
            parts.append(_head(x1, x2, y2, colour))
        # A late one is named where it arrives: on its way it crosses the others.
        place = (x2 + (x1 - x2) // 4, y2 + 8) if arrow.until else ((x1 + x2) // 2, y1 - 5)
        parts.append(_text(*place, arrow.label, colour, anchor="middle"))
        return parts

    def _sign(self, mark: _Mark) -> list[str]:
        x, y = self._x(mark.lane), self._y(mark.row)
        # On the right of the last lane stands the story.
        is_last = mark.lane == len(self.lanes) - 1
        side, anchor = (-1, "end") if is_last else (1, "start")
        if not mark.is_end:
            return [
                f'<circle cx="{x}" cy="{y}" r="5" fill="{_LINE}"/>',
                _text(x + 9 * side, y + 4, mark.sign, _TEXT, anchor=anchor),
            ]
        bar = f'<rect x="{x - 16}" y="{y - 5}" width="32" height="10" rx="2" fill="{_DEAD}"/>'
        return [bar, _text(x + 20 * side, y + 4, mark.sign, _DEAD, anchor=anchor)]


def _cross(x: int, y: int) -> str:
    lines = (
        f'<line x1="{x - 6}" y1="{y - 6}" x2="{x + 6}" y2="{y + 6}"/><line x1="{x - 6}" y1="{y + 6}" x2="{x + 6}" y2="{y - 6}"/>'
    )
    return f'<g stroke="{_LOST}" stroke-width="3">{lines}</g>'


def _head(x1: int, x2: int, y: int, colour: str) -> str:
    back = -9 if x2 > x1 else 9
    return f'<polygon points="{x2},{y} {x2 + back},{y - 5} {x2 + back},{y + 5}" fill="{colour}"/>'


def _text(x: int, y: int, text: str, colour: str, *, size: int = 12, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
