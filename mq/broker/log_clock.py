"""Log time: milliseconds that only a leader's own monotonic clock moves, counted on from the last stamp.

No wall clock can freeze or rush it. Every node notes its own monotonic clock at each entry of a leader that it applies, so that
whoever leads next carries on without a jump; after a full restart it goes on from the last stamp in the log.
"""

__all__ = ["LogClock"]


class LogClock:
    """Turns monotonic readings into log time."""

    def __init__(self) -> None:
        self._stamp_ms = 0
        self._noted_ms: int | None = None
        self._term: int | None = None

    def begin(self, stamp_ms: int, monotonic_ms: int) -> None:
        """The last stamp in the log at our start. A leader that runs may have come further, or started later than we did."""
        self._stamp_ms, self._noted_ms = stamp_ms, monotonic_ms

    def note(self, stamp_ms: int, monotonic_ms: int, *, term: int) -> None:
        """An entry by another node, that leader's of `term`, was applied when our monotonic clock showed that.

        A leader's first one corrects what we thought, in either direction. Of its later ones those count that came with less
        delay: so we are never ahead of it, and behind by no more than the quickest way from it to us.
        """
        if term != self._term or stamp_ms > self.now_ms(monotonic_ms):
            self._stamp_ms, self._noted_ms, self._term = stamp_ms, monotonic_ms, term

    def now_ms(self, monotonic_ms: int) -> int:
        """Log time now; the first call after a start defines where our monotonic clock stands."""
        if self._noted_ms is None:
            self._noted_ms = monotonic_ms
        return self._stamp_ms + max(0, monotonic_ms - self._noted_ms)
