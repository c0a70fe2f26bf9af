"""What stands on top: the title, and when a promise was broken, which one and the facts that conflict."""

from mq.sim.spacetime import palette
from mq.sim.spacetime.broken import Broken
from mq.sim.spacetime.scene import Group, Label
from mq.sim.spacetime.typesetting import wrap

__all__ = ["header_of"]

_LEFT, _TOP, _NAMES = 10.0, 7.0, 31.0
_TITLE, _PROMISE, _FACT = (15.0, 20.0), (12.0, 17.0), (10.5, 15.0)
"""Size of the type, and height of a line."""


def header_of(title: str, broken: Broken | None, width: float) -> tuple[list[Group], float]:
    """The words, and where the first row begins below them and the nodes' names. width: of the picture."""
    parts = [(title, _TITLE, palette.TEXT, True)]
    if broken is not None:
        parts.append((broken.text, _PROMISE, palette.FAULT, True))
        parts += [(fact, _FACT, palette.TEXT, False) for fact in broken.facts]
    groups, y = [], _TOP
    for text, (size, height), colour, is_bold in parts:
        lines = wrap(text, size, width - 2 * _LEFT, is_bold=is_bold)
        labels = (Label(_LEFT, y + (n + 0.5) * height, line, size, colour, is_bold=is_bold) for n, line in enumerate(lines))
        groups.append(Group(tuple(labels), text))
        y += height * len(lines)
    return groups, y + _NAMES
