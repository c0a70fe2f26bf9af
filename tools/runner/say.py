"""How the runner talks: one line for each step, on stderr, so that stdout belongs to what it starts."""

import os
import sys

__all__ = ["Counter", "SetupError", "say"]


class SetupError(Exception):
    """Something is missing that the runner cannot mend itself. The text says what, and the command that mends it."""


def say(text: str) -> None:
    """Print one line of progress."""
    print(text, file=sys.stderr, flush=True)


class Counter:
    """Shows how many of `total` things are done: one line rewritten on a terminal, a line for every tenth elsewhere."""

    def __init__(self, label: str, total: int) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self._is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def step(self, name: str) -> None:
        """One more is begun; `name` is shown on a terminal."""
        self.done = min(self.done + 1, self.total)
        if self._is_terminal:
            print(f"\r  {self.label} {self.done}/{self.total} {name:<40.40}", end="", file=sys.stderr, flush=True)
        elif self.done % 10 == 0:
            say(f"  {self.label} {self.done}/{self.total}")

    def close(self) -> None:
        """Leave the rewritten line."""
        if self._is_terminal and self.done:
            print(f"\r{'':<70}\r", end="", file=sys.stderr, flush=True)
