"""The legend of a drawing: all that occurs in it and nothing else, one sign beside the other, and then the words."""

from collections.abc import Callable, Iterable, Iterator

from mq.sim.spacetime import palette
from mq.sim.spacetime.card import CardLook, draw_dot
from mq.sim.spacetime.cells import CELL, StripLook, cell_width, draw_cell, draw_prefix, draw_struck, prefix_width
from mq.sim.spacetime.flightpath import OPEN_REACH
from mq.sim.spacetime.glossary import Entry, entries_of
from mq.sim.spacetime.layout import Layout
from mq.sim.spacetime.logbook import Cell
from mq.sim.spacetime.scene import Box, Corner, Group, Label, Line, Shape, text_width

__all__ = ["legend_of", "open_dots"]

_Sign = Callable[[float, float], list[Shape]]
"""Draws a sign with its left end at x and its middle at y."""

_SIZE, _ROW, _LEFT, _APART = 10.0, 21.0, 12.0, 15.0


def legend_of(layout: Layout, folded: int, top: float) -> tuple[list[Group], float]:
    """What the signs and words mean, and the picture's height with it. folded: messages that are not drawn."""
    signs = (*_roles(layout), *_dots(layout), *_strips(layout), *_messages(layout), *_frame(layout))
    groups, y = _in_rows(signs, layout.width, top + _ROW / 2)
    words, y = _in_rows([_word(entry) for entry in _entries(layout)], layout.width, y + _ROW)
    groups += words
    if folded:
        y += _ROW
        are = "message is" if folded == 1 else "messages are"
        text = f"{folded} {are} not drawn: heartbeats and their answers of which nothing came"
        groups.append(Group((Label(_LEFT, y, text, _SIZE, palette.FAINT),), text))
    return groups, y + _ROW / 2 + 6


def _in_rows(items: Iterable[tuple[_Sign, float, str]], width: float, y: float) -> tuple[list[Group], float]:
    """One beside the other, in as many rows as it takes. Returns the middle of the last row, too."""
    groups: list[Group] = []
    x = _LEFT
    for sign, sign_width, words in items:
        whole = sign_width + 5 + text_width(words, _SIZE)
        if x > _LEFT and x + whole > width - _LEFT:
            x, y = _LEFT, y + _ROW
        shapes = (*sign(x, y), Label(x + sign_width + 5, y, words, _SIZE, palette.FAINT))
        groups.append(Group(shapes, words))
        x += whole + _APART
    return groups, y


# ---------------------------------------------------------------- words


def _entries(layout: Layout) -> Iterator[Entry]:
    looks = [layout.looks[id(card)] for card in layout.rows.all_cards()]
    chips = [" ".join(look.chip_words.lines) for look in looks if look.chip_words]
    notes = [note.text for look in looks for note in look.notes]
    return entries_of(chips, notes, [route.label for route in layout.routes])


def _word(entry: Entry) -> tuple[_Sign, float, str]:
    return (
        lambda x, y: [Label(x, y, entry.sample, _SIZE, palette.TEXT)]
    ), text_width(entry.sample, _SIZE), entry.meaning  # fmt: skip


# ---------------------------------------------------------------- nodes


def _roles(layout: Layout) -> Iterator[tuple[_Sign, float, str]]:
    looks = layout.looks.values()
    after = [look.card.opening.condition if look.card.opening else look.card.moments[-1].after for look in looks]
    roles = {look.chip.role for look in looks if look.chip} | {condition.role for condition in after}
    for role in ("follower", "pre-candidate", "candidate", "leader", "mute", "down"):
        if role in roles:
            fill, _, width = palette.role_colours(role)
            yield (_dotted if role == "down" else _rail(fill, width)), max(width, 3.0), role
    if any(condition.is_paused and condition.role != "down" for condition in after):
        yield (lambda x, y: [Line(((x + 3, y - 8), (x + 3, y + 8)), palette.FAINT, 6.0, (3.0, 3.0))]), 6.0, "paused"


def _rail(fill: str, width: float) -> _Sign:
    return lambda x, y: [Box(x, y - 8, width, 16, fill)]


def _dotted(x: float, y: float) -> list[Shape]:
    return [Line(((x + 1, y - 8), (x + 1, y + 8)), palette.FAULT, 1.2, (1.5, 4.0))]


def _dots(layout: Layout) -> Iterator[tuple[_Sign, float, str]]:
    dot: CardLook | None = next((look for look in layout.looks.values() if look.is_dot), None)
    if dot is not None:
        height = dot.height
        yield (lambda x, y: draw_dot(x, y - height / 2)), dot.width, "took or sent messages, and no more"


def _strips(layout: Layout) -> Iterator[tuple[_Sign, float, str]]:
    strips = [look.strip for look in layout.looks.values() if look.strip]
    cells = [(strip.is_new(cell), cell) for strip in strips for cell in strip.cells]
    if cells:
        term = max(cell.term for _, cell in cells)
        is_new, found = next(((new, cell) for new, cell in cells if not cell.is_durable), (True, cells[0][1]))
        yield _cell(term), cell_width(term), "entry with its term"
        if any(new for new, _ in cells):
            yield _cell(term, is_new=True), cell_width(term), "just written"
        if not found.is_durable:
            yield _cell(term, is_durable=False, is_new=is_new), cell_width(term), "not durable yet"
        if any(cell.is_committed for _, cell in cells):
            yield _cell(term, is_committed=True), cell_width(term), "known here to be committed"
    struck = [cell for strip in strips for cell in strip.struck]
    if struck:
        width = cell_width(struck[0].term)
        yield (lambda x, y: draw_struck(struck[0], x, y - 7, width)), width, "superseded"
    yield from _prefixes(strips)


def _cell(term: int, *, is_new: bool = False, is_durable: bool = True, is_committed: bool = False) -> _Sign:
    cell = Cell(1, term, is_committed=is_committed, is_durable=is_durable)
    return lambda x, y: draw_cell(cell, x, y - CELL / 2, cell_width(term), is_new=is_new)


def _prefixes(strips: Iterable[StripLook]) -> Iterator[tuple[_Sign, float, str]]:
    prefixed = [strip for strip in strips if strip.prefix]
    for has_snapshot, words in ((True, "entries in the snapshot"), (False, "entries that are left out here")):
        prefix = next((strip.prefix for strip in prefixed if strip.has_snapshot == has_snapshot), "")
        if prefix:
            yield _prefix(prefix, has_snapshot=has_snapshot), prefix_width(prefix), words


def _prefix(prefix: str, *, has_snapshot: bool) -> _Sign:
    return lambda x, y: draw_prefix(prefix, x, y - CELL / 2, has_snapshot=has_snapshot)


# ---------------------------------------------------------------- messages


def _messages(layout: Layout) -> Iterator[tuple[_Sign, float, str]]:
    if any(route.is_late for route in layout.routes):
        words = "late: slow, overtaken, or repeated"
        yield (lambda x, y: [Line(((x, y), (x + 26, y)), palette.LATE, 1.2, (5.0, 3.0))]), 26.0, words
    if any(route.mark == "cross" for route in layout.routes):
        yield _lost, 24.0, _LOST[_is_full(layout)]
    if any(route.mark == "open" for route in layout.routes):
        yield _open, 12 + OPEN_REACH, "still under way when the picture ends"
    if layout.cut_rows:
        yield (lambda x, y: [Label(x, y, "~ ~", 12, palette.FAINT, is_bold=True)]), 24.0, "time is cut short"


_LOST = ("lost", "lost: more messages were under way than the network holds")


def _is_full(layout: Layout) -> bool:
    """Whether what was lost found no room, as in a search, whose network holds only a few messages."""
    return all(route.flight.lost == "full" for route in layout.routes if route.mark == "cross")


def _lost(x: float, y: float) -> list[Shape]:
    arms = (((x + 16, y - 4), (x + 24, y + 4)), ((x + 16, y + 4), (x + 24, y - 4)))
    return [Line(((x, y), (x + 20, y)), palette.FAULT), *(Line(arm, palette.FAULT, 2.0) for arm in arms)]


def _open(x: float, y: float) -> list[Shape]:
    return [Line(((x, y), (x + 12, y)), palette.TEXT), *open_dots((x + 12 + OPEN_REACH, y), (1.0, 0.0), palette.TEXT)]


def open_dots(end: Corner, ahead: Corner, colour: str) -> tuple[Line, ...]:
    """The three dots in which a message ends that is still under way. ahead: of length 1, whither it goes."""
    dots = []
    for back in (12.5, 7.0, 1.5):
        x, y = end[0] - back * ahead[0], end[1] - back * ahead[1]
        dots.append(Line(((x - 1.5 * ahead[0], y - 1.5 * ahead[1]), (x + 1.5 * ahead[0], y + 1.5 * ahead[1])), colour, 3.0))
    return tuple(dots)


def _frame(layout: Layout) -> Iterator[tuple[_Sign, float, str]]:
    if layout.broken:
        yield (
            (lambda x, y: [Box(x + 2, y - 7, 20, 14, "none", palette.FAULT, 2.5, radius=4)]),
            24.0,
            "here the promise was broken",
        )
