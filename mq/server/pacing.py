"""When to begin a group: at once for a lone caller, a moment later for a crowd that can share one sync.

A sync and the change of threads cost as much as a whole call. A crowd's calls come one by one, since the event loop
serves them one by one; a group begun with the first would leave the others to groups of their own. So a crowd's group
waits while each turn of the loop brings more of them, but never long; when the loop has nothing more to bring, waiting
would only hold up those who are there. A lone caller, however fast, waits for nobody.
"""

__all__ = ["Pacing"]

_WINDOW_S = 0.02
_CROWD_MIN = 4
"""So many callers at the same time make a crowd."""
_ENOUGH = 32
"""A group of so many is worth its sync, however large the crowd."""
_EMPTY_TURNS_MAX = 3
_WAIT_S_MAX = 0.004


class Pacing:
    """How many callers there are, over short windows of time, and how long the present group has waited for them."""

    def __init__(self) -> None:
        self._since_s = 0.0
        self._crowd = self._last_crowd = 0
        self._seen = self._empty_turns = 0
        self._end_s = 0.0

    def arrived(self, in_hand: int, now_s: float) -> None:
        """A command came. in_hand: commands not answered yet, this one included."""
        if now_s - self._since_s > _WINDOW_S:
            self._last_crowd, self._crowd, self._since_s = self._crowd, 0, now_s
        self._crowd = max(self._crowd, in_hand)

    @property
    def is_lone(self) -> bool:
        """Whether there was never more than one caller at a time lately."""
        return max(self._crowd, self._last_crowd) <= 1

    def begin(self, gathered: int, now_s: float) -> None:
        """A group could begin now, with so many commands."""
        self._seen, self._empty_turns, self._end_s = gathered, 0, now_s + _WAIT_S_MAX

    def is_complete(self, gathered: int, now_s: float) -> bool:
        """Whether the group should be written now; asked once in each turn of the event loop after `begin`."""
        crowd = max(self._crowd, self._last_crowd)
        if crowd < _CROWD_MIN or gathered >= min(_ENOUGH, crowd) or now_s >= self._end_s:
            return True
        if gathered > self._seen:
            self._seen, self._empty_turns = gathered, 0
            return False
        self._empty_turns += 1
        return self._empty_turns > _EMPTY_TURNS_MAX
