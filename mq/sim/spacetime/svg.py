"""A scene as an SVG that stands in an HTML page by itself: no script, no link, no identifiers that could meet others.

A message that is pointed at lights up with both its ends and dims the others; all that is pointed at says more of itself.
"""

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from mq.sim.spacetime import palette
from mq.sim.spacetime.scene import Box, Face, Group, Label, Line, Polygon, Scene, Shape, label_box

__all__ = ["to_html", "to_svg"]

_FONT = "'DejaVu Sans',Verdana,'Helvetica Neue',Arial,sans-serif"
_STYLE = (
    ".mq-spacetime .glow{opacity:0;pointer-events:none}"
    ".mq-spacetime .message{cursor:pointer}"
    ".mq-spacetime .message:hover .glow{opacity:1}"
    ".mq-spacetime .message:hover text{font-weight:bold}"
    ".mq-spacetime:has(.message:hover) .lines,.mq-spacetime:has(.message:hover) .message:not(:hover){opacity:.25}"
    ".mq-spacetime .card:hover>:nth-child(2){stroke:#0072b2;stroke-width:2}"
)
_GLOW = "#0072b2"
_RISE = 0.36
"""How far the baseline lies below the middle of the letters, in sizes: not every viewer can centre by itself."""


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _dash(dash: tuple[float, ...]) -> str:
    return f' stroke-dasharray="{" ".join(map(_number, dash))}"' if dash else ""


def _shape(shape: Shape) -> str:
    match shape:
        case Box():
            place = (
                f'x="{_number(shape.x)}" y="{_number(shape.y)}" width="{_number(shape.width)}" height="{_number(shape.height)}"'
            )
            edge = (
                ""
                if shape.edge == "none"
                else f' stroke="{shape.edge}" stroke-width="{_number(shape.edge_width)}"{_dash(shape.dash)}'
            )
            corner = f' rx="{_number(shape.radius)}"' if shape.radius else ""
            rectangle = f'<rect {place}{corner} fill="{shape.fill}"{edge}'
            return f"{rectangle}><title>{escape(shape.title)}</title></rect>" if shape.title else f"{rectangle}/>"
        case Line():
            width = f'stroke-width="{_number(shape.width)}"'
            return f'<polyline points="{_points(shape.points)}" fill="none" stroke="{shape.colour}" {width}{_dash(shape.dash)}/>'
        case Polygon():
            return f'<polygon points="{_points(shape.points)}" fill="{shape.fill}"/>'
        case Label():
            return _ground(shape) + _words(shape)


def _ground(label: Label) -> str:
    if not label.ground:
        return ""
    left, top, right, bottom = label_box(label)
    size = f'width="{_number(right - left + 3)}" height="{_number(bottom - top)}"'
    return f'<rect x="{_number(left - 1.5)}" y="{_number(top)}" {size} rx="3" fill="{label.ground}" fill-opacity="0.92"/>'


def _words(label: Label) -> str:
    weight = ' font-weight="bold"' if label.is_bold else ""
    anchor = "" if label.anchor == "start" else f' text-anchor="{label.anchor}"'
    place = f'x="{_number(label.x)}" y="{_number(label.y + _RISE * label.size)}" font-size="{_number(label.size)}"'
    return f'<text {place} fill="{label.colour}"{anchor}{weight}>{escape(label.text)}</text>'


def _group(group: Group, kind: str) -> str:
    return f'<g class="{kind}"><title>{escape(group.title)}</title>{"".join(map(_shape, group.shapes))}</g>'


def _line(face: Face) -> str:
    return "".join(map(_shape, (face.way, *face.marks)))


def _face(face: Face) -> str:
    """What answers to the pointer: a broad way that nobody sees, what lights up, and the words."""
    way = f'points="{_points(face.way.points)}" fill="none"'
    feel = f'<polyline class="feel" {way} stroke="#000000" stroke-opacity="0" stroke-width="9" pointer-events="stroke"/>'
    glow = f'<polyline class="glow" {way} stroke="{_GLOW}" stroke-width="6" stroke-opacity="0.35"/>'
    ends = "".join(f'<circle class="glow" cx="{_number(x)}" cy="{_number(y)}" r="5" fill="{_GLOW}"/>' for x, y in face.ends)
    label = _shape(face.label) if face.label is not None else ""
    names = f'class="message {face.kind}" data-message={quoteattr(face.message)}'
    lit = f'<g class="glow">{_line(face)}</g>'
    return f"<g {names}><title>{escape(face.title)}</title>{glow}{lit}{ends}{feel}{label}</g>"


def to_svg(scene: Scene) -> str:
    """The drawing as one `<svg>` element, for instance for `IPython.display.HTML`."""
    width, height = _number(scene.width), _number(scene.height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mq-spacetime" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" '
        f'role="img" aria-label={quoteattr(scene.title)} font-family="{_FONT}" style="max-width:100%;height:auto">'
    )
    parts = [head, f"<style>{_STYLE}</style>", f'<rect width="{width}" height="{height}" fill="{palette.GROUND}"/>']
    parts += [_group(group, "back") for group in scene.back]
    # The lines of all messages first, so that none lies on another one's words.
    parts += ['<g class="lines" pointer-events="none">', *map(_line, scene.faces), "</g>"]
    parts += [_group(group, "card") for group in scene.front]
    parts += [_group(group, "sign") for group in scene.signs]
    parts += [_group(group, "sign") for group in scene.legend]
    parts += map(_face, scene.faces)
    return "\n".join([*parts, "</svg>"]) + "\n"


def to_html(scene: Scene) -> str:
    """The drawing as a page of its own."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(scene.title)}</title></head>\n'
        f'<body style="margin:16px;background:#ffffff">\n{to_svg(scene)}</body></html>\n'
    )
