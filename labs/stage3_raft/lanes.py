"""A part of a group's run for a terminal: a line for each node from top to bottom, an arrow for each message, a row a step.

        ms   n1                  n2                  n3
       120   |                   * T2 candidate      |
       121   *<-----vote? T2-----|                   |
             | votes for n2      |                   |

and the same steps told in sentences, with the same times. What is in a row is decided in `mq.sim.spacetime.window`.
"""

import textwrap
from collections.abc import Iterator, Sequence

from mq.sim.spacetime.logbook import Cell, Strip
from mq.sim.spacetime.story import Banner, Flight, Moment
from mq.sim.spacetime.window import Selection
from mq.sim.spacetime.wording import flag, message_label

__all__ = ["HERE", "LEGEND", "sentences_of", "text_picture"]

HERE = "<== here it broke"
LEGEND = (
    "--> a message, where it arrives   x it was lost   * a node does something   T3 term 3",
    "log 1 1| (2) the terms of its entries; before the stroke: known here to be committed; in brackets: not durable yet;",
    "   ..9 entries up to 9 are in a snapshot, or left out here",
)
_WIDTHS = {1: 30, 2: 26, 3: 22, 4: 17}
"""Characters from one line to the next, by the number of nodes."""
_WIDTH_MIN, _LAST_WIDTH, _CELLS_MAX = 16, 30, 8
_HEAD = 9
"""Characters before the first line."""
_BLANK, _HYPHEN = "\xa0", "\u2011"
"""Where no line is broken."""


def sentences_of(selection: Selection) -> list[str]:
    """What happened, a sentence for each step."""
    return [_sentence(step, selection) for step in selection.steps]


def text_picture(selection: Selection) -> list[str]:
    """A row for each step, and one for how the nodes are before the first."""
    drawn = _Rows(selection, _WIDTHS.get(len(selection.nodes), _WIDTH_MIN))
    lines = [f"{'ms':>6}   {drawn.names()}".rstrip(), *(" " * _HEAD + row for row in drawn.opening())]
    here = {_end_of(place, selection) for place, step in enumerate(selection.steps) if step.number in selection.marked}
    for step in selection.steps:
        rows = list(drawn.of(step, is_always=step.number in selection.marked))
        for place, cells in enumerate(rows):
            head = f"{step.at_ms:6}   " if place == 0 else " " * _HEAD
            tail = f"   {HERE.partition(' it')[0]}" if step.number in here and place == len(rows) - 1 else ""
            lines.append(f"{head}{cells.rstrip()}{tail}")
    return [*lines, "", *LEGEND]


def _end_of(place: int, selection: Selection) -> int:
    """The number of the step behind which it stands that it broke: what a step sent is drawn where that arrives, if at once."""
    step = selection.steps[place]
    sent, end = set(step.sent) if isinstance(step, Moment) else set[str](), step.number
    for later in selection.steps[place + 1 :]:
        if (
            not isinstance(later, Moment)
            or later.at_ms != step.at_ms
            or not later.received
            or not sent.issuperset(later.received)
        ):
            break
        end = later.number
    return end


class _Rows:
    """The lines of a step, each with all lanes."""

    def __init__(self, selection: Selection, width: int) -> None:
        self._selection, self._width = selection, width
        self._flights = {flight.message: flight for flight in selection.flights}

    def names(self) -> str:
        """Above the lines."""
        return "".join(node.ljust(self._width) for node in self._selection.nodes)

    def opening(self) -> list[str]:
        """What the nodes are before the first step, as far as it is known."""
        columns = []
        for node in self._selection.nodes:
            found = self._selection.openings.get(node)
            words = self._wrapped(f"T{found.condition.term} {found.condition.role}", self._width - 3) if found is not None else []
            if found is not None and found.strip is not None and (found.strip.cells or found.strip.before_index):
                words += self._wrapped(_log(found.strip, self._width - 3), self._width - 3)
            columns.append(words)
        return [
            "".join(f"| {words[line] if line < len(words) else ''}".ljust(self._width) for words in columns).rstrip()
            for line in range(max(map(len, columns), default=0))
        ]

    def of(self, step: Moment | Banner, *, is_always: bool = False) -> Iterator[str]:
        """None for a node that only sent something, or at least one (is_always)."""
        if isinstance(step, Banner):
            text = f" {step.text} "
            yield text.center(self._width * len(self._selection.nodes), "~")
            return
        lane = self._selection.nodes.index(step.node)
        told, is_begun = self._told(step, lane), False
        for message in step.received:
            if (flight := self._flights.get(message)) is not None and flight.send.node in self._selection.nodes:
                is_from_left = self._selection.nodes.index(flight.send.node) < lane
                row = self._arrow(flight, lane)
                if is_from_left and told:
                    row = self._with(row, lane, told.pop(0))
                is_begun = True
                yield "".join(row)
        for place, text in enumerate(told):
            yield "".join(self._with(self._empty(), lane, text, sign="*" if place == 0 and not is_begun else "|"))
        lost = [flight for message in step.sent if (flight := self._flights.get(message)) is not None and flight.lost is not None]
        for flight in lost:
            yield "".join(self._lost(flight, lane))
        is_elsewhere = step.sent and not is_always  # the arrows are drawn where they arrive
        if not (told or lost or is_begun or is_elsewhere):
            yield "".join(self._with(self._empty(), lane, ""))

    def _told(self, moment: Moment, lane: int) -> list[str]:
        """What it is now and what it did, in lines that fit beside its own."""
        is_last = lane == len(self._selection.nodes) - 1
        room = _LAST_WIDTH if is_last else self._width - 3
        return self._wrapped(", ".join(_facts(moment, room)), room)

    @staticmethod
    def _wrapped(text: str, room: int) -> list[str]:
        lines = textwrap.wrap(text.replace("-", _HYPHEN), room, break_long_words=False)
        return [line.replace(_BLANK, " ").replace(_HYPHEN, "-") for line in lines]

    def _empty(self) -> list[str]:
        cells = [" "] * (self._width * len(self._selection.nodes) + _LAST_WIDTH)
        for lane in range(len(self._selection.nodes)):
            cells[lane * self._width] = "|"
        return cells

    def _with(self, cells: list[str], lane: int, text: str, sign: str = "*") -> list[str]:
        at = lane * self._width
        cells[at : at + 2 + len(text)] = list(f"{sign} {text}")
        return cells

    def _arrow(self, flight: Flight, lane: int) -> list[str]:
        cells, source = self._empty(), self._selection.nodes.index(flight.send.node)
        left, right = sorted((source, lane))
        room = (right - left) * self._width - 2
        body = _label(flight).center(room, "-")[:room]
        text = f"|{body}>" if source < lane else f"<{body}|"
        begin = left * self._width + (1 if source > lane else 0)
        cells[begin : begin + len(text)] = list(text)
        cells[lane * self._width] = "*"
        return cells

    def _lost(self, flight: Flight, lane: int) -> list[str]:
        cells, at = self._empty(), lane * self._width
        label = f"{_label(flight)} to {flight.to}"
        is_rightwards = flight.to in self._selection.nodes and self._selection.nodes.index(flight.to) > lane
        if is_rightwards or at < len(label) + 5:
            text = f"|--{label}--x"
            cells[at : at + len(text)] = list(text)
        else:
            text = f"x--{label}--|"
            cells[at - len(text) + 1 : at + 1] = list(text)
        return cells


def _label(flight: Flight) -> str:
    """At its arrow. The answer to a question names its term, which may be another one than that of who answers or who asks."""
    is_about_a_term = flight.send.text("kind") == "vote-reply" and flag(flight.send.details["pre"])
    return message_label(flight.send) + (f" T{flight.send.details['term']}" if is_about_a_term else "")


def _facts(moment: Moment, room: int = 60) -> Iterator[str]:
    """Short words: what it is now, and what it did; the log in so many characters."""
    if moment.chip is not None and moment.chip.role != "down":
        yield f"T{moment.chip.term} {moment.chip.role}"
    yield from dict.fromkeys(note.text for note in (*moment.asides, *moment.notes))
    if moment.strip is not None and (moment.strip.cells or moment.strip.before_index):
        yield _log(moment.strip, room)


def _log(strip: Strip, room: int) -> str:
    """Terms of its entries, or of the newest ones, as many as there is room for. It stands in one line."""
    count = min(_CELLS_MAX, len(strip.cells))
    while True:
        cells = strip.cells[len(strip.cells) - count :]
        first = cells[0].index if cells else strip.before_index + len(strip.cells) + 1
        text = f"log {f'..{first - 1} ' if first > 1 else ''}{' '.join(map(_term, cells))}".rstrip()
        committed = [place for place, cell in enumerate(cells) if cell.is_committed]
        if committed:
            words = text.split(" ")
            words[len(words) - len(cells) + committed[-1]] += "|"
            text = " ".join(words)
        if len(text) <= room or count == 0:
            return text.replace(" ", _BLANK)
        count -= 1


def _term(cell: Cell) -> str:
    return str(cell.term) if cell.is_durable else f"({cell.term})"


# --- sentences


def _sentence(step: Moment | Banner, selection: Selection) -> str:
    if isinstance(step, Banner):
        return f"{step.at_ms} ms: the network: {step.text}"
    flights = {flight.message: flight for flight in selection.flights}
    parts = [
        f"hears {_label(flight)} from {flight.send.node}"
        for message in step.received
        if (flight := flights.get(message)) is not None
    ]
    if step.chip is not None and step.chip.role != "down":
        parts.append(f"is a {step.chip.role} in term {step.chip.term}")
    parts += [text.replace(_BLANK, " ") for text in _facts(step) if not text.startswith("T")]
    parts += _sends([flights[message] for message in step.sent if message in flights])
    told = f"{step.at_ms} ms, {step.node}: {'; '.join(parts) or 'goes on'}"
    return f"{told}   {HERE}" if step.number in selection.marked else told


def _sends(flights: Sequence[Flight]) -> Iterator[str]:
    """Equal ones together."""
    by_label: dict[str, list[str]] = {}
    for flight in flights:
        lost = " (lost)" if flight.lost is not None else ""
        by_label.setdefault(_label(flight), []).append(flight.to + lost)
    for label, to in by_label.items():
        yield f"sends {label} to {' and '.join(dict.fromkeys(to))}"
