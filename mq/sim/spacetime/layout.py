"""From rows to places: lanes, heights, rails, and the ways of the messages. Everything here is arithmetic.

Lanes stand side by side, time runs downwards, and the picture is as wide as a notebook's cell.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mq.sim.spacetime.card import CardLook, look_of
from mq.sim.spacetime.flightpath import Crossing, Placed, place_labels
from mq.sim.spacetime.rows import Card, Rows
from mq.sim.spacetime.scene import Corner
from mq.sim.spacetime.story import Flight, Moment
from mq.sim.spacetime.window import Selection
from mq.sim.spacetime.wording import flag, message_label, numbers

__all__ = ["BANNER", "GUTTER", "TOP", "WIDTH", "Layout", "Route", "lay_out"]

WIDTH, GUTTER, TOP, BANNER = 900.0, 62.0, 58.0, 19.0
"""In CSS pixels: the picture, the column of times, the title with the nodes' names, and the height of a banner."""
_EDGE, _CHANNEL, _GAP, _DOWN_GAP, _LANE_MAX = 8.0, 34.0, 9.0, 24.0, 300.0
_TRACK, _TRACKS_REACH, _BEND = 7.0, 12.0, 9.0
_LATE_ROWS, _LATE_MS, _LOST_SHARE = 4, 20, 0.46


@dataclass(slots=True)
class Route:
    """One way of one message. points: from end to end. mark: "head", "cross" or "open". label_at: the middle of its words."""

    flight: Flight
    mark: str
    is_late: bool
    label: str
    points: tuple[Corner, ...] = ()
    label_at: Corner | None = None


@dataclass(slots=True)
class _Plan:
    """A route before heights are known. gaps: the crossings in their order, by gap. sender: its card, if it is drawn."""

    route: Route
    pieces: list[tuple[int, Crossing]] = field(default_factory=list)
    sender: Card | None = None


@dataclass(slots=True)
class Layout:
    """row_tops, row_bottoms: of each row. middles: of each node's lane. looks: by the cards' identity."""

    rows: Rows
    nodes: tuple[str, ...]
    middles: dict[str, float]
    pitch: float
    looks: dict[int, CardLook]
    row_tops: list[float] = field(default_factory=list)
    row_bottoms: list[float] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    bottom: float = 0.0


def lay_out(selection: Selection, rows: Rows) -> Layout:
    """Where everything stands."""
    pitch = min(_LANE_MAX, (WIDTH - GUTTER - _EDGE) / len(selection.nodes))
    left = GUTTER + (WIDTH - GUTTER - _EDGE - pitch * len(selection.nodes)) / 2
    middles = {node: left + pitch * (place + 0.5) for place, node in enumerate(selection.nodes)}
    looks = {id(card): look_of(card, pitch - _CHANNEL) for card in rows.all_cards()}
    layout = Layout(rows, selection.nodes, middles, pitch, looks)
    plans = _Router(layout, selection).plans()
    _set_heights(layout, plans)
    return layout


class _Router:
    """Finds the ways between cards, in crossings of gaps. Gap k lies below row k."""

    def __init__(self, layout: Layout, selection: Selection) -> None:
        self.layout, self.selection = layout, selection
        self.moments = {step.number: step for step in selection.steps if isinstance(step, Moment)}
        self._tracks: dict[int, list[list[range]]] = defaultdict(list)
        self._track_counts: dict[int, int] = {}
        self._heads: dict[tuple[int, bool], list[str]] = self._find_heads()

    def _cards_of(self, flight: Flight) -> tuple[Card | None, list[Card]]:
        cards = self.layout.rows.card_of
        return cards.get(flight.sent), [cards[number] for number in flight.arrivals if number in cards]

    def _find_heads(self) -> dict[tuple[int, bool], list[str]]:
        """Of each card, the messages that reach it from the left and from the right, outermost (from farthest away) first."""
        heads: dict[tuple[int, bool], list[str]] = defaultdict(list)
        for flight in self.selection.flights:
            for card in self._cards_of(flight)[1]:
                heads[id(card), self._is_from_left(flight)].append(flight.message)
        flights = {flight.message: flight for flight in self.selection.flights}
        for messages in heads.values():
            messages.sort(key=lambda message: (-self._distance(flights[message]), flights[message].sent))
        return heads

    def _is_from_left(self, flight: Flight) -> bool:
        return self.layout.middles[flight.send.node] < self.layout.middles[flight.to]

    def _distance(self, flight: Flight) -> float:
        return abs(self.layout.middles[flight.send.node] - self.layout.middles[flight.to])

    def _head_x(self, flight: Flight, card: Card) -> float:
        """Where on the card's upper edge a message ends: those from afar on the outside, so that lines do not cross there."""
        is_from_left = self._is_from_left(flight)
        messages = self._heads[id(card), is_from_left]
        reach = self.layout.looks[id(card)].width / 2 - 4
        spread = min(13.0, max(0.0, reach - 4) / len(messages))
        outward = 4 + spread * (len(messages) - 1 - messages.index(flight.message)) if reach > 4 else 0.0
        return self.layout.middles[card.node] + (-outward if is_from_left else outward)

    def _tail_x(self, flight: Flight, card: Card | None) -> float:
        middle = self.layout.middles[flight.send.node]
        reach = min(12.0, self.layout.looks[id(card)].width / 2 - 4) if card is not None else 4.0
        return middle + (max(0.0, reach) if self._is_from_left(flight) else -max(0.0, reach))

    def plans(self) -> list[_Plan]:
        """All ways, in the order of sending. Tracks are counted first, so that those of a full channel stand closer."""
        self._plans()
        self._track_counts = {boundary: len(tracks) for boundary, tracks in self._tracks.items()}
        self._tracks.clear()
        return self._plans()

    def _plans(self) -> list[_Plan]:
        plans = []
        for flight in self.selection.flights:
            sender, receivers = self._cards_of(flight)
            plans += [self._arriving(flight, sender, card, is_first=card is receivers[0]) for card in receivers]
            if not receivers and sender is not None:
                plans.append(self._ending(flight, sender))
        return plans

    def _arriving(self, flight: Flight, sender: Card | None, card: Card, *, is_first: bool) -> _Plan:
        row = sender.row if sender is not None else 0
        is_slow = card.row - row >= _LATE_ROWS and card.moments[-1].at_ms - flight.send.at_ms >= _LATE_MS
        is_late = flight.is_overtaken or is_slow or not is_first
        label = self._label(flight, card)
        route = Route(flight, "head", is_late, label if is_first else "again: " + label)
        plan = _Plan(route, sender=sender)
        x, to_x = self._tail_x(flight, sender), self._head_x(flight, card)
        if card.row == row + 1:
            plan.pieces.append((row, Crossing(flight.message, x, to_x, 1.0, route.label, "head")))
            return plan
        channel_x = self._channel_x(flight, range(row + 1, card.row))
        is_long = abs(channel_x - x) > self.layout.pitch * 0.75 or is_late
        first, last = (route.label, "") if is_long and not is_late else ("", route.label)
        if abs(channel_x - x) >= abs(to_x - channel_x) + 4:
            first, last = route.label, ""
        plan.pieces.append((row, Crossing(flight.message, x, channel_x, 1.0, first, "")))
        plan.pieces.append((card.row - 1, Crossing(flight.message, channel_x, to_x, 1.0, last, "head")))
        return plan

    def _ending(self, flight: Flight, sender: Card) -> _Plan:
        """Of a message that was lost, or that is still under way when the picture ends."""
        mark = "cross" if flight.lost is not None else "open"
        route = Route(flight, mark, is_late=False, label=message_label(flight.send))
        x = self._tail_x(flight, sender)
        target = self.layout.middles[flight.to] + (-10 if self._is_from_left(flight) else 10)
        # Before the middle, so that two that go towards each other do not meet.
        crossing = Crossing(flight.message, x, x + _LOST_SHARE * (target - x), _LOST_SHARE, route.label, mark)
        return _Plan(route, [(sender.row, crossing)], sender)

    def _label(self, flight: Flight, card: Card) -> str:
        label = message_label(flight.send)
        is_commit = any(note.tone == "commit" for moment in card.moments for note in moment.notes)
        if flight.send.text("kind") == "append-request" and not numbers(flight.send.details["terms"]) and is_commit:
            label = f"committed {flight.send.details['commit']}"
        if not flight.is_stale or flag(flight.send.details.get("pre", 0)):
            return label
        return f"old {label}" if flight.send.text("kind") == "vote-request" else f"{label}, old T{flight.send.details['term']}"

    def _channel_x(self, flight: Flight, rows: range) -> float:
        """The channel before the receiver's lane, in a track that nothing else uses in these rows."""
        side = -1 if self._is_from_left(flight) else 1
        boundary = self.layout.middles[flight.to] + side * self.layout.pitch / 2
        tracks = self._tracks[round(boundary)]
        free = [all(rows.stop <= other.start or other.stop <= rows.start for other in used) for used in tracks]
        place = free.index(True) if True in free else len(tracks)
        if place == len(tracks):
            tracks.append([])
        tracks[place].append(rows)
        outermost = (self._track_counts.get(round(boundary), 1)) // 2
        spread = min(_TRACK, _TRACKS_REACH / max(1, outermost))
        return boundary + (place + 1) // 2 * spread * (1 if place % 2 else -1)


def _set_heights(layout: Layout, plans: Sequence[_Plan]) -> None:
    """Place rows and gaps below each other, and with them the points of all ways."""
    rows = layout.rows
    by_gap: dict[int, list[tuple[_Plan, Crossing]]] = defaultdict(list)
    for plan in plans:
        for gap, crossing in plan.pieces:
            by_gap[gap].append((plan, crossing))
    heights = [BANNER if row in rows.banners else 0.0 for row in range(rows.count)]
    for card in rows.all_cards():
        heights[card.row] = max(heights[card.row], layout.looks[id(card)].height)
    downs = {card.row for card in rows.all_cards() if card.moments and card.moments[-1].after.role == "down"}
    y = TOP
    gaps: list[Placed] = []
    for row, height in enumerate(heights):
        layout.row_tops.append(y)
        layout.row_bottoms.append(y + height)
        placed = Placed(_DOWN_GAP if row in downs else _GAP if height else 0.0, {})
        if by_gap[row]:
            placed = place_labels(
                [crossing for _, crossing in by_gap[row]], tuple(layout.middles.values()), (GUTTER - 4, WIDTH - 2)
            )
        for number, (plan, _) in enumerate(by_gap[row]):
            if number in placed.middles:
                x, at = placed.middles[number]
                plan.route.label_at = (x, y + height + at)
        gaps.append(placed)
        y += height + placed.height
    layout.bottom = y
    layout.routes = [_finished(layout, plan, gaps) for plan in plans]


def _finished(layout: Layout, plan: _Plan, gaps: Sequence[Placed]) -> Route:
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
