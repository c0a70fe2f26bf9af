"""A Raft that never comes back from a call: found out by the processor's time, and told with the place where it is.

Virtual time cannot tell, for it stands still meanwhile. A run that goes on is not touched by any of this.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

from mq.sim.group.agenda import Agenda
from mq.sim.group.machine import Machine
from mq.sim.group.watch import Violation, ViolationError
from mq.sim.group.world import GroupWorld
from mq.sim.raised import place_of

__all__ = ["STANDSTILL", "STANDSTILL_SECONDS", "run_watched", "who_works"]

STANDSTILL_SECONDS = 10
"""Of the processor's time without an event of the world. A right node is done within milliseconds."""
_LOOK_SECONDS = 1

STANDSTILL = ("whatever a node is asked comes to an end", "mq/raft/README.md: a node decides and returns, the host waits for it")
"""The promise, and where it stands."""


class _StandstillError(BaseException):
    """Not an Exception, so that no node takes it for an error of its own. where: who was at work."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


def run_watched(world: GroupWorld, seconds_max: float = STANDSTILL_SECONDS) -> None:
    """`GroupWorld.run`, that ends also when a node does not. Raises: ViolationError; VacuousRunError."""
    try:
        with _watched(world.agenda, seconds_max):
            world.run()
    except _StandstillError as error:
        facts = (f"{error.where}, and does not come back", f"for {seconds_max:g} s of the processor's time there was no event")
        found = Violation(STANDSTILL[0], facts, STANDSTILL[1])

        def fail() -> None:
            raise ViolationError(found)

        world.guard(fail)


@contextmanager
def _watched(agenda: Agenda, seconds_max: float) -> Iterator[None]:
    """Raises: _StandstillError, out of whatever is at work; nothing where there are no such timers (Windows, other threads)."""
    if not hasattr(signal, "setitimer") or current_thread() is not main_thread():
        yield
        return
    seen, idle_seconds = -1, 0.0
    every_seconds = min(_LOOK_SECONDS, seconds_max)

    def look(_: int, frame: FrameType | None) -> None:
        nonlocal seen, idle_seconds
        idle_seconds = idle_seconds + every_seconds if agenda.steps == seen else 0.0
        seen = agenda.steps
        if idle_seconds >= seconds_max:
            raise _StandstillError(who_works(frame))

    before = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, every_seconds, every_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def who_works(frame: FrameType | None) -> str:
    """Such as `node 2 is at work (mine.py, line 12, in _beat)`. frame: the innermost one."""
    outer = frame
    while frame is not None and outer is not None:
        machine = outer.f_locals.get("self")
        if isinstance(machine, Machine):
            return f"node {machine.node_id} is at work ({place_of(frame, outer)})"
        outer = outer.f_back
    return "no node is at work"
