"""What is done to nodes and network, as a trace: a cause is noted before its effects, an end with a moment on either side."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mq.sim.trace import Event

__all__ = ["TraceNotes"]


def _now_us() -> int:
    return time.monotonic_ns() // 1000


class TraceNotes:
    """What is done to nodes and network, as lines of a trace, beside those that the nodes write themselves."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file.open("a", encoding="utf-8")

    def now_us(self) -> int:
        """The clock that the nodes write their traces by."""
        return _now_us()

    def note(self, node: int, name: str, **details: int | str) -> None:
        """Something is about to be done: a cause comes before its effects. node: 0 for the network."""
        self._write(_now_us(), node, name, details)

    def done(self, node: int, name: str, began_us: int) -> None:
        """A node was ended, or stands still; it fell silent between `began_us` and now, as its trace tells: see `merge`."""
        self._write(began_us, node, name, {"by": _now_us()})

    @contextmanager
    def doing(self, node: int, name: str) -> Iterator[int]:
        """Around what ends a node or lets it stand still: `done` since the moment before, which is given in microseconds."""
        began_us = _now_us()
        yield began_us
        self.done(node, name, began_us)

    def _write(self, at_us: int, node: int, name: str, details: Mapping[str, int | str]) -> None:
        event = Event(at_us // 1000, f"n{node}" if node else "-", name, {**details, "us": at_us})
        self._file.write(event.to_line() + "\n")
        self._file.flush()

    def close(self) -> None:
        """No more of them."""
        self._file.close()
