"""From rows to places: lanes, heights, rails, and the ways of the messages. Everything here is arithmetic.

Lanes stand side by side, time runs downwards, and the picture is as wide as a notebook's cell.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mq.sim.spacetime.card import Words, look_of
from mq.sim.spacetime.flightpath import Crossing, Placed, place_labels
from mq.sim.spacetime.routing import Lanes, Plan, Route, Router
from mq.sim.spacetime.rows import Card, Rows
from mq.sim.spacetime.scene import Corner
from mq.sim.spacetime.story import Banner
from mq.sim.spacetime.typesetting import wrap
from mq.sim.spacetime.window import Selection

__all__ = ["GUTTER", "Layout", "banner_words", "lay_out", "width_of"]

GUTTER = 62.0
"""The column of times, in CSS pixels."""
_WIDTH, _WIDTH_MANY, _MANY = 900.0, 1000.0, 6
"""Of the picture, and of one with so many nodes or more."""
_BANNER, _BANNER_LINE, _BANNER_SIZE = 19.0, 14.0, 11.0
_CHANNEL_SHARE, _CHANNEL_MIN, _CHANNEL_MAX = 0.2, 34.0, 60.0
_SCALED_GAP_MAX = 150.0
"""A longer time in which nothing happens is cut short, and marked so."""
_EDGE, _GAP, _DOWN_GAP, _LANE_MAX = 8.0, 9.0, 24.0, 300.0
_BEND = 9.0


@dataclass(slots=True)
class Layout(Lanes):
    """row_tops, row_bottoms: of each row. cut_rows: below which more time went by than there is room for.

    width: of the picture. top: where the first row begins. broken: the cards in which a promise was broken.
    """

    row_tops: list[float] = field(default_factory=list)
    row_bottoms: list[float] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    bottom: float = 0.0
    cut_rows: list[int] = field(default_factory=list)
    width: float = _WIDTH
    top: float = 0.0
    broken: list[Card] = field(default_factory=list)


def width_of(selection: Selection) -> float:
    """How wide the picture is: as a notebook's cell."""
    return _WIDTH if len(selection.nodes) < _MANY else _WIDTH_MANY


def banner_words(banner: Banner, width: float) -> Words:
    """What is written in a banner in a picture of that width."""
    lines = wrap(banner.text, _BANNER_SIZE, width - GUTTER - 40, is_bold=True)
    return Words(lines, _BANNER_SIZE, True, _BANNER, _BANNER_LINE)  # noqa: FBT003 - a field of a fact


def lay_out(selection: Selection, rows: Rows, top: float, pixels_per_ms: float = 0.0) -> Layout:
    """Where everything stands, from `top` on.

    pixels_per_ms: of a time that is drawn to scale; 0 draws the order of events alone.
    """
    width = width_of(selection)
    pitch = min(_LANE_MAX, (width - GUTTER - _EDGE) / len(selection.nodes))
    left = GUTTER + (width - GUTTER - _EDGE - pitch * len(selection.nodes)) / 2
    middles = {node: left + pitch * (place + 0.5) for place, node in enumerate(selection.nodes)}
    channel = min(_CHANNEL_MAX, max(_CHANNEL_MIN, _CHANNEL_SHARE * pitch))
    broken = [card for number, card in rows.card_of.items() if number in selection.marked]
    marked = {id(card) for card in broken}
    looks = {id(card): look_of(card, pitch - channel, is_broken=id(card) in marked) for card in rows.all_cards()}
    layout = Layout(rows, selection.nodes, middles, pitch, channel, looks, width=width, top=top, broken=broken)
    plans = Router(layout, selection).plans()
    _set_heights(layout, plans, pixels_per_ms)
    return layout


def _set_heights(layout: Layout, plans: Sequence[Plan], pixels_per_ms: float) -> None:
    """Place rows and gaps below each other, and with them the points of all ways."""
    rows = layout.rows
    by_gap: dict[int, list[tuple[Plan, Crossing]]] = defaultdict(list)
    for plan in plans:
        for gap, crossing in plan.pieces:
            by_gap[gap].append((plan, crossing))
    heights = [banner_words(rows.banners[row], layout.width).height if row in rows.banners else 0.0 for row in range(rows.count)]
    for card in rows.all_cards():
        heights[card.row] = max(heights[card.row], layout.looks[id(card)].height)
    downs = {card.row for card in rows.all_cards() if card.moments and card.moments[-1].after.role == "down"}
    y = layout.top
    gaps: list[Placed] = []
    for row, height in enumerate(heights):
        layout.row_tops.append(y)
        layout.row_bottoms.append(y + height)
        wanted = _gap_to_scale(layout, row, height, pixels_per_ms)
        placed = Placed(max(wanted, _DOWN_GAP if row in downs else _GAP if height else 0.0), {})
        if by_gap[row]:
            crossings = [crossing for _, crossing in by_gap[row]]
            placed = place_labels(crossings, tuple(layout.middles.values()), (GUTTER - 4, layout.width - 2), wanted)
        for number, (plan, _) in enumerate(by_gap[row]):
            if number in placed.middles:
                x, at = placed.middles[number]
                plan.route.label_at = (x, y + height + at)
        gaps.append(placed)
        y += height + placed.height
    layout.bottom = y
    layout.routes = [_finished(layout, plan, gaps) for plan in plans]


def _gap_to_scale(layout: Layout, row: int, height: float, pixels_per_ms: float) -> float:
    """How far below this row the next one stands when time is drawn to scale."""
    at_ms = layout.rows.times.get(row, 0)
    gap = (layout.rows.times.get(row + 1, at_ms) - at_ms) * pixels_per_ms - height
    if gap > _SCALED_GAP_MAX:
        layout.cut_rows.append(row)
    return min(_SCALED_GAP_MAX, max(0.0, gap))


def _finished(layout: Layout, plan: Plan, gaps: Sequence[Placed]) -> Route:
    points: list[Corner] = []
    if plan.sender is not None:
        look = layout.looks[id(plan.sender)]
        points.append((plan.pieces[0][1].x, layout.row_tops[plan.sender.row] + look.height))
    for gap, crossing in plan.pieces:
        points += [(x, layout.row_bottoms[gap] + y) for x, y in crossing.way(gaps[gap].height)]
    plan.route.points = _rounded(list(dict.fromkeys(points)))
    return plan.route


def _rounded(points: Sequence[Corner]) -> tuple[Corner, ...]:
    """The same way with its corners rounded."""
    way: list[Corner] = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        reach = min(_BEND, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        start, end = _towards(corner, before, reach), _towards(corner, after, reach)
        for step in range(7):
            share = step / 6
            first, last = _between(start, corner, share), _between(corner, end, share)
            way.append(_between(first, last, share))
    return (*way, points[-1])


def _between(one: Corner, other: Corner, share: float) -> Corner:
    return (one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1]))


def _towards(one: Corner, other: Corner, reach: float) -> Corner:
    return _between(one, other, reach / (math.dist(one, other) or 1.0))
