"""A picture that a lab draws itself: as lines for a terminal, as SVG for a page."""

from typing import Protocol

__all__ = ["Figure"]


class Figure(Protocol):
    """Drawn when somebody looks; until then it is a note of what happened."""

    def lines(self) -> list[str]:
        """For a terminal; none when there is nothing to be shown."""

    def svg(self) -> str:
        """One `<svg>` that needs nothing else; empty when there is nothing to be shown."""
