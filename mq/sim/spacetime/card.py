"""How a card looks: the chip with role and term, a line for each thing that happened, and the log as a strip of cells.

A node that only heard something is a dot. Widths are bounded by the lane; what is too long is cut, and whole on hover.
"""

from dataclasses import dataclass

from mq.sim.spacetime import palette
from mq.sim.spacetime.logbook import Cell, Strip
from mq.sim.spacetime.rows import Card
from mq.sim.spacetime.scene import Box, Group, Label, Line, Shape, text_width
from mq.sim.spacetime.story import Condition, Note

__all__ = ["CELL", "CardLook", "draw_cell", "draw_struck", "fit", "look_of"]

CELL = 16.0
"""Width and height of an entry's cell."""
_PAD, _CHIP, _NOTE, _DOT, _STRUCK = 5.0, 19.0, 15.0, 9.0, 14.0
_CELLS_ALL_MAX, _CELLS_NEWEST = 8, 5
"""A log of so many entries is drawn whole; of a longer one so many, at least."""
_CHIP_SIZE, _NOTE_SIZE, _CELL_SIZE = 12.0, 11.0, 10.5
_TONES = {
    "plain": palette.TEXT, "vote": palette.TEXT, "commit": palette.TEXT, "client": palette.CLIENT, "fault": palette.FAULT,
}  # fmt: skip


def fit(text: str, size: float, width: float, *, is_bold: bool = False) -> str:
    """The text, cut with an ellipsis where it is wider than that."""
    if text_width(text, size, is_bold=is_bold) <= width:
        return text
    while text and text_width(text + "…", size, is_bold=is_bold) > width:
        text = text[:-1]
    return text.rstrip() + "…"


@dataclass(frozen=True, slots=True)
class CardLook:
    """What is drawn of a card. width, height: of the whole. columns: the log indexes that have a cell."""

    card: Card
    chip: Condition | None
    notes: tuple[Note, ...]
    strip: Strip | None
    columns: range
    width: float
    height: float

    @property
    def is_dot(self) -> bool:
        """Whether the node only heard something."""
        return self.chip is None and not self.notes and self.strip is None

    @property
    def has_snapshot(self) -> bool:
        """Whether what stands before the first cell is in a snapshot, and not only left out."""
        return self.strip is not None and 0 < self.strip.before_index == self.columns.start - 1

    def draw(self, middle: float, top: float) -> Group:
        """The card's shapes, below `top` and around the rail at `middle`."""
        left = middle - self.width / 2
        if self.is_dot:
            dot = Box(left, top, self.width, self.height, palette.TEXT, palette.GROUND, radius=self.width / 2)
            return Group((dot,), self.title())
        shapes: list[Shape] = [Box(left, top, self.width, self.height, palette.GROUND, palette.EDGE, radius=4)]
        y = top
        if self.chip is not None:
            fill, ink, _ = palette.role_colours(self.chip.role)
            shapes.append(Box(left, y, self.width, _CHIP, fill, palette.EDGE, radius=4))
            shapes.append(Label(middle, y + _CHIP / 2, _chip_text(self.chip), _CHIP_SIZE, ink, "middle", is_bold=True))
            y += _CHIP
        y += _PAD / 2
        for note in self.notes:
            bold = note.tone in {"commit", "fault"}
            text = fit(note.text, _NOTE_SIZE, self.width - 2 * _PAD + 0.5, is_bold=bold)
            shapes.append(Label(middle, y + _NOTE / 2, text, _NOTE_SIZE, _TONES[note.tone], "middle", is_bold=bold))
            y += _NOTE
        if self.strip is not None:
            shapes += self._draw_strip(self.strip, middle, y + 1)
        return Group(tuple(shapes), self.title())

    def _draw_strip(self, strip: Strip, middle: float, top: float) -> list[Shape]:
        shapes: list[Shape] = []
        prefix = _prefix_of(self.columns)
        x = middle - _strip_width(self.columns) / 2
        if prefix:
            width = _prefix_width(prefix)
            fill, ink = (palette.FAINT, palette.GROUND) if self.has_snapshot else (palette.PAPER, palette.FAINT)
            shapes.append(Box(x, top, width, CELL, fill, palette.EDGE))
            shapes.append(Label(x + width / 2, top + CELL / 2, prefix, _CELL_SIZE - 1, ink, "middle"))
            x += width
        for cell in strip.cells:
            if cell.index in self.columns:
                shapes += draw_cell(cell, x + (cell.index - self.columns.start) * CELL, top, is_new=cell.index >= strip.new_from)
        for cell in strip.struck:
            if cell.index in self.columns:
                shapes += draw_struck(cell, x + (cell.index - self.columns.start) * CELL, top + CELL + 3)
        if not strip.cells and not prefix:
            shapes.append(Label(middle, top + CELL / 2, "log is empty", _CELL_SIZE, palette.FAINT, "middle"))
        return shapes

    def title(self) -> str:
        """All that happened, as the lines of the trace."""
        if self.card.opening is not None:
            condition = self.card.opening.condition
            return f"{self.card.node} when this window begins: {condition.role} in term {condition.term}"
        events = [event for moment in self.card.moments for event in moment.events]
        return "\n".join(" ".join(event.to_line().split()) for event in events)


def draw_cell(cell: Cell, x: float, y: float, *, is_new: bool) -> list[Shape]:
    """An entry: its term in the term's colour; dashed while it is not durable; underlined when known to be committed."""
    dash = () if cell.is_durable else (2.5, 2.0)
    edge, width = (palette.TEXT, 1.4) if is_new else (palette.FAINT, 0.8)
    fill, inner, middle = palette.term_colour(cell.term), CELL - 1, x + CELL / 2
    lift = 0.8 if cell.is_committed else 0.0
    shapes: list[Shape] = [
        Box(x + 0.5, y + 0.5, inner, inner, fill, edge, width, dash, title=_cell_title(cell)),
        Label(middle, y + CELL / 2 - lift, str(cell.term or "?"), _CELL_SIZE, palette.TEXT, "middle"),
    ]
    if cell.is_committed:
        shapes.append(Box(x + 1, y + CELL - 3, CELL - 2, 3, palette.COMMITTED))
    return shapes


def _cell_title(cell: Cell) -> str:
    words = ["durable" if cell.is_durable else "not durable yet"]
    words += ["known to be committed"] if cell.is_committed else []
    return f"entry {cell.index} of term {cell.term or '?'}: {', '.join(words)}"


def draw_struck(cell: Cell, x: float, y: float) -> list[Shape]:
    """An entry that was just superseded."""
    title = f"entry {cell.index} of term {cell.term or '?'} was superseded"
    left, right, bottom = x + 1.5, x + CELL - 1.5, y + _STRUCK
    return [
        Box(left, y, right - left, _STRUCK, palette.PAPER, palette.EDGE, title=title),
        Label(x + CELL / 2, y + _STRUCK / 2, str(cell.term or "?"), _CELL_SIZE - 0.5, palette.FAINT, "middle"),
        Line(((left - 1.5, bottom + 1.5), (right + 1.5, y - 1.5)), palette.SUPERSEDED, 1.4),
    ]


def _chip_text(condition: Condition) -> str:
    text = "down" if condition.role == "down" else f"T{condition.term} {condition.role}"
    return text + (", paused" if condition.is_paused else "")


def _prefix_of(columns: range) -> str:
    return f"1-{columns.start - 1}" if columns.start > 1 else ""


def _prefix_width(prefix: str) -> float:
    return text_width(prefix, _CELL_SIZE - 1) + 7


def _columns_of(strip: Strip, width: float) -> range:
    """The indexes that are drawn: all, or of a longer log the newest, with all that is new or not known to be committed."""
    last = max([strip.before_index, *(cell.index for cell in (*strip.cells, *strip.struck))])
    first = strip.cells[0].index if strip.cells else strip.before_index + 1
    if last - first + 1 > _CELLS_ALL_MAX:
        open_from = next((cell.index for cell in strip.cells if not cell.is_committed), last)
        struck_from = min((cell.index for cell in strip.struck), default=last)
        first = max(first, min(last - _CELLS_NEWEST + 1, struck_from - 1, max(open_from - 1, last - _CELLS_ALL_MAX + 1)))
    while first <= last and _strip_width(range(first, last + 1)) > width:
        first += 1
    return range(first, last + 1)


def _strip_width(columns: range) -> float:
    prefix = _prefix_of(columns)
    return (_prefix_width(prefix) if prefix else 0.0) + len(columns) * CELL


def look_of(card: Card, width_max: float) -> CardLook:
    """What is drawn of a card in a lane that is so wide."""
    chip, strip, notes = None, None, []
    if card.opening is not None:
        chip, strip = card.opening
        strip = strip if strip and (strip.cells or strip.before_index) else None
    for moment in card.moments:
        chip, strip = moment.chip or chip, moment.strip or strip
        notes += moment.asides + moment.notes
    kept = tuple(dict.fromkeys(notes))
    room = width_max - 2 * _PAD
    columns = _columns_of(strip, room) if strip else range(0)
    if not (chip or kept or strip):
        return CardLook(card, None, (), None, columns, _DOT, _DOT)
    widths = [text_width(note.text, _NOTE_SIZE, is_bold=note.tone in {"commit", "fault"}) for note in kept]
    height = _PAD * (1.0 if kept or strip else 0.0) + (_CHIP if chip else 0.0) + _NOTE * len(kept)
    if chip:
        widths.append(text_width(_chip_text(chip), _CHIP_SIZE, is_bold=True) + 4)
    if strip:
        widths.append(_strip_width(columns) or text_width("log is empty", _CELL_SIZE))
        height += CELL + 1 + (_STRUCK + 4 if any(cell.index in columns for cell in strip.struck) else 0)
    return CardLook(card, chip, kept, strip, columns, min(max(widths) + 2 * _PAD, width_max), height)
