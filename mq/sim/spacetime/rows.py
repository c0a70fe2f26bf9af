"""In which row a moment stands. Time runs downwards in the order of events: one row for all that may as well happen at once.

A row never lies above one that is clearly earlier; a moment lies below the one before it on its node, and below those whose
messages reach it. What a node only hears is drawn together with what it does next.
"""

from dataclasses import dataclass, field

from mq.sim.spacetime.story import Banner, Flight, Moment
from mq.sim.spacetime.window import Opening, Selection

__all__ = ["Card", "Rows", "arrange"]

_DELAY_ROWS_MAX, _DELAY_MS_MAX = 1, 20
"""How much later than it happened something may be drawn that a node only heard."""
_LEVEL_MS, _LEVEL_ROWS_MAX = 8, 3
"""What happens within so many ms on nodes that do not depend on each other counts as happening at once; so far up it may go."""


@dataclass(slots=True)
class Card:
    """What is drawn of one node in one row: moments, or how it stands when the window begins."""

    node: str
    row: int
    moments: list[Moment] = field(default_factory=list)
    opening: Opening | None = None


@dataclass(slots=True)
class Rows:
    """cards: by node, from above. row_of, card_of: of a moment's number. times: at which virtual time a row begins."""

    count: int = 0
    cards: dict[str, list[Card]] = field(default_factory=dict)
    banners: dict[int, Banner] = field(default_factory=dict)
    card_of: dict[int, Card] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)

    def all_cards(self) -> list[Card]:
        """All of them, by row."""
        return sorted((card for cards in self.cards.values() for card in cards), key=lambda card: card.row)


class _Arranger:
    def __init__(self, selection: Selection) -> None:
        self.rows = Rows(cards={node: [] for node in selection.nodes})
        self._drawn = {flight.message: flight for flight in selection.flights}
        for node, opening in selection.openings.items():
            self.rows.cards[node].append(Card(node, 0, opening=opening))
        self._barrier = self.rows.count = 1 if selection.openings else 0

    def _row_of_senders(self, moment: Moment) -> int:
        flights = [self._drawn[message] for message in moment.received if message in self._drawn]
        return max((self._row_of_sender(flight) for flight in flights), default=-1)

    def _row_of_sender(self, flight: Flight) -> int:
        card = self.rows.card_of.get(flight.sent)
        return card.row if card is not None else 0

    def _is_quiet(self, card: Card) -> bool:
        """Whether the node only heard something, so that nothing hangs on when it did."""
        if card.opening is not None:
            return False
        return not any(moment.has_effect or any(sent in self._drawn for sent in moment.sent) for moment in card.moments)

    def place(self, step: Moment | Banner) -> None:
        """Give the next step its row."""
        if isinstance(step, Banner):
            row = self._barrier = self.rows.count
            self.rows.banners[row] = step
            self._note(row, step.at_ms)
            self._barrier += 1
            return
        row = max(self._level_of(step.at_ms), self._row_of_senders(step) + 1)
        cards = self.rows.cards[step.node]
        card = cards[-1] if cards else None
        if card is not None and self._is_heard_with(card, step, row):
            card.row = row
        else:
            card = Card(step.node, max(row, card.row + 1 if card else 0))
            cards.append(card)
        card.moments.append(step)
        self.rows.card_of[step.number] = card
        self._note(card.row, step.at_ms)

    def _is_heard_with(self, card: Card, step: Moment, row: int) -> bool:
        """Whether what a node heard is drawn together with this step, that is, in this row."""
        is_near = card.row <= row <= card.row + _DELAY_ROWS_MAX and self._is_quiet(card)
        return is_near and step.at_ms - card.moments[-1].at_ms <= _DELAY_MS_MAX

    def _level_of(self, at_ms: int) -> int:
        """The uppermost row in which this time may stand."""
        row = self.rows.count
        lowest = max(self._barrier, self.rows.count - _LEVEL_ROWS_MAX)
        while row > lowest and self.rows.times.get(row - 1, at_ms) >= at_ms - _LEVEL_MS:
            row -= 1
        return row

    def _note(self, row: int, at_ms: int) -> None:
        self.rows.count = max(self.rows.count, row + 1)
        self.rows.times.setdefault(row, at_ms)


def arrange(selection: Selection) -> Rows:
    """Rows and cards of what is drawn."""
    arranger = _Arranger(selection)
    for step in selection.steps:
        arranger.place(step)
    return arranger.rows
