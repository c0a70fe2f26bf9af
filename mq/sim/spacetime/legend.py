"""The legend of a drawing: only what occurs in it, one sign beside the other."""

from collections.abc import Callable, Iterator

from mq.sim.spacetime import palette
from mq.sim.spacetime.card import CELL, draw_cell, draw_struck
from mq.sim.spacetime.layout import WIDTH, Layout
from mq.sim.spacetime.logbook import Cell, Strip
from mq.sim.spacetime.scene import Box, Group, Label, Line, Shape, text_width

__all__ = ["legend_of"]

_Sign = Callable[[float, float], list[Shape]]
"""Draws a sign with its left end at x and its middle at y."""

_SIZE, _ROW = 10.0, 21.0


def legend_of(layout: Layout, folded: int, top: float) -> tuple[list[Group], float]:
    """What the signs mean, and the picture's height with it. folded: messages that are not drawn."""
    groups: list[Group] = []
    x, y = 12.0, top + _ROW / 2
    for sign, width, words in (*_roles(layout), *_cells(layout), *_messages(layout)):
        whole = width + 5 + text_width(words, _SIZE) + 15
        if x + whole > WIDTH:
            x, y = 12.0, y + _ROW
        shapes = (*sign(x, y), Label(x + width + 5, y, words, _SIZE, palette.FAINT))
        groups.append(Group(shapes, words))
        x += whole
    if folded:
        y += _ROW
        are = "message is" if folded == 1 else "messages are"
        words = f"{folded} {are} not drawn: heartbeats and their answers of which nothing came"
        groups.append(Group((Label(12, y, words, _SIZE, palette.FAINT),), words))
    return groups, y + _ROW / 2 + 6


def _roles(layout: Layout) -> Iterator[tuple[_Sign, float, str]]:
    looks = layout.looks.values()
    roles = {look.chip.role for look in looks if look.chip} | {
        moment.after.role for look in looks for moment in look.card.moments
    }
    for role in ("follower", "pre-candidate", "candidate", "leader", "mute", "down"):
        if role in roles:
            fill, _, width = palette.role_colours(role)
            yield (_dotted if role == "down" else _rail(fill, width)), max(width, 3.0), role


def _rail(fill: str, width: float) -> _Sign:
    return lambda x, y: [Box(x, y - 8, width, 16, fill)]


def _dotted(x: float, y: float) -> list[Shape]:
    return [Line(((x + 1, y - 8), (x + 1, y + 8)), palette.FAULT, 1.2, (1.5, 4.0))]


def _cells(layout: Layout) -> Iterator[tuple[_Sign, float, str]]:
    strips: list[Strip] = [look.strip for look in layout.looks.values() if look.strip]
    cells = [cell for strip in strips for cell in strip.cells]
    if cells:
        term = max(cell.term for cell in cells)
        yield _cell(Cell(1, term, is_committed=False, is_durable=True)), CELL, "entry with its term"
        yield _cell(Cell(1, term, is_committed=False, is_durable=True), is_new=True), CELL, "just written"
    if not all(cell.is_durable for cell in cells):
        yield _cell(Cell(1, term, is_committed=False, is_durable=False), is_new=True), CELL, "not durable yet"
    if any(cell.is_committed for cell in cells):
        yield _cell(Cell(1, term, is_committed=True, is_durable=True)), CELL, "known here to be committed"
    if any(strip.struck for strip in strips):
        yield _struck, CELL, "superseded"
    if any(look.has_snapshot for look in layout.looks.values()):
        yield _snapshot, 26.0, "in the snapshot"


def _cell(cell: Cell, *, is_new: bool = False) -> _Sign:
    return lambda x, y: draw_cell(cell, x, y - CELL / 2, is_new=is_new)


def _struck(x: float, y: float) -> list[Shape]:
    return draw_struck(Cell(1, 1, is_committed=False, is_durable=True), x, y - 7)


def _snapshot(x: float, y: float) -> list[Shape]:
    return [Box(x, y - CELL / 2, 26, CELL, palette.FAINT, palette.EDGE), Label(x + 13, y, "1-5", 9.5, palette.GROUND, "middle")]


def _messages(layout: Layout) -> Iterator[tuple[_Sign, float, str]]:
    if any(route.is_late for route in layout.routes):
        yield (lambda x, y: [Line(((x, y), (x + 26, y)), palette.LATE, 1.2, (5.0, 3.0))]), 26.0, "late"
    if any(route.mark == "cross" for route in layout.routes):
        yield _lost, 24.0, "lost"
    if any(route.mark == "open" for route in layout.routes):
        yield _open, 24.0, "still under way"


def _lost(x: float, y: float) -> list[Shape]:
    arms = (((x + 16, y - 4), (x + 24, y + 4)), ((x + 16, y + 4), (x + 24, y - 4)))
    return [Line(((x, y), (x + 20, y)), palette.FAULT), *(Line(arm, palette.FAULT, 2.0) for arm in arms)]


def _open(x: float, y: float) -> list[Shape]:
    return [Line(((x, y), (x + 24, y)), palette.TEXT), Line(((x + 17, y - 4), (x + 24, y), (x + 17, y + 4)), palette.TEXT)]
