"""What a drawing is made of: boxes, lines, polygons and words, at their places in CSS pixels. Pure facts, no library.

Both pictures, the PNG and the SVG, are made from one scene, so that they agree. y grows downwards. Layers are drawn in
their order; a message is a thing of its own, so that an SVG can show it with both its ends.
"""

from typing import NamedTuple, TypeAlias

__all__ = ["Box", "Corner", "Face", "Group", "Label", "Line", "Polygon", "Scene", "Shape", "label_box", "overlap", "text_width"]

Corner: TypeAlias = tuple[float, float]

_ADVANCES = {
    # hundredths of the letter's size: in regular, and in bold type
    (28, 34): "'ijl|", (30, 37): "IJ", (32, 38): " ,.·/\\", (34, 40): ":;", (36, 44): "f-", (39, 48): '()[]t!"', (41, 49): "r",
    (50, 52): "*_`", (53, 60): "z?s", (56, 67): "cLkF", (60, 73): "vxyPaToY", (63, 71): "eEhnu", (64, 72): "bdgpqS0123456789$",
    (69, 77): "KAVZBRX", (73, 81): "CU", (78, 87): "HNGD&", (82, 92): "OQw", (85, 100): "#+<=>^~→↔M", (100, 110): "%mW@…",
}  # fmt: skip
_ADVANCE = {letter: advance for advance, letters in _ADVANCES.items() for letter in letters}


def text_width(text: str, size: float, *, is_bold: bool = False) -> float:
    """Width of a line in DejaVu Sans, the font of the PNG; the fonts that a browser may take for it are narrower."""
    return sum(_ADVANCE.get(letter, (100, 110))[is_bold] for letter in text) * size / 100


class Box(NamedTuple):
    """A rectangle. dash: lengths of dash and gap of its edge, empty for a full line. title: shown on hover."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    edge: str = "none"
    edge_width: float = 1.0
    dash: tuple[float, ...] = ()
    radius: float = 0.0
    title: str = ""


class Line(NamedTuple):
    """A line through two or more points."""

    points: tuple[Corner, ...]
    colour: str
    width: float = 1.2
    dash: tuple[float, ...] = ()


class Polygon(NamedTuple):
    """A filled outline, such as the head of an arrow."""

    points: tuple[Corner, ...]
    fill: str


class Label(NamedTuple):
    """Words. x: their left end, middle or right end, as `anchor` says ("start", "middle" or "end"); y: their middle line.

    ground: colour of a box behind them, or empty.
    """

    x: float
    y: float
    text: str
    size: float
    colour: str
    anchor: str = "start"
    is_bold: bool = False
    ground: str = ""


Shape: TypeAlias = Box | Line | Polygon | Label


class Group(NamedTuple):
    """Shapes that have one hover text."""

    shapes: tuple[Shape, ...]
    title: str


class Face(NamedTuple):
    """A message: its way, the head or cross at its end, and its label, None where the label stands elsewhere already.

    ends: the points of both ends, which light up with it. kind: "arrived", "late", "lost" or "open".
    """

    message: str
    kind: str
    way: Line
    marks: tuple[Line | Polygon, ...]
    label: Label | None
    ends: tuple[Corner, ...]
    title: str


class Scene(NamedTuple):
    """A whole drawing. back: behind the messages' lines; front: the cards. signs: other words, and frames."""

    width: float
    height: float
    title: str
    back: tuple[Group, ...]
    front: tuple[Group, ...]
    signs: tuple[Group, ...]
    faces: tuple[Face, ...]
    legend: tuple[Group, ...] = ()

    def labels(self) -> list[Label]:
        """All words of it."""
        groups = (*self.back, *self.front, *self.signs, *self.legend)
        standing = [shape for group in groups for shape in group.shapes if isinstance(shape, Label)]
        return standing + [face.label for face in self.faces if face.label is not None]


_Frame: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def label_box(label: Label) -> _Frame:
    """The space that words take."""
    width = text_width(label.text, label.size, is_bold=label.is_bold)
    left = label.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor] * width
    return (left, label.y - 0.6 * label.size, left + width, label.y + 0.6 * label.size)


def overlap(one: _Frame, other: _Frame) -> bool:
    """Whether two frames have an area in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
