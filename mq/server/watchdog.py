"""Ends the process when a call of a replaced organ does not come back, and says where it was."""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple, Optional

__all__ = ["UnderWay", "Watchdog"]

_LIMIT_S = 2.0
_LOOK_EVERY_S = 0.1
_STATUS_HUNG = 3
_LINES_SHOWN = 6


class UnderWay(NamedTuple):
    """A call that has not come back. until_s: when it should have, by the watchdog's own clock. outer: what it is part of."""

    organ: str
    what: str
    until_s: float
    limit_s: float
    outer: Optional["UnderWay"]


class Watchdog:
    """Watches the calls of all threads. limit_s: how long one may take; while the process itself stands still, nothing counts."""

    def __init__(self, limit_s: float = _LIMIT_S, *, end: Callable[[int], object] = os._exit) -> None:
        self._limit_s, self._end = limit_s, end
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
        return outer

    def finish(self, outer: UnderWay | None) -> None:
        """It came back. outer: what `begin` returned."""
        if outer is None:
            del self._under_way[threading.get_ident()]
        else:
            self._under_way[threading.get_ident()] = outer

    def stop(self) -> None:
        """Nothing more is watched."""
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
            for thread, call in list(self._under_way.items()):
                late = self._late(call)
                if late is not None:
                    sys.stderr.write(
                        f"{late.what} did not come back within {late.limit_s:g} s: this node stops. "
                        f"It was here:\n{''.join(self._place(thread))}"
                    )
                    sys.stderr.flush()
                    self._end(_STATUS_HUNG)
                    return

    def _late(self, call: UnderWay | None) -> UnderWay | None:
        """The innermost call that takes too long: one that goes on calling others, for ever, is not hidden by them."""
        while call is not None and self._clock_s <= call.until_s:
            call = call.outer
        return call
