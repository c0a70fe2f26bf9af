"""The virtual clock: time passes only when it is told to.

Nothing sleeps. Whoever waits for a time sets a timer; `advance` moves the clock and calls what is due, in the
order of due times, and of setting where these are equal.
"""

from collections.abc import Callable
from heapq import heappop, heappush

__all__ = ["SimClock", "Timer"]


class Timer:
    """Something that will be called at a time. due_ms: virtual time."""

    __slots__ = ("action", "due_ms", "is_cancelled")

    def __init__(self, due_ms: int, action: Callable[[], None]) -> None:
        self.due_ms, self.action, self.is_cancelled = due_ms, action, False

    def cancel(self) -> None:
        """It will not be called."""
        self.is_cancelled = True


class SimClock:
    """Milliseconds since the world began."""

    def __init__(self, now_ms: int = 0) -> None:
        self.now_ms = now_ms
        self._timers: list[tuple[int, int, Timer]] = []
        self._set_count = 0

    def at(self, due_ms: int, action: Callable[[], None]) -> Timer:
        """Call `action` when the clock shows `due_ms`; with the next `advance` when that is past."""
        timer = Timer(due_ms, action)
        self._set_count += 1
        heappush(self._timers, (due_ms, self._set_count, timer))
        return timer

    def after(self, span_ms: int, action: Callable[[], None]) -> Timer:
        """Call `action` when `span_ms` have passed."""
        return self.at(self.now_ms + span_ms, action)

    def next_due_ms(self) -> int | None:
        """When the next timer is due; None without one."""
        while self._timers and self._timers[0][2].is_cancelled:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance(self, span_ms: int) -> int:
        """Let time pass and call what is due, each at its own time; returns how many were called.

        What a timer sets within the span is called, too. Raises: ValueError when the span is negative.
        """
        if span_ms < 0:
            raise ValueError(f"time does not go back, not by {-span_ms} ms")
        end_ms, called = self.now_ms + span_ms, 0
        while (due_ms := self.next_due_ms()) is not None and due_ms <= end_ms:
            timer = heappop(self._timers)[2]
            self.now_ms = max(self.now_ms, due_ms)
            timer.action()
            called += 1
        self.now_ms = end_ms
        return called
