"""When all was well, and what must hold then: no attempt comes to nothing. And what never may be: that a send fails for good."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from mq.chaos.history import DONE, REFUSED, History, Send

__all__ = ["CALM_AFTER_S", "Calm", "given_up", "longest_gap_s", "refused"]

CALM_AFTER_S = 3.0
"""So long after a fault, and around an election, clients may still notice it."""
GIVE_UP_S = 20.0
"""Whoever sends tries for so long; a batch for longer."""
_WITHOUT_QUORUM_S = 15.0
_TAKES_QUORUM = ("double-kill", "power-cut")
_REFUSED_AT_ONCE = ("RefusedError:", "IllegalArgumentError:")
"""Errors after which nobody tries again."""


class Calm:
    """The times without a fault, without an election, and without what is left of one."""

    def __init__(self, history: History) -> None:
        disturbed = [(fault.began_s, fault.ended_s + CALM_AFTER_S) for fault in history.faults]
        disturbed += [(at_s - CALM_AFTER_S, at_s + CALM_AFTER_S) for at_s in history.elected_s]
        self._began_s: list[float] = []
        self._until_s: list[float] = []  # of all that began until then
        for began_s, ended_s in sorted(disturbed):
            self._began_s.append(began_s)
            self._until_s.append(max(ended_s, self._until_s[-1]) if self._until_s else ended_s)

    def covers(self, began_s: float, ended_s: float) -> bool:
        """Whether all was well all that time."""
        before = bisect_right(self._began_s, ended_s)
        return before == 0 or self._until_s[before - 1] < began_s

    def sends(self, history: History) -> int:
        """How many sends were in it from beginning to end."""
        return sum(self.covers(send.began_s, send.ended_s) for send in history.sends)

    def seconds(self, history: History) -> float:
        """How much of the time in which there were sends it was."""
        calm_s, since_s = 0.0, min((send.began_s for send in history.sends), default=0.0)
        last_s = max((send.ended_s for send in history.sends), default=0.0)
        for began_s, until_s in zip(self._began_s, self._until_s, strict=True):
            calm_s += max(0.0, min(began_s, last_s) - since_s)
            since_s = max(since_s, until_s)
        return calm_s + max(0.0, last_s - since_s)


def refused(history: History) -> Iterator[str]:
    """While all is well, the first attempt of each send does it."""
    calm = Calm(history)
    for send in history.sends:
        inside = [began_s for began_s, ended_s in send.failed if calm.covers(began_s, ended_s)]
        if inside:
            yield f"{send.message_id}: an attempt came to nothing while all was well, at {inside[0]:.3f} s: {send.error}"


def given_up(history: History) -> Iterator[str]:
    """No send fails: whatever is broken, it is repaired before a client gives up.

    But for two nodes of three or more that are down at once, and do not come back in nearly so long a time: then it is right.
    """
    double = [fault for fault in history.faults if fault.kind in _TAKES_QUORUM]
    for send in history.sends:
        if send.outcome == DONE or not _is_failed(send):
            continue
        common = (min(send.ended_s, fault.ended_s) - max(send.began_s, fault.began_s) for fault in double)
        if send.error.startswith(_REFUSED_AT_ONCE) or sum(max(0.0, time_s) for time_s in common) < _WITHOUT_QUORUM_S:
            yield f"{send.message_id} was not stored within {send.ended_s - send.began_s:.1f} s: {send.error or send.outcome}"


def _is_failed(send: Send) -> bool:
    """What was let go at once, since its outcome was not known, is none."""
    is_tried = send.ended_s - send.began_s >= GIVE_UP_S
    return send.outcome == REFUSED or is_tried or send.error.startswith(_REFUSED_AT_ONCE)


def longest_gap_s(sends: list[Send]) -> float:
    """The longest time without an acknowledged send, in seconds."""
    ends = sorted(send.ended_s for send in sends if send.outcome == DONE)
    return max((later - earlier for earlier, later in pairwise(ends)), default=0.0)
