"""How a card looks: the chip with role and term, a line for each thing that happened, and the log as a strip of cells.

A node that only heard or said something is a dot. Widths are bounded by the lane; what is too long goes on in the next line.
"""

from dataclasses import dataclass

from mq.sim.spacetime import palette
from mq.sim.spacetime.cells import StripLook, strip_look
from mq.sim.spacetime.rows import Card
from mq.sim.spacetime.scene import Box, Group, Label, Shape, text_width
from mq.sim.spacetime.story import Condition, Note
from mq.sim.spacetime.typesetting import wrap

__all__ = ["BROKEN_HERE", "CardLook", "Words", "draw_dot", "look_of"]

BROKEN_HERE = Note("broken here", "fault")
"""The first line of a card in which a promise was broken."""
_PAD, _CHIP, _CHIP_LINE, _NOTE, _NOTE_LINE, _DOT = 5.0, 19.0, 13.0, 15.0, 13.5, 9.0
_CHIP_SIZES, _NOTE_SIZE = (12.0, 11.0, 10.0), 11.0
_TONES = {
    "plain": palette.TEXT, "vote": palette.TEXT, "commit": palette.TEXT, "client": palette.CLIENT, "fault": palette.FAULT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Words:
    """Lines that belong together. height: of all of them, the first one being so high, each further one so much."""

    lines: tuple[str, ...]
    size: float
    is_bold: bool
    first: float
    further: float

    @property
    def width(self) -> float:
        """Of the widest line."""
        return max(text_width(line, self.size, is_bold=self.is_bold) for line in self.lines)

    @property
    def height(self) -> float:
        """Of all lines."""
        return self.first + self.further * (len(self.lines) - 1)

    def draw(self, middle: float, top: float, colour: str) -> list[Label]:
        """Line below line."""
        y = top + self.first / 2
        return [
            Label(middle, y + n * self.further, line, self.size, colour, "middle", self.is_bold)
            for n, line in enumerate(self.lines)
        ]


@dataclass(frozen=True, slots=True)
class CardLook:
    """What is drawn of a card. chip_words, note_words: how chip and notes are set. width, height: of the whole."""

    card: Card
    chip: Condition | None
    notes: tuple[Note, ...]
    strip: StripLook | None
    chip_words: Words | None
    note_words: tuple[Words, ...]
    width: float
    height: float

    @property
    def is_dot(self) -> bool:
        """Whether the node only heard or said something."""
        return self.chip is None and not self.notes and self.strip is None

    def draw(self, middle: float, top: float) -> Group:
        """The card's shapes, below `top` and around the rail at `middle`."""
        left = middle - self.width / 2
        if self.is_dot:
            return Group(tuple(draw_dot(left, top)), self.title())
        shapes: list[Shape] = [Box(left, top, self.width, self.height, palette.GROUND, palette.EDGE, radius=4)]
        y = top
        if self.chip is not None and self.chip_words is not None:
            fill, ink, _ = palette.role_colours(self.chip.role)
            shapes.append(Box(left, y, self.width, self.chip_words.height, fill, palette.EDGE, radius=4))
            shapes += self.chip_words.draw(middle, y, ink)
            y += self.chip_words.height
        y += _PAD / 2
        for note, words in zip(self.notes, self.note_words, strict=True):
            shapes += words.draw(middle, y, _TONES[note.tone])
            y += words.height
        if self.strip is not None:
            shapes += self.strip.draw(middle, y + 1)
        return Group(tuple(shapes), self.title())

    def title(self) -> str:
        """All that happened, as the lines of the trace."""
        if self.card.opening is not None:
            condition = self.card.opening.condition
            return f"{self.card.node} when this window begins: {condition.role} in term {condition.term}"
        events = [event for moment in self.card.moments for event in moment.events]
        return "\n".join(" ".join(event.to_line().split()) for event in events)


def draw_dot(x: float, y: float) -> list[Shape]:
    """What stands for a node that only heard or said something."""
    return [Box(x, y, _DOT, _DOT, palette.TEXT, palette.GROUND, radius=_DOT / 2)]


def _chip_text(condition: Condition) -> str:
    text = "down" if condition.role == "down" else f"T{condition.term} {condition.role}"
    return text + (", paused" if condition.is_paused else "")


def _chip_words(condition: Condition, width: float) -> Words:
    """In smaller type rather than in two lines."""
    text = _chip_text(condition)
    size = next((size for size in _CHIP_SIZES if text_width(text, size, is_bold=True) <= width), _CHIP_SIZES[-1])
    return Words(wrap(text, size, width, is_bold=True), size, True, _CHIP, _CHIP_LINE)  # noqa: FBT003 - a field of a fact


def _note_words(note: Note, width: float) -> Words:
    is_bold = note.tone in {"commit", "fault"}
    return Words(wrap(note.text, _NOTE_SIZE, width, is_bold=is_bold), _NOTE_SIZE, is_bold, _NOTE, _NOTE_LINE)


def look_of(card: Card, width_max: float, *, is_broken: bool = False) -> CardLook:
    """What is drawn of a card in a lane that is so wide. is_broken: whether a promise was broken in it."""
    chip, strip, notes = None, None, [BROKEN_HERE] if is_broken else []
    if card.opening is not None:
        chip, strip = card.opening
        strip = strip if strip and (strip.cells or strip.before_index) else None
    for moment in card.moments:
        chip, strip = moment.chip or chip, moment.strip or strip
        notes += moment.asides + moment.notes
    kept, room = tuple(dict.fromkeys(notes)), width_max - 2 * _PAD
    if not (chip or kept or strip):
        return CardLook(card, None, (), None, None, (), _DOT, _DOT)
    chip_words = _chip_words(chip, room) if chip else None
    note_words = tuple(_note_words(note, room) for note in kept)
    look = strip_look(strip, room) if strip else None
    parts = [part for part in (chip_words, *note_words, look) if part is not None]
    height = _PAD * (1.0 if kept or strip else 0.0) + sum(part.height for part in parts)
    extra = 4.0 if chip else 0.0
    width = max(part.width + (extra if part is chip_words else 0.0) for part in parts) + 2 * _PAD
    return CardLook(card, chip, kept, look, chip_words, note_words, min(width, width_max), height)
