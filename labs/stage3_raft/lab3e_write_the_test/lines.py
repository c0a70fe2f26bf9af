"""A line of a student's schedule, and what is wrong with it."""

from typing import NamedTuple

__all__ = ["LINE_CHARS_MAX", "Command", "LineError"]

LINE_CHARS_MAX = 120


class LineError(Exception):
    """A line that cannot be read. number: of the line, from 1; text: what it says."""

    def __init__(self, number: int, text: str, why: str) -> None:
        shown = text if len(text) <= LINE_CHARS_MAX else f"{text[: LINE_CHARS_MAX - 1]}…"
        super().__init__(f"line {number}, `{shown}`: {why}")
        self.number = number


class Command(NamedTuple):
    """number: of its line, from 1."""

    number: int
    verb: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """As it would be written, with single spaces."""
        return " ".join((self.verb, *self.words))
