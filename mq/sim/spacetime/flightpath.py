"""The ways of messages between the rows, and where each one's label finds room.

Cards stand in rows; between two rows is a gap that belongs to the messages. A message crosses the gap below its sender
in a straight line. When its receiver stands further down, it waits in the channel beside the receiver's lane, where no
card reaches, and crosses the last gap then. So no line crosses a card, and labels only have to share the gaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mq.sim.spacetime.scene import overlap, text_width

__all__ = ["LABEL_SIZE", "Crossing", "Placed", "place_labels"]

LABEL_SIZE = 10.5
_HEIGHTS = (26, 30, 34, 38, 42, 46, 52, 58, 64, 72, 80, 90, 100, 112, 126, 140, 160, 190, 230, 280)
_MARGIN, _HEAD, _CROSS = 1.5, 5.5, 6.5
_DROP = 12.0
"""A message that arrives turns down for the last bit, so that its head stands upright on the card, beside those of others."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A straight piece of a message's way through one gap. until: share of the gap's height at which it ends, 1 at a card.

    label: empty when the words of this message stand elsewhere. mark: "head", "cross", "open" or "" (it goes on).
    """

    message: str
    x: float
    to_x: float
    until: float
    label: str
    mark: str

    def at(self, share: float, height: float) -> tuple[float, float]:
        """A point on it. share: of its length."""
        drop = _DROP if self.until == 1.0 else 0.0
        return (self.x + share * (self.to_x - self.x), share * (self.until * height - drop))

    def way(self, height: float) -> tuple[tuple[float, float], ...]:
        """All its corners."""
        start, end = self.at(0, height), self.at(1, height)
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
        elif crossing.mark:
            frames.append((x - _CROSS, y - _CROSS, x + _CROSS, y + _CROSS))
    return frames


def _frame(middle: tuple[float, float], label: str) -> _Frame:
    half = text_width(label, LABEL_SIZE) / 2 + 2
    return (middle[0] - half, middle[1] - 0.62 * LABEL_SIZE, middle[0] + half, middle[1] + 0.62 * LABEL_SIZE)


def _try_height(
    crossings: Sequence[Crossing], rails: Sequence[float], bounds: tuple[float, float], height: float
) -> tuple[float, dict[int, tuple[float, float]]] | None:
    """Places for all labels in a gap of that height, and how many lines they lie on; None when two would overlap."""
    taken = _marks(crossings, height)
    lines = [(crossing.at(0, height), crossing.at(1, height)) for crossing in crossings]
    middles: dict[int, tuple[float, float]] = {}
    total = 0.0
    order = sorted(
        (n for n, crossing in enumerate(crossings) if crossing.label), key=lambda n: abs(lines[n][1][0] - lines[n][0][0])
    )
    for number in order:
        crossing = crossings[number]
        best: tuple[float, float, _Frame] | None = None
        for step in range(10, 92, 2):
            share = step / 100
            frame = _frame(crossing.at(share, height), crossing.label)
            if frame[1] < 0.5 or frame[3] > height - 0.5 or frame[0] < bounds[0] or frame[2] > bounds[1]:
                continue
            padded = (frame[0] - _MARGIN, frame[1] - _MARGIN, frame[2] + _MARGIN, frame[3] + _MARGIN)
            if any(overlap(padded, other) for other in taken):
                continue
            hidden = sum(_cuts(frame, *line) for n, line in enumerate(lines) if n != number)
            on_rails = sum(frame[0] - 4 < rail < frame[2] + 4 for rail in rails)
            cost = 10 * hidden + 3 * on_rails + 4 * abs(share - 0.55)
            if best is None or cost < best[0]:
                best = (cost, share, frame)
        if best is None:
            return None
        total += best[0] // 3
        taken.append(best[2])
        middles[number] = crossing.at(best[1], height)
    return total, middles


def place_labels(
    crossings: Sequence[Crossing], rails: Sequence[float], bounds: tuple[float, float], height_min: float = 0.0
) -> Placed:
    """The lowest gap in which no label lies on anything; or one where the fewest lie on lines, never on words or heads.

    rails: where lanes have their rails. bounds: the picture's left and right edge. height_min: of the gap.
    """
    best: tuple[float, Placed] | None = None
    for height in sorted({max(float(height), height_min) for height in _HEIGHTS}):
        found = _try_height(crossings, rails, bounds, height)
        if found is None:
            continue
        cost = found[0] + height / 14  # a taller gap has to be worth it
        if best is None or cost < best[0]:
            best = (cost, Placed(height, found[1]))
        if best[0] < height / 14:
            break
    if best is None:  # so many messages in one gap that no height helps: their words are left to the hover
        return Placed(max(_HEIGHTS[-1], height_min), {})
    return best[1]
