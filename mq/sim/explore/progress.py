"""How far a search is: on a terminal a line that is written over and is gone at the end; elsewhere a line now and then."""

import time
from collections.abc import Callable
from typing import TextIO

__all__ = ["Progress"]

_LOOK_EVERY = 1024
_SHOW_EVERY_SECONDS, _LINE_EVERY_SECONDS = 0.5, 5.0


class Progress:
    """Counts states, the same one as often as it is met, and writes the count with the seconds since the beginning.

    with Progress(sys.stderr) as progress:
        search(looked=progress.looked)
    """

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.count, self.again, self._width = 0, 0, 0
        self._out, self._clock, self._is_terminal = out, clock, out.isatty()
        self._begun = self._shown = clock()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def looked(self) -> None:
        """A state was looked at."""
        self.count += 1
        if self.count % _LOOK_EVERY == 0:
            self._show()

    def shortened(self) -> None:
        """A state was looked at again, to make a story short."""
        self.again += 1
        if self.again % _LOOK_EVERY == 0:
            self._show()

    def clear(self) -> None:
        """The line is gone, and something else may be written."""
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
            self._width = 0

    def _show(self) -> None:
        now = self._clock()
        if now - self._shown < (_SHOW_EVERY_SECONDS if self._is_terminal else _LINE_EVERY_SECONDS):
            return
        self._shown = now
        found = f"{self.count:,} states looked at"
        if self.again:
            found = f"a story is found, and made short: {self.again:,} states looked at again"
        text = f"{found}, {now - self._begun:.0f} s"
        self._out.write(f"\r{text:<{self._width}}" if self._is_terminal else text + "\n")
        self._out.flush()
        self._width = max(self._width, len(text)) if self._is_terminal else 0
