"""The ways of messages between the rows, and where each one's label finds room.

Cards stand in rows; between two rows is a gap that belongs to the messages. A message crosses the gap below its sender
in a straight line. When its receiver stands further down, it waits in the channel beside the receiver's lane, where no
card reaches, and crosses the last gap then. One that does not arrive ends in the gap, beside its sender's lane. So no line
crosses a card, and labels only have to share the gaps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mq.sim.spacetime.scene import overlap, text_width

__all__ = ["LABEL_SIZE", "OPEN_REACH", "Crossing", "Placed", "place_labels"]

LABEL_SIZE = 10.5
_HEIGHTS = (26, 30, 34, 38, 42, 46, 52, 58, 64, 72, 80, 90, 100, 112, 126, 140, 160, 190, 230, 280)
_HEIGHT_MAX = 2000
_MARGIN_X, _MARGIN_Y, _HEAD, _CROSS = 6.0, 2.0, 5.5, 6.5
_ASIDES = (0.0, *(side * 13.0 * step for step in range(1, 5) for side in (-1, 1)))
OPEN_REACH = 17.0
"""Length of the dots in which a message ends that is still under way."""
_STUB_ASIDES = (-13.0, -16.0, 16.0)
"""How far above or below a stub its words may stand, since in narrow lanes they are longer than it."""
_BEYOND_STUB = 150
"""Hundredths of the stub's length at which the middle of such words may stand."""
_STUB_ON_A_RAIL = 9
"""What it costs to lie on a rail: more than to stand above the stub."""
_RAIL_HALF = 6.0
"""Of the widest one, a leader's."""
_DROP = 12.0
"""A message that arrives turns down for the last bit, so that its head stands upright on the card, beside those of others."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A straight piece of a message's way through one gap. until: share of the gap's height at which it ends, 1 at a card.

    A message that does not arrive ends in a stub: first straight down, and then level, so that several stand like lines of text.

    label: empty when the words of this message stand elsewhere. mark: "head", "cross", "open" or "" (it goes on).
    """

    message: str
    x: float
    to_x: float
    until: float
    label: str
    mark: str

    @property
    def is_stub(self) -> bool:
        """Whether the message does not arrive."""
        return self.mark in {"cross", "open"}

    def at(self, share: float, height: float) -> tuple[float, float]:
        """A point on it, of a stub on the level part. share: of its length."""
        if self.is_stub:
            return (self.x + share * (self.to_x - self.x), self.until * height)
        drop = _DROP if self.until == 1.0 else 0.0
        return (self.x + share * (self.to_x - self.x), share * (self.until * height - drop))

    def way(self, height: float) -> tuple[tuple[float, float], ...]:
        """All its corners."""
        start, end = self.at(0, height), self.at(1, height)
        if self.is_stub:
            return ((self.x, 0.0), start, end)
        return (start, end, (self.to_x, height)) if self.until == 1.0 else (start, end)


@dataclass(frozen=True, slots=True)
class Placed:
    """Of one gap: its height, and the middle of each label, by the place of its crossing."""

    height: float
    middles: dict[int, tuple[float, float]]


_Frame = tuple[float, float, float, float]


def _cuts(frame: _Frame, start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Whether a line goes through a frame."""
    low, high = 0.0, 1.0
    for axis in (0, 1):
        origin, way = start[axis], end[axis] - start[axis]
        near, far = frame[axis], frame[axis + 2]
        if abs(way) < 1e-9:
            if not near < origin < far:
                return False
            continue
        first, last = sorted(((near - origin) / way, (far - origin) / way))
        low, high = max(low, first), min(high, last)
    return low < high


def _marks(crossings: Sequence[Crossing], height: float) -> list[_Frame]:
    """The frames of heads and crosses."""
    frames = []
    for crossing in crossings:
        x, y = crossing.at(1, height)
        if crossing.mark == "head":
            frames.append((x - _HEAD, y - 2, x + _HEAD, height))
        elif crossing.mark == "open":
            back = x + math.copysign(OPEN_REACH, crossing.x - x)
            frames.append((min(x, back) - 3, y - 3, max(x, back) + 3, y + 3))
        elif crossing.mark:
            frames.append((x - _CROSS, y - _CROSS, x + _CROSS, y + _CROSS))
    return frames


def _frame(middle: tuple[float, float], label: str) -> _Frame:
    half = text_width(label, LABEL_SIZE) / 2 + 2
    return (middle[0] - half, middle[1] - 0.62 * LABEL_SIZE, middle[0] + half, middle[1] + 0.62 * LABEL_SIZE)


class _Gap:
    """A gap of one height, in which labels are placed one after the other. taken: what no further one may lie on."""

    def __init__(self, crossings: Sequence[Crossing], rails: Sequence[float], bounds: tuple[float, float], height: float) -> None:
        self.crossings, self.rails, self.bounds, self.height = crossings, rails, bounds, height
        self.lines = [(crossing.at(0, height), crossing.at(1, height)) for crossing in crossings]
        self.taken = _marks(crossings, height)
        self.middles: dict[int, tuple[float, float]] = {}
        self.hidden = 0.0

    def place_all(self, asides: Sequence[float]) -> bool:
        """Whether all labels found a place. asides: how far above or below its line one may stand."""
        labelled = (number for number, crossing in enumerate(self.crossings) if crossing.label)
        return all(self._place(number, asides) for number in sorted(labelled, key=self._length))

    def _length(self, number: int) -> float:
        start, end = self.lines[number]
        return abs(end[0] - start[0])

    def _place(self, number: int, asides: Sequence[float]) -> bool:
        crossing = self.crossings[number]
        best: tuple[float, tuple[float, float], _Frame] | None = None
        for aside in (*asides, *(_STUB_ASIDES if crossing.is_stub else ())):
            # There they may begin beside the rail and reach beyond the stub's end.
            for step in range(10, _BEYOND_STUB if crossing.is_stub and aside else 92, 2):
                x, y = crossing.at(step / 100, self.height)
                frame = _frame((x, y + aside), crossing.label)
                if self._is_free(frame):
                    cost = self._cost(frame, number) + 4 * abs(step / 100 - 0.55) + abs(aside) / 4
                    if best is None or cost < best[0]:
                        best = (cost, (x, y + aside), frame)
        if best is None:
            return False
        self.hidden += best[0] // 3
        self.taken.append(best[2])
        self.middles[number] = best[1]
        return True

    def _is_free(self, frame: _Frame) -> bool:
        if frame[1] < 0.5 or frame[3] > self.height - 0.5 or frame[0] < self.bounds[0] or frame[2] > self.bounds[1]:
            return False
        padded = (frame[0] - _MARGIN_X, frame[1] - _MARGIN_Y, frame[2] + _MARGIN_X, frame[3] + _MARGIN_Y)
        return not any(overlap(padded, other) for other in self.taken)

    def _cost(self, frame: _Frame, number: int) -> float:
        """Of lying on other lines, and on rails."""
        hidden = sum(_cuts(frame, *line) for other, line in enumerate(self.lines) if other != number)
        on_a_rail, near = (_STUB_ON_A_RAIL, _RAIL_HALF + 2) if self.crossings[number].is_stub else (3, 4)
        return 10 * hidden + on_a_rail * sum(frame[0] - near < rail < frame[2] + near for rail in self.rails)


def place_labels(
    crossings: Sequence[Crossing], rails: Sequence[float], bounds: tuple[float, float], height_min: float = 0.0
) -> Placed:
    """The lowest gap in which no label lies on anything; or one where the fewest lie on lines, never on words or heads.

    rails: where lanes have their rails. bounds: the picture's left and right edge. height_min: of the gap.
    """
    heights = sorted({max(float(height), height_min) for height in _HEIGHTS})
    best: tuple[float, Placed] | None = None
    for height in heights:
        gap = _Gap(crossings, rails, bounds, height)
        if not gap.place_all((0.0,)):
            continue
        cost = gap.hidden + height / 14  # a taller gap has to be worth it
        if best is None or cost < best[0]:
            best = (cost, Placed(height, gap.middles))
        if best[0] < height / 14:
            break
    return best[1] if best is not None else _crowded(crossings, rails, bounds, heights[-1])


def _crowded(crossings: Sequence[Crossing], rails: Sequence[float], bounds: tuple[float, float], height: float) -> Placed:
    """When not all labels have room on their lines, they may stand beside them, in a gap as high as it takes.

    Only words that are too wide for the picture find no room at all; they are left to the hover.
    """
    while True:
        gap = _Gap(crossings, rails, bounds, height)
        if gap.place_all(_ASIDES) or height > _HEIGHT_MAX:
            return Placed(height, gap.middles)
        height += 60
