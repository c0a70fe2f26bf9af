"""When a leader's connections break: who asks for an election, and when.

Voters ask one after the other, a few milliseconds apart, so that they do not take each other's votes; whoever comes behind the
lost leader in turn is first. The vote before the vote (pre-vote) keeps it harmless when only a connection broke. Nothing here
knows a clock: `schedule` is given.
"""

from collections.abc import Callable
from typing import Protocol

from mq.raft.role import Role

__all__ = ["Hunt", "Hunted", "Timer"]

_STEP_S = 0.025
"""Between two nodes that ask for an election."""
_START_STEP_S = 0.1
"""The same where none ever led: all begin at once, and a first vote waits for the first sync of a new disk."""
_HUNT_S = 1.0
"""So long a node goes on asking; then the time-out is enough."""


class Timer(Protocol):
    """What `schedule` gives back."""

    def cancel(self) -> None:
        """It does not come."""


class Hunted(Protocol):
    """Of a member what its hunt needs to know, and may do."""

    def voters(self) -> tuple[int, ...]:
        """Of the group, as this node knows it."""

    def leader(self) -> int | None:
        """Who leads, as far as this node knows."""

    def is_reachable(self, node: int) -> bool:
        """Whether a connection to that node stands."""

    def standing(self) -> tuple[int, Role]:
        """Term and role of this node."""

    def campaign(self) -> None:
        """Ask for an election."""


class Hunt:
    """One node's asking. schedule: calls back after so many seconds. now_s: of the clock that it runs by."""

    def __init__(
        self, node_id: int, member: Hunted, schedule: Callable[[float, Callable[[], None]], Timer], now_s: Callable[[], float]
    ) -> None:
        self._node_id, self._member, self._schedule, self._now_s = node_id, member, schedule, now_s
        self._timer: Timer | None = None
        self._lost: int | None = None
        self._until_s = 0.0
        self._asked_in = 0  # the term, when this node asked last

    @property
    def is_on(self) -> bool:
        """Whether this node is about to ask."""
        return self._timer is not None

    def lost(self, leader: int | None) -> None:
        """That leader is gone; None: there never was one. Ask soon, each voter at another moment."""
        if self._timer is not None:
            return
        self._lost, self._until_s = leader, self._now_s() + _HUNT_S
        self._asked_in, _ = self._member.standing()
        voters = [voter for voter in self._member.voters() if voter != leader]
        if self._node_id in voters:
            turn = sorted(voters, key=lambda voter: (voter < (leader or 0), voter)).index(self._node_id)
            step_s = _START_STEP_S if leader is None else _STEP_S
            self._ask_after(_STEP_S + turn * step_s, again_s=len(voters) * step_s)

    def leads(self, leader: int | None) -> None:
        """This is known now of who leads."""
        if leader not in (None, self._lost):
            self.stop()

    def stop(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask_after(self, after_s: float, *, again_s: float) -> None:
        self._timer = self._schedule(after_s, lambda: self._ask(again_s))

    def _ask(self, again_s: float) -> None:
        self._timer = None
        leader = self._member.leader()
        is_back = self._lost is not None and self._member.is_reachable(self._lost)
        if leader not in (None, self._lost) or is_back or self._now_s() > self._until_s:
            return
        # Who campaigns is not disturbed, be it another node or this one: on a busy machine votes take longer than a step.
        term, role = self._member.standing()
        if role is not Role.CANDIDATE and term == self._asked_in:
            self._member.campaign()
        self._asked_in, _ = self._member.standing()
        self._ask_after(again_s, again_s=2 * again_s)
