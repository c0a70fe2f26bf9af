"""A layout as a scene: rails, cards, banners, messages and a legend of what occurs."""

import math
from collections.abc import Iterable

from mq.sim.spacetime import palette
from mq.sim.spacetime.broken import Broken, broken_moments
from mq.sim.spacetime.flightpath import LABEL_SIZE, OPEN_REACH
from mq.sim.spacetime.header import header_of
from mq.sim.spacetime.layout import GUTTER, Layout, banner_words, lay_out, width_of
from mq.sim.spacetime.legend import legend_of, open_dots
from mq.sim.spacetime.narrator import tell
from mq.sim.spacetime.routing import Route
from mq.sim.spacetime.rows import Card, arrange
from mq.sim.spacetime.scene import Box, Corner, Face, Group, Label, Line, Polygon, Scene, Shape, text_width
from mq.sim.spacetime.story import Condition
from mq.sim.spacetime.window import Selection, Window, select
from mq.sim.spacetime.wording import message_sentence
from mq.sim.trace import Event

__all__ = ["scene_of"]

_HEAD_LENGTH, _HEAD_HALF = 9.0, 4.0
_CROSS = 4.5
_TIME = 10.0


def scene_of(events: Iterable[Event], title: str = "", window: Window | None = None, broken: Broken | None = None) -> Scene:
    """The drawing of a trace, or of a window of it. broken: the promise that was broken in it.

    Raises: PictureTooLongError, NothingToDrawError; KeyError, ValueError for events that lack what they must tell.
    """
    window = window or Window()
    story = tell(events)
    selection = select(story, window, broken_moments(story, broken))
    heading = title or _title_of(selection)
    header, top = header_of(heading, broken, width_of(selection))
    layout = lay_out(selection, arrange(selection), top, window.pixels_per_ms)
    legend, height = legend_of(layout, selection.folded, layout.bottom + 14)
    boxes, words = _banners(layout)
    back = [*_rails(layout), *header, *_names(layout), *_times(layout), *boxes]
    signs = (*words, *_frames(layout))
    faces = [_face(route, layout) for route in layout.routes]
    return Scene(layout.width, math.ceil(height), heading, tuple(back), tuple(_cards(layout)), signs, tuple(faces), tuple(legend))


def _title_of(selection: Selection) -> str:
    first, last = selection.steps[0].at_ms, selection.steps[-1].at_ms
    return f"{', '.join(selection.nodes)} from {first} ms to {last} ms"


def _names(layout: Layout) -> list[Group]:
    groups: list[Group] = []
    for node in layout.nodes:
        shapes = (Label(layout.middles[node], layout.top - 15, node, 14, palette.TEXT, "middle", is_bold=True),)
        groups.append(Group(shapes, f"node {node}; time runs downwards"))
    return groups


# ---------------------------------------------------------------- lanes


def _rails(layout: Layout) -> list[Group]:
    groups: list[Group] = []
    for node in layout.nodes:
        cards = layout.rows.cards[node]
        spans: list[tuple[float, Condition, int]] = []
        for card in cards:
            condition, at_ms = _after(card)
            if not spans or spans[-1][1] != condition:
                spans.append((layout.row_tops[card.row], condition, at_ms))
        ends = [top for top, _, _ in spans[1:]] + [layout.bottom]
        for (top, condition, at_ms), end in zip(spans, ends, strict=True):
            groups.append(_rail(layout.middles[node], (top, end), condition, f"{node} from {at_ms} ms on"))
    return groups


def _after(card: Card) -> tuple[Condition, int]:
    if card.opening is not None:
        return card.opening.condition, 0
    return card.moments[-1].after, card.moments[-1].at_ms


def _rail(x: float, span: tuple[float, float], condition: Condition, since: str) -> Group:
    top, bottom = span
    fill, _, width = palette.role_colours(condition.role)
    words = f"{since}: " + ("down" if condition.role == "down" else f"{condition.role} in term {condition.term}")
    shape: Shape = Box(x - width / 2, top, width, bottom - top, fill)
    if condition.role == "down":
        shape = Line(((x, top), (x, bottom)), palette.FAULT, 1.2, (1.5, 4.0))
    elif condition.is_paused:
        shape = Line(((x, top), (x, bottom)), fill, width, (3.0, 3.0))
    return Group((shape,), words + (", paused" if condition.is_paused else ""))


def _times(layout: Layout) -> list[Group]:
    """Of each row; where a row holds what was only heard before, both times, if there is room for them."""
    groups, shown, moved = [], -1, list[int]()
    for row, at_ms in sorted(layout.rows.times.items()):
        if layout.row_tops[row] == layout.row_bottoms[row]:
            moved.append(at_ms)
        elif at_ms != shown:
            text = f"{', '.join(map(str, dict.fromkeys([*moved, at_ms])))} ms"
            text = text if text_width(text, _TIME) <= GUTTER - 12 else f"{at_ms} ms"
            label = Label(GUTTER - 10, layout.row_tops[row] + 9, text, _TIME, palette.FAINT, "end")
            groups.append(Group((label,), f"virtual time {text}"))
            shown, moved = at_ms, []
    return groups + [_break(layout, row) for row in layout.cut_rows]


def _break(layout: Layout, row: int) -> Group:
    """A sign that more time went by than there is room for."""
    y = (layout.row_bottoms[row] + layout.row_tops[row + 1]) / 2
    return Group((Label(GUTTER - 26, y, "~ ~", 12, palette.FAINT, "middle", is_bold=True),), "time is cut short here")


def _banners(layout: Layout) -> tuple[list[Group], list[Group]]:
    """Their boxes, which messages on their way pass over, and their words, which they pass under."""
    boxes, words = [], []
    for row, banner in sorted(layout.rows.banners.items()):
        top = layout.row_tops[row]
        lines, width = banner_words(banner, layout.width), layout.width - GUTTER - 6
        fill, edge, ink = palette.ENDED if banner.what in {"mended", "released"} else palette.BEGUN
        title = f"at {banner.at_ms} ms {banner.text}"
        boxes.append(Group((Box(GUTTER, top, width, lines.height, fill, edge, radius=3),), title))
        labels = lines.draw(GUTTER + width / 2, top, ink)
        words.append(Group(tuple(label._replace(ground=fill) for label in labels), title))
    return boxes, words


def _frames(layout: Layout) -> list[Group]:
    """Around the cards in which a promise was broken."""
    groups = []
    for card in layout.broken:
        look = layout.looks[id(card)]
        left, top = layout.middles[card.node] - look.width / 2, layout.row_tops[card.row]
        frame = Box(left - 2, top - 2, look.width + 4, look.height + 4, "none", palette.FAULT, 2.5, radius=5)
        groups.append(Group((frame,), look.title()))
    return groups


def _cards(layout: Layout) -> list[Group]:
    return [layout.looks[id(card)].draw(layout.middles[card.node], layout.row_tops[card.row]) for card in layout.rows.all_cards()]


# ---------------------------------------------------------------- messages


def _face(route: Route, layout: Layout) -> Face:
    colour = palette.FAULT if route.mark == "cross" else palette.LATE if route.is_late else palette.TEXT
    dash = (5.0, 3.0) if route.is_late else ()
    marks, way = _marks(route, colour)
    label = None
    if route.label_at is not None:
        label = Label(*route.label_at, route.label, LABEL_SIZE, colour, "middle", ground=palette.GROUND)
    kind = {"cross": "lost", "open": "open"}.get(route.mark, "late" if route.is_late else "arrived")
    fate = _fate(route, layout)
    title = message_sentence(route.flight.send, fate)
    return Face(
        route.flight.message, kind, Line(way, colour, 1.2, dash), marks, label, (route.points[0], route.points[-1]), title
    )


def _fate(route: Route, layout: Layout) -> str:
    flight = route.flight
    if flight.lost is not None and route.mark == "cross":
        return f"lost: {flight.lost}"
    if route.mark == "open":
        return "still under way when this picture ends"
    cards = [layout.rows.card_of[number] for number in flight.arrivals if number in layout.rows.card_of]
    at_ms = " and ".join(str(card.moments[-1].at_ms) for card in cards)
    late = ", after one that was sent later" if flight.is_overtaken else ""
    return f"arrived at {at_ms} ms{late}"


def _marks(route: Route, colour: str) -> tuple[tuple[Line | Polygon, ...], tuple[Corner, ...]]:
    """What stands at the end of a way, and the way up to there."""
    points = route.points
    x, y = points[-1]
    if route.mark == "cross":
        arms = (((x - _CROSS, y - _CROSS), (x + _CROSS, y + _CROSS)), ((x - _CROSS, y + _CROSS), (x + _CROSS, y - _CROSS)))
        return tuple(Line(arm, colour, 2.0) for arm in arms), points
    before = points[-2]
    length = math.hypot(x - before[0], y - before[1]) or 1.0
    ahead = ((x - before[0]) / length, (y - before[1]) / length)
    root = (x - ahead[0] * _HEAD_LENGTH, y - ahead[1] * _HEAD_LENGTH)
    sides = [(root[0] - ahead[1] * half, root[1] + ahead[0] * half) for half in (_HEAD_HALF, -_HEAD_HALF)]
    if route.mark == "open":
        return open_dots((x, y), ahead, colour), (*points[:-1], (x - ahead[0] * OPEN_REACH, y - ahead[1] * OPEN_REACH))
    return (Polygon(((x, y), sides[0], sides[1]), colour),), (*points[:-1], root)
