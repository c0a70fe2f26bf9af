"""A scene as a PNG, at twice the size of a notebook's cell. Needs matplotlib (the extra `demo`)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mq.sim.spacetime import palette
from mq.sim.spacetime.scene import Box, Label, Line, Polygon, Scene, Shape, label_box

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PIXELS_PER_UNIT", "write_png"]

PIXELS_PER_UNIT = 2
_DPI = 100.0
_POINTS = 72.0 / _DPI
"""Points of type and of lines in one unit of a scene, when a figure has as many inches as the scene hundreds of units."""


def write_png(path: Path, scene: Scene) -> None:
    """Write the drawing. Equal scenes give equal bytes. Raises: ModuleNotFoundError without matplotlib, OSError."""
    import matplotlib  # noqa: PLC0415 - an optional library, and slow to load
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with matplotlib.rc_context({"font.family": "DejaVu Sans", "path.sketch": None}):
        figure = Figure(figsize=(scene.width / _DPI, scene.height / _DPI), dpi=_DPI * PIXELS_PER_UNIT, facecolor=palette.GROUND)
        FigureCanvasAgg(figure)
        _draw(figure, scene)
        figure.savefig(path, format="png", metadata={"Software": None})


def _draw(figure: "Figure", scene: Scene) -> None:
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.axis("off")
    drawers: dict[type, Callable[[Any, Any, int], None]] = {Box: _box, Line: _line, Polygon: _polygon, Label: _label}
    for order, shape in enumerate(_in_order(scene), 1):
        drawers[type(shape)](axes, shape, order)


def _in_order(scene: Scene) -> Iterator[Shape]:
    """Shapes from back to front: no line lies on words."""
    for group in scene.back:
        yield from group.shapes
    for face in scene.faces:
        yield face.way
    for face in scene.faces:
        yield from face.marks
    for face in scene.faces:
        if face.label is not None:
            yield face.label
    for group in (*scene.front, *scene.signs, *scene.legend):
        yield from group.shapes


def _style(colour: str, width: float, dash: tuple[float, ...]) -> Any:
    points = width * _POINTS
    # matplotlib counts dashes in widths of the line.
    style = (0, tuple(part / width for part in dash)) if dash else "-"
    return {"color": colour, "linewidth": points, "linestyle": style}


def _box(axes: Any, box: Box, order: int) -> None:
    from matplotlib.patches import FancyBboxPatch  # noqa: PLC0415

    edge: dict[str, Any] = {"edgecolor": "none", "linewidth": 0.0}
    if box.edge != "none":
        style = _style(box.edge, box.edge_width, box.dash)
        edge = {"edgecolor": box.edge, "linewidth": style["linewidth"], "linestyle": style["linestyle"]}
    radius = min(box.radius, box.width / 2, box.height / 2)
    shape = f"round,pad=0,rounding_size={radius}" if radius else "square,pad=0"
    axes.add_patch(FancyBboxPatch((box.x, box.y), box.width, box.height, shape, facecolor=box.fill, zorder=order, **edge))


def _line(axes: Any, line: Line, order: int) -> None:
    xs, ys = zip(*line.points, strict=True)
    axes.plot(xs, ys, zorder=order, solid_capstyle="butt", dash_capstyle="butt", **_style(line.colour, line.width, line.dash))


def _polygon(axes: Any, polygon: Polygon, order: int) -> None:
    axes.fill(*zip(*polygon.points, strict=True), color=polygon.fill, linewidth=0, zorder=order)


def _label(axes: Any, label: Label, order: int) -> None:
    if label.ground:
        left, top, right, bottom = label_box(label)
        _box(axes, Box(left - 1.5, top, right - left + 3, bottom - top, label.ground, radius=3), order)
    side = {"start": "left", "middle": "center", "end": "right"}[label.anchor]
    axes.text(
        label.x,
        label.y,
        label.text,
        fontsize=label.size * _POINTS,
        fontweight="bold" if label.is_bold else "normal",
        color=label.colour,
        ha=side,
        va="center_baseline",
        zorder=order,
        parse_math=False,
    )
