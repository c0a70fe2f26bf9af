"""Ends the process when a call of a replaced organ does not come back, and says where it was.

A thread sees to it. A call that never lets go of the interpreter stops that thread, too: in a process that is a node's alone,
another process reads along, and ends this one (`mq.server.onlooker`).
"""

import faulthandler
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from mmap import mmap
from typing import NamedTuple, Optional

from mq.server import onlooker

__all__ = ["Onlooker", "UnderWay", "Watchdog", "onlooker_if_possible"]

_LIMIT_S = 2.0
_LOOK_EVERY_S = 0.1
_STATUS_HUNG = 3
_LINES_SHOWN = 6
_ONLOOKER_ENDS_S = 2.0
_STDERR = 2
_log = logging.getLogger(__name__)


class UnderWay(NamedTuple):
    """A call that has not come back. until_s: when it should have, by the watchdog's own clock. outer: what it is part of."""

    organ: str
    what: str
    until_s: float
    limit_s: float
    outer: Optional["UnderWay"]


class Onlooker:
    """The other process, and the board in shared memory that it reads. Raises: OSError when it cannot be started.

    It is in a session of its own, so that no Ctrl-C ends it before this process, and ends with this one.
    """

    def __init__(self) -> None:
        self._calls = self._looks = 0
        self._is_left = False
        memory = _shared_memory()
        try:
            os.ftruncate(memory, onlooker.BOARD_BYTES)
            self._board = mmap(memory, onlooker.BOARD_BYTES)
            if onlooker.DUMP_SIGNAL is not None:
                faulthandler.register(onlooker.DUMP_SIGNAL, _STDERR, all_threads=True)
            self._process = subprocess.Popen(  # noqa: S603 - this very Python, and a file of ours
                [sys.executable, "-I", "-S", onlooker.__file__, str(memory)],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=(memory,), start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(memory)

    @property
    def pid(self) -> int:
        """Of the other process."""
        return self._process.pid

    def shows(self, what: str, limit_s: float) -> None:
        """The call that is under way now. limit_s: 0 when there is none."""
        if self._is_left:
            return
        self._calls += 1
        name = what.encode()[: onlooker.NAME_BYTES_MAX]
        onlooker.CALL.pack_into(self._board, 0, self._calls, limit_s, len(name), name)

    def looked(self) -> None:
        """The watchdog had its turn."""
        self._looks += 1
        onlooker.LOOKS.pack_into(self._board, onlooker.CALL.size, self._looks)

    def leave(self) -> None:
        """From now on this process may end as it likes: that is no more the organ's doing."""
        self.shows("", 0.0)
        self._is_left = True

    def stop(self) -> None:
        """Nobody looks on any more."""
        self.leave()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_ONLOOKER_ENDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _shared_memory() -> int:
    """A descriptor of a file without a name; where there is such a thing, on no disk, for a slow one must not hold up a call."""
    if sys.platform == "linux":
        return os.memfd_create("organs")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def onlooker_if_possible() -> Onlooker | None:
    """None where one process cannot see what another one does (Windows), or when no more can be started."""
    if os.name != "posix":
        return None
    try:
        return Onlooker()
    except OSError as error:
        _log.warning("nobody looks on: an organ that holds the interpreter will not be found out: %s", error)
        return None


class Watchdog:
    """Watches the calls of all threads. limit_s: how long one may take; while the process itself stands still, nothing counts."""

    def __init__(
        self, limit_s: float = _LIMIT_S, *, end: Callable[[int], object] = os._exit, onlooker: Onlooker | None = None
    ) -> None:
        self._limit_s, self._end, self._onlooker = limit_s, end, onlooker
        self._under_way: dict[int, UnderWay] = {}
        self._clock_s = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
        self._thread.start()

    def begin(self, organ: str, what: str, limit_s: float | None = None) -> UnderWay | None:
        """A call begins in this thread; returns the one that it is part of. limit_s: when it is another than usual."""
        thread = threading.get_ident()
        outer = self._under_way.get(thread)
        limit_s = limit_s or self._limit_s
        self._under_way[thread] = UnderWay(organ, what, self._clock_s + limit_s, limit_s, outer)
        if self._onlooker is not None:
            self._onlooker.shows(what, limit_s)
        return outer

    def finish(self, outer: UnderWay | None) -> None:
        """It came back. outer: what `begin` returned."""
        if outer is None:
            del self._under_way[threading.get_ident()]
        else:
            self._under_way[threading.get_ident()] = outer
        if self._onlooker is not None:
            now = outer or next(iter(list(self._under_way.values())), None)  # that of another thread, if there is one
            self._onlooker.shows(now.what if now else "", now.limit_s if now else 0.0)

    def stop(self) -> None:
        """Nothing more is watched."""
        if not self._is_over.is_set() and self._onlooker is not None:
            self._onlooker.stop()
        self._is_over.set()

    @staticmethod
    def _place(thread: int) -> list[str]:
        """The lines that a thread is at now, the newest last."""
        frame = sys._current_frames().get(thread)  # noqa: SLF001 - the one way to see what another thread does
        return traceback.format_stack(frame)[-_LINES_SHOWN:] if frame is not None else []

    def _look(self) -> None:
        before_s = time.monotonic()
        while not self._is_over.wait(_LOOK_EVERY_S):
            now_s = time.monotonic()
            self._clock_s += min(now_s - before_s, 2 * _LOOK_EVERY_S)  # more: the process stood still, and so did the organ
            before_s = now_s
            if self._onlooker is not None:
                self._onlooker.looked()
            for thread, call in list(self._under_way.items()):
                late = self._late(call)
                if late is not None:
                    sys.stderr.write(
                        f"{late.what} did not come back within {late.limit_s:g} s: this node stops. "
                        f"It was here:\n{''.join(self._place(thread))}"
                    )
                    sys.stderr.flush()
                    if self._onlooker is not None:
                        self._onlooker.leave()
                    self._end(_STATUS_HUNG)
                    return

    def _late(self, call: UnderWay | None) -> UnderWay | None:
        """The innermost call that takes too long: one that goes on calling others, for ever, is not hidden by them."""
        while call is not None and self._clock_s <= call.until_s:
            call = call.outer
        return call
