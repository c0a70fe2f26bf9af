"""The log as a strip of cells: an entry is a cell with its term, what stands before the first cell a box with its indexes."""

from dataclasses import dataclass

from mq.sim.spacetime import palette
from mq.sim.spacetime.logbook import Cell, Strip
from mq.sim.spacetime.scene import Box, Label, Line, Shape, text_width

__all__ = ["CELL", "STRUCK", "StripLook", "cell_width", "draw_cell", "draw_prefix", "draw_struck", "prefix_width", "strip_look"]

CELL, STRUCK = 16.0, 14.0
"""Height of an entry's cell, which is its width, too, while terms have one digit; and the height of a superseded one."""
_DIGIT = 6.0
"""How much wider a cell is for each further digit."""
_CELLS_ALL_MAX, _CELLS_NEWEST = 8, 5
"""A log of so many entries is drawn whole; of a longer one so many, at least."""
_SIZE, _PREFIX_SIZE = 10.5, 9.5


def cell_width(term: int) -> float:
    """Of a cell with this term, so that its edge keeps off its digits."""
    return CELL + _DIGIT * (len(str(term)) - 1)


@dataclass(frozen=True, slots=True)
class StripLook:
    """What is drawn of a log. columns: the indexes that have a cell. cell: the width of each."""

    strip: Strip
    columns: range
    cell: float

    @property
    def prefix(self) -> str:
        """The indexes before the first cell, or nothing."""
        return f"1-{self.columns.start - 1}" if self.columns.start > 1 else ""

    @property
    def has_snapshot(self) -> bool:
        """Whether what stands before the first cell is in a snapshot, and not only left out."""
        return 0 < self.strip.before_index == self.columns.start - 1

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Those that are drawn."""
        return tuple(cell for cell in self.strip.cells if cell.index in self.columns)

    @property
    def struck(self) -> tuple[Cell, ...]:
        """The superseded ones that are drawn."""
        return tuple(cell for cell in self.strip.struck if cell.index in self.columns)

    @property
    def width(self) -> float:
        """Of all of it."""
        whole = (prefix_width(self.prefix) if self.prefix else 0.0) + len(self.columns) * self.cell
        return whole or text_width("log is empty", _SIZE)

    @property
    def height(self) -> float:
        """Of all of it."""
        return CELL + 1 + (STRUCK + 4 if self.struck else 0)

    def is_new(self, cell: Cell) -> bool:
        """Whether this entry was just written."""
        return cell.index >= self.strip.new_from

    def draw(self, middle: float, top: float) -> list[Shape]:
        """Its shapes."""
        shapes: list[Shape] = []
        x = middle - self.width / 2
        if self.prefix:
            shapes += draw_prefix(self.prefix, x, top, has_snapshot=self.has_snapshot)
            x += prefix_width(self.prefix)
        for cell in self.cells:
            at = x + (cell.index - self.columns.start) * self.cell
            shapes += draw_cell(cell, at, top, self.cell, is_new=self.is_new(cell))
        for cell in self.struck:
            shapes += draw_struck(cell, x + (cell.index - self.columns.start) * self.cell, top + CELL + 3, self.cell)
        if not self.strip.cells and not self.prefix:
            shapes.append(Label(middle, top + CELL / 2, "log is empty", _SIZE, palette.FAINT, "middle"))
        return shapes


def strip_look(strip: Strip, width: float) -> StripLook:
    """The indexes that are drawn: all, or of a longer log the newest, with all that is new or not known to be committed."""
    cell = max((cell_width(cell.term) for cell in (*strip.cells, *strip.struck)), default=CELL)
    last = max([strip.before_index, *(cell.index for cell in (*strip.cells, *strip.struck))])
    first = strip.cells[0].index if strip.cells else strip.before_index + 1
    if last - first + 1 > _CELLS_ALL_MAX:
        open_from = next((cell.index for cell in strip.cells if not cell.is_committed), last)
        struck_from = min((cell.index for cell in strip.struck), default=last)
        first = max(first, min(last - _CELLS_NEWEST + 1, struck_from - 1, max(open_from - 1, last - _CELLS_ALL_MAX + 1)))
    while first <= last and StripLook(strip, range(first, last + 1), cell).width > width:
        first += 1
    return StripLook(strip, range(first, last + 1), cell)


def prefix_width(prefix: str) -> float:
    """Of the box with it."""
    return text_width(prefix, _PREFIX_SIZE) + 7


def draw_prefix(prefix: str, x: float, y: float, *, has_snapshot: bool) -> list[Shape]:
    """What stands for the entries before the first cell: dark when they are in a snapshot, light when there is no room."""
    width = prefix_width(prefix)
    fill, ink = (palette.FAINT, palette.GROUND) if has_snapshot else (palette.PAPER, palette.FAINT)
    edge = Box(x, y, width, CELL, fill, palette.EDGE)
    return [edge, Label(x + width / 2, y + CELL / 2, prefix, _PREFIX_SIZE, ink, "middle")]


def draw_cell(cell: Cell, x: float, y: float, width: float = CELL, *, is_new: bool) -> list[Shape]:
    """An entry: its term in the term's colour; dashed while it is not durable; underlined when known to be committed."""
    dash = () if cell.is_durable else (2.5, 2.0)
    edge, edge_width = (palette.TEXT, 1.4) if is_new else (palette.FAINT, 0.8)
    lift = 0.8 if cell.is_committed else 0.0
    # Apart from its neighbours by more than an edge is wide, so that two dashed ones are two.
    box = Box(
        x + 1, y + 0.5, width - 2, CELL - 1, palette.term_colour(cell.term), edge, edge_width, dash, title=_cell_title(cell)
    )
    shapes: list[Shape] = [
        box, Label(x + width / 2, y + CELL / 2 - lift, str(cell.term or "?"), _SIZE, palette.TEXT, "middle"),
    ]  # fmt: skip
    if cell.is_committed:
        shapes.append(Box(x + 1, y + CELL - 3, width - 2, 3, palette.COMMITTED))
    return shapes


def _cell_title(cell: Cell) -> str:
    words = ["durable" if cell.is_durable else "not durable yet"]
    words += ["known to be committed"] if cell.is_committed else []
    return f"entry {cell.index} of term {cell.term or '?'}: {', '.join(words)}"


def draw_struck(cell: Cell, x: float, y: float, width: float = CELL) -> list[Shape]:
    """An entry that was just superseded."""
    title = f"entry {cell.index} of term {cell.term or '?'} was superseded"
    left, right, bottom = x + 1.5, x + width - 1.5, y + STRUCK
    return [
        Box(left, y, right - left, STRUCK, palette.PAPER, palette.EDGE, title=title),
        Label(x + width / 2, y + STRUCK / 2, str(cell.term or "?"), _SIZE - 0.5, palette.FAINT, "middle"),
        Line(((left - 1.5, bottom + 1.5), (right + 1.5, y - 1.5)), palette.SUPERSEDED, 1.4),
    ]
