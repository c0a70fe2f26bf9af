"""Wall time: what messages are dated with, and what delayed ones wait for.

A machine's clock may be set: forward by a day, and back again. Shown to the log as it is, a jump would make messages seem old
to retention and delayed ones due, and since stamps never go back, it would stay. So wall time goes on with a clock that only
counts, and lets the machine's clock in at a bounded slew.
"""

__all__ = ["WallClock"]

_SLEW = 10
"""A tenth of the time that passes may be used to come nearer to the machine's clock."""
_STEP_MS = 100


class WallClock:
    """Turns readings of a counting clock and of the machine's clock into Unix time in ms that never jumps or goes back."""

    def __init__(self, at_least_ms: int = 0) -> None:
        """at_least_ms: the last stamp in the log."""
        self._shown_ms, self._noted_ms = at_least_ms, -1

    def hear(self, shown_ms: int, counting_ms: int) -> None:
        """What another node's clock shows, which the log goes by now: whoever shows the time next goes on from there."""
        self._shown_ms, self._noted_ms = shown_ms, counting_ms

    def now_ms(self, counting_ms: int, machine_ms: int) -> int:
        """Wall time now. The first reading is taken as it is, unless another clock was heard before."""
        if self._noted_ms < 0:
            self._shown_ms, self._noted_ms = max(self._shown_ms, machine_ms), counting_ms
        elapsed_ms = max(0, counting_ms - self._noted_ms)
        if elapsed_ms < _STEP_MS:
            return self._shown_ms + elapsed_ms
        slew_ms = elapsed_ms // _SLEW
        wanted_ms = machine_ms - (self._shown_ms + elapsed_ms)
        self._shown_ms += elapsed_ms + min(max(wanted_ms, -slew_ms), slew_ms)
        self._noted_ms = counting_ms
        return self._shown_ms
