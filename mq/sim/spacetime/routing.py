"""Which way each message takes between the cards, before anybody knows how high rows and gaps are. Gap k lies below row k."""

from collections import defaultdict
from dataclasses import dataclass, field

from mq.sim.spacetime.card import CardLook
from mq.sim.spacetime.flightpath import Crossing
from mq.sim.spacetime.rows import Card, Rows
from mq.sim.spacetime.scene import Corner
from mq.sim.spacetime.story import Flight
from mq.sim.spacetime.window import Selection
from mq.sim.spacetime.wording import flag, message_label, numbers

__all__ = ["Lanes", "Plan", "Route", "Router"]

_TRACK, _TRACK_MARGIN = 11.0, 5.0
_LATE_ROWS, _LATE_MS = 4, 20
_STUB_SHARE, _STUB_HIGHEST, _STUB_LOWEST = 0.44, 0.05, 0.95
"""How far a message that does not arrive reaches into the space between two lanes, and between which depths of the gap."""
_STUB_BELOW_OTHERS, _STUB_ALONE = 0.4, 0.6
"""The highest where others leave to the same side, which pass above it; the lowest of a single one, which others pass below."""


@dataclass(slots=True)
class Lanes:
    """middles: of each node's lane. pitch: from one to the next. channel: width between two lanes into which no card reaches.

    looks: by the cards' identity.
    """

    rows: Rows
    nodes: tuple[str, ...]
    middles: dict[str, float]
    pitch: float
    channel: float
    looks: dict[int, CardLook]


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
class Plan:
    """A route before heights are known. gaps: the crossings in their order, by gap. sender: its card, if it is drawn."""

    route: Route
    pieces: list[tuple[int, Crossing]] = field(default_factory=list)
    sender: Card | None = None


class Router:
    """Finds the ways between cards, in crossings of gaps. Gap k lies below row k."""

    def __init__(self, lanes: Lanes, selection: Selection) -> None:
        self.lanes, self.selection = lanes, selection
        self._tracks: dict[int, list[list[range]]] = defaultdict(list)
        self._track_counts: dict[int, int] = {}
        self._heads: dict[tuple[int, bool], list[str]] = self._find_heads()
        self._stubs: dict[tuple[int, bool], list[str]] = defaultdict(list)
        self._departures: set[tuple[int, bool]] = set()
        self._find_stubs()

    def _cards_of(self, flight: Flight) -> tuple[Card | None, list[Card]]:
        cards = self.lanes.rows.card_of
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

    def _find_stubs(self) -> None:
        """Of each card and either side, the messages that do not arrive, farthest first, and whether others leave there."""
        for flight in sorted(self.selection.flights, key=self._distance, reverse=True):
            sender, receivers = self._cards_of(flight)
            place = (id(sender), self._is_from_left(flight))
            if sender is not None and not receivers:
                self._stubs[place].append(flight.message)
            elif sender is not None:
                self._departures.add(place)

    def _is_from_left(self, flight: Flight) -> bool:
        return self.lanes.middles[flight.send.node] < self.lanes.middles[flight.to]

    def _distance(self, flight: Flight) -> float:
        return abs(self.lanes.middles[flight.send.node] - self.lanes.middles[flight.to])

    def _head_x(self, flight: Flight, card: Card) -> float:
        """Where on the card's upper edge a message ends: those from afar on the outside, so that lines do not cross there."""
        is_from_left = self._is_from_left(flight)
        messages = self._heads[id(card), is_from_left]
        reach = self.lanes.looks[id(card)].width / 2 - 4
        spread = min(13.0, max(0.0, reach - 4) / max(1, len(messages) - 1))
        outward = 4 + spread * (len(messages) - 1 - messages.index(flight.message)) if reach > 4 else 0.0
        return self.lanes.middles[card.node] + (-outward if is_from_left else outward)

    def _tail_x(self, flight: Flight, card: Card | None) -> float:
        middle = self.lanes.middles[flight.send.node]
        reach = min(12.0, self.lanes.looks[id(card)].width / 2 - 4) if card is not None else 4.0
        return middle + (max(0.0, reach) if self._is_from_left(flight) else -max(0.0, reach))

    def plans(self) -> list[Plan]:
        """All ways, in the order of sending. Tracks are counted first, so that those of a full channel stand closer."""
        self._plans()
        self._track_counts = {boundary: len(tracks) for boundary, tracks in self._tracks.items()}
        self._tracks.clear()
        return self._plans()

    def _plans(self) -> list[Plan]:
        plans = []
        for flight in self.selection.flights:
            sender, receivers = self._cards_of(flight)
            plans += [self._arriving(flight, sender, card, is_first=card is receivers[0]) for card in receivers]
            if not receivers and sender is not None:
                plans.append(self._ending(flight, sender))
        return plans

    def _arriving(self, flight: Flight, sender: Card | None, card: Card, *, is_first: bool) -> Plan:
        row = sender.row if sender is not None else 0
        is_slow = card.row - row >= _LATE_ROWS and card.moments[-1].at_ms - flight.send.at_ms >= _LATE_MS
        is_late = flight.is_overtaken or is_slow or not is_first
        label = self._label(flight, card)
        route = Route(flight, "head", is_late, label if is_first else "again: " + label)
        plan = Plan(route, sender=sender)
        x, to_x = self._tail_x(flight, sender), self._head_x(flight, card)
        if card.row == row + 1:
            plan.pieces.append((row, Crossing(flight.message, x, to_x, 1.0, route.label, "head")))
            return plan
        channel_x = self._channel_x(flight, range(row + 1, card.row))
        is_long = abs(channel_x - x) > self.lanes.pitch * 0.75 or is_late
        first, last = (route.label, "") if is_long and not is_late else ("", route.label)
        if abs(channel_x - x) >= abs(to_x - channel_x) + 4:
            first, last = route.label, ""
        plan.pieces.append((row, Crossing(flight.message, x, channel_x, 1.0, first, "")))
        plan.pieces.append((card.row - 1, Crossing(flight.message, channel_x, to_x, 1.0, last, "head")))
        return plan

    def _ending(self, flight: Flight, sender: Card) -> Plan:
        """Of a message that was lost, or that is still under way when the picture ends.

        It ends in the space beside its sender's lane, wherever it was to go, so that it does not seem to reach another lane;
        and before the middle, so that two that go towards each other do not meet.
        """
        is_from_left = self._is_from_left(flight)
        mark = "cross" if flight.lost is not None else "open"
        route = Route(flight, mark, is_late=False, label=f"{message_label(flight.send)} → {flight.to}")
        x, reach = self._tail_x(flight, sender), _STUB_SHARE * self.lanes.pitch
        end = self.lanes.middles[flight.send.node] + (reach if is_from_left else -reach)
        stubs = self._stubs[id(sender), is_from_left]
        upper = _STUB_BELOW_OTHERS if (id(sender), is_from_left) in self._departures else _STUB_HIGHEST
        lower = _STUB_LOWEST if len(stubs) > 1 or upper > _STUB_HIGHEST else _STUB_ALONE
        depth = upper + (lower - upper) * (stubs.index(flight.message) + 1) / (len(stubs) + 1)
        return Plan(route, [(sender.row, Crossing(flight.message, x, end, depth, route.label, mark))], sender)

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
        boundary = self.lanes.middles[flight.to] + side * self.lanes.pitch / 2
        tracks = self._tracks[round(boundary)]
        free = [all(rows.stop <= other.start or other.stop <= rows.start for other in used) for used in tracks]
        place = free.index(True) if True in free else len(tracks)
        if place == len(tracks):
            tracks.append([])
        tracks[place].append(rows)
        outermost = (self._track_counts.get(round(boundary), 1)) // 2
        spread = min(_TRACK, (self.lanes.channel / 2 - _TRACK_MARGIN) / max(1, outermost))
        return boundary + (place + 1) // 2 * spread * (1 if place % 2 else -1)
