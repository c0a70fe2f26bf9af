"""What can be explored: a machine that takes steps, and the question that is asked of it.

A model's states never change; a step gives another one. That is what lets a search stand at thousands of places at once.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

__all__ = ["Model", "Outcome", "Question", "Result", "State", "Step", "Stopwatch"]

State = TypeVar("State", bound=Hashable)
Step = TypeVar("Step", bound=Hashable)


class Model(Protocol[State, Step]):
    """A machine to be explored.

    A step is named by what happens in it (this message arrives there), never by a number in its run, so that it keeps its
    meaning when steps before it are left out.
    """

    def first(self) -> State:
        """Where every run begins."""

    def steps(self, state: State) -> Sequence[Step]:
        """What can happen here, in an order that depends on the state alone."""

    def after(self, state: State, step: Step) -> State | None:
        """The state that a possible step leads to; None where that is out of bounds."""

    def key(self, state: State) -> Hashable:
        """States with equal keys are one state to a search: all that can follow the one can follow the other."""

    def cell(self, state: State) -> tuple[Hashable, Hashable]:
        """What the state looks like from afar, roughly and less roughly: a search by coverage wants to see every look."""

    def cost(self, state: State) -> int:
        """How much has been used up of what there is only so much of: of two states that look alike the cheaper one is kept."""

    def is_outside(self, step: Step) -> bool:
        """Whether the step comes from outside (a time-out, a fault, a client), not from what is under way already."""

    def sort(self, step: Step) -> Hashable:
        """What kind of step it is: steps of one sort are often needed, or not needed, together."""

    def resolve(self, state: State, step: Step) -> Step | None:
        """The step that can happen here and is this one, or comes nearest to it; None when nothing does."""

    def renamed(self, steps: Sequence[Step]) -> Iterable[tuple[Step, ...]]:
        """The same steps with parts exchanged that are alike, as nodes are: once for each way to exchange them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Generic[State]):
    """What a search looks for, and when it gives up.

    invariants: by name, None where the promise is kept, else how it is broken. goals: by name, whether it is reached.
    prunes: by name, whether to go no further from here. depth_max, states_max, seconds_max: 0 for no limit. looked: called for
    each state that is looked at, for whoever wants to see how far it is.
    """

    invariants: Mapping[str, Callable[[State], str | None]] = field(default_factory=dict)
    goals: Mapping[str, Callable[[State], bool]] = field(default_factory=dict)
    prunes: Mapping[str, Callable[[State], bool]] = field(default_factory=dict)
    depth_max: int = 0
    states_max: int = 0
    seconds_max: float = 0
    looked: Callable[[], None] | None = None

    def answer(self, state: State) -> "tuple[Outcome, str, str] | None":
        """Whether the search ends here: how, by which invariant or goal, and why."""
        if self.looked is not None:
            self.looked()
        for name, is_broken in self.invariants.items():
            why = is_broken(state)
            if why is not None:
                return Outcome.BROKEN, name, why
        for name, is_reached in self.goals.items():
            if is_reached(state):
                return Outcome.REACHED, name, ""
        return None

    def is_pruned(self, state: State) -> bool:
        """Whether nothing beyond this state is of interest."""
        return any(is_pruned(state) for is_pruned in self.prunes.values())


class Outcome(StrEnum):
    """How a search ended. EXHAUSTED: it saw every state there is. SPENT: states, depth or seconds ran out before that."""

    BROKEN = "broken"
    REACHED = "reached"
    EXHAUSTED = "exhausted"
    SPENT = "spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Generic[State, Step]):
    """What a search found.

    which: invariant or goal. path: the steps that lead to `state`. states: distinct ones that were seen; events: steps that
    were taken; depth: of the deepest state.
    """

    outcome: Outcome
    states: int
    events: int
    depth: int
    seconds: float
    which: str = ""
    why: str = ""
    path: tuple[Step, ...] = ()
    state: State | None = None

    def pace(self) -> str:
        """States, events and speed, in words."""
        seconds = max(self.seconds, 1e-6)
        return (
            f"{self.states:,} distinct states, {self.events:,} steps tried, depth {self.depth}, "
            f"{self.seconds:.1f} s ({self.events / seconds:,.0f} steps a second)"
        )


class Stopwatch:
    """How long it has been, looked up seldom: asking the clock costs as much as a step. seconds_max: 0 for no limit."""

    def __init__(self, seconds_max: float, clock: Callable[[], float] = time.process_time) -> None:
        self._clock, self._begun = clock, clock()
        self._end = self._begun + seconds_max if seconds_max else float("inf")

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return self._clock() - self._begun

    def is_over(self) -> bool:
        """Whether the budget is spent."""
        return self._clock() >= self._end
