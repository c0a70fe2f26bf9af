"""Lines to a worker and back, so that nobody who holds the other end can make us wait for ever.

A process that the worker started keeps both pipes open after the worker is gone. So no write and no read waits longer than a
moment without a look at whether there is anybody left to wait for. Where the system cannot tell whether a pipe is ready
(Windows), both wait until the other end is closed.
"""

import os
import select
from collections.abc import Callable
from typing import IO

__all__ = ["Pipes"]

_LOOK_EVERY_MS = 100
_CHUNK_BYTES = 1 << 16
_HAS_POLL = hasattr(select, "poll")


class Pipes:
    """Our ends of both. is_late: whether time is up. is_gone: whether the process that was started has ended."""

    def __init__(self, to: IO[bytes], back: IO[bytes], is_late: Callable[[], bool], is_gone: Callable[[], bool]) -> None:
        self._to, self._back, self._is_late, self._is_gone = to, back, is_late, is_gone
        self._rest = b""
        if _HAS_POLL:
            os.set_blocking(to.fileno(), False)
            self._is_writable, self._is_readable = select.poll(), select.poll()
            self._is_writable.register(to.fileno(), select.POLLOUT)
            self._is_readable.register(back.fileno(), select.POLLIN)

    def send(self, data: bytes) -> None:
        """As much of it as somebody takes in time. Raises: OSError, ValueError when the pipe is closed."""
        left = memoryview(data)
        while left and not self._is_late():
            try:
                left = left[os.write(self._to.fileno(), left) :]
            except BlockingIOError:
                if not self._is_writable.poll(_LOOK_EVERY_MS) and self._is_gone():
                    return

    def line(self, bytes_max: int) -> bytes:
        """The next line with its end; without an end when it has more than bytes_max, or nothing more comes.

        What is behind the end of one that is too long is lost. Raises: OSError, ValueError when the pipe is closed.
        """
        parts, size, chunk = list[bytes](), 0, self._rest
        self._rest = b""
        while True:
            at = chunk.find(b"\n")
            if 0 <= at < bytes_max - size:
                self._rest = chunk[at + 1 :]
                return b"".join((*parts, chunk[: at + 1]))
            parts.append(chunk)
            size += len(chunk)
            if size >= bytes_max or not (chunk := self._more()):
                return b"".join(parts)[:bytes_max]

    def _more(self) -> bytes:
        """Nothing when nothing more comes."""
        while not self._is_late():
            back = self._back.fileno()
            if not _HAS_POLL or self._is_readable.poll(_LOOK_EVERY_MS):
                return os.read(back, _CHUNK_BYTES)
            # What it said before it ended may have come since.
            if self._is_gone() and not self._is_readable.poll(0):
                break
        return b""
