"""Space-time drawings of a group's trace: lanes of nodes, messages between them, roles, terms, logs and commit points.

    from mq.sim.spacetime import draw_png, draw_svg
    draw_png(Path("election.png"), events)
    IPython.display.HTML(draw_svg(events, window=Window(from_ms=100, to_ms=400)))

    draw(Path("broken.png"), events, "seed 7", Window(last=40), Broken("one leader a term", at_ms=1230))

The events are those of `mq.sim.group.events`, of a simulated group or a real one. Both pictures come from one scene.
"""

from collections.abc import Iterable
from pathlib import Path

from mq.sim.spacetime.broken import Broken
from mq.sim.spacetime.picture import scene_of
from mq.sim.spacetime.png import write_png
from mq.sim.spacetime.svg import to_html, to_svg
from mq.sim.spacetime.window import NothingToDrawError, PictureTooLongError, Window
from mq.sim.trace import Event

__all__ = ["Broken", "NothingToDrawError", "PictureTooLongError", "Window", "draw", "draw_png", "draw_svg", "scene_of"]


def draw_png(
    path: Path, events: Iterable[Event], title: str = "", window: Window | None = None, broken: Broken | None = None
) -> None:
    """Write a PNG. Raises: PictureTooLongError, NothingToDrawError."""
    write_png(path, scene_of(events, title, window, broken))


def draw_svg(events: Iterable[Event], title: str = "", window: Window | None = None, broken: Broken | None = None) -> str:
    """An `<svg>` element for a page or a notebook, with hover. Raises: PictureTooLongError, NothingToDrawError."""
    return to_svg(scene_of(events, title, window, broken))


def draw(
    path: Path, events: Iterable[Event], title: str = "", window: Window | None = None, broken: Broken | None = None
) -> None:
    """Write a picture of the kind that the file's name asks for. broken: frames where that promise broke, and says it.

    Raises: ValueError when the name ends in none of .png .svg .html; PictureTooLongError, NothingToDrawError.
    """
    scene = scene_of(events, title, window, broken)
    match path.suffix.lower():
        case ".png":
            write_png(path, scene)
        case ".svg":
            path.write_text(to_svg(scene), encoding="utf-8")
        case ".html":
            path.write_text(to_html(scene), encoding="utf-8")
        case _:
            raise ValueError(f"a picture's name ends in .png, .svg or .html, not in {path.suffix or 'nothing'}")
