"""When to begin a group: at once for a lone caller, a little later for a crowd that can share one sync.

A sync and the change of threads cost as much as a whole call. A crowd's calls come one by one, since the event loop
serves them one by one; a group begun with the first would leave the others to groups of their own. So a group waits
until about half of those who were in hand lately are there, but never long; a lone caller, however fast, waits for nobody.
"""

__all__ = ["Pacing"]

_WINDOW_S = 0.02
_BUSY_ARRIVALS = 16
"""So many commands within a window make the node busy."""
_CROWD_MIN = 4
"""So many callers at the same time make a crowd."""
_WAIT_S_MAX = 0.004
_ENOUGH = 32
"""A group of so many is worth its sync, however large the crowd."""


class Pacing:
    """Watches the arrivals of commands over short windows of time."""

    def __init__(self) -> None:
        self._since_s = 0.0
        self._arrivals, self._crowd = 0, 0
        self._last_crowd = 0
        self._is_busy = False

    def arrived(self, in_hand: int) -> None:
        """A command came. in_hand: commands not answered yet, this one included."""
        self._arrivals += 1
        self._crowd = max(self._crowd, in_hand)

    def wait_s(self, now_s: float, gathered: int) -> float:
        """How long a group that could begin now, with so many commands, should wait for company; 0 for not at all."""
        elapsed_s = now_s - self._since_s
        if elapsed_s > _WINDOW_S:
            self._is_busy = self._arrivals >= _BUSY_ARRIVALS * elapsed_s / _WINDOW_S
            self._last_crowd, self._crowd, self._arrivals, self._since_s = self._crowd, gathered, 0, now_s
        crowd = max(self._crowd, self._last_crowd)
        if not self._is_busy or crowd < _CROWD_MIN or gathered >= min(_ENOUGH, (crowd + 1) // 2):
            return 0.0
        return _WAIT_S_MAX
