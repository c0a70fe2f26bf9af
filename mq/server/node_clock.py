"""A node's clocks: log time, which only counts, and wall time, which lets the machine's clock in slowly."""

import time
from collections.abc import Callable

from mq.broker.log_clock import LogClock
from mq.broker.wall_clock import WallClock

__all__ = ["NodeClock"]

_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class NodeClock:
    """log_ms, wall_ms: the last stamps in the log. machine_ms: the machine's wall clock."""

    def __init__(self, log_ms: int, wall_ms: int) -> None:
        self.machine_ms: Callable[[], int] = _machine_ms
        self._log, self._wall = LogClock(), WallClock(wall_ms)
        self._log.begin(log_ms, _monotonic_ms())

    def note(self, log_ms: int, *, term: int) -> None:
        """An entry with this stamp, put into the log by another node as the leader of `term`, was applied now."""
        self._log.note(log_ms, _monotonic_ms(), term=term)

    def hear_wall(self, wall_ms: int) -> None:
        """The leader of the group shows this Unix time, in ms, now."""
        self._wall.hear(wall_ms, _counting_ms())

    def log_ms(self) -> int:
        """Log time now, in ms."""
        return self._log.now_ms(_monotonic_ms())

    def wall_ms(self) -> int:
        """Unix time now, in ms, as the log knows it: a machine's clock that is set changes it slowly."""
        return self._wall.now_ms(_counting_ms(), self.machine_ms())


def _counting_ms() -> int:
    """A clock that cannot be set; where there is one, it counts on while the machine sleeps."""
    return _monotonic_ms() if _BOOT_CLOCK is None else time.clock_gettime_ns(_BOOT_CLOCK) // 1_000_000


def _machine_ms() -> int:
    return time.time_ns() // 1_000_000


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
