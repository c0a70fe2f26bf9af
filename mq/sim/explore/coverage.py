"""A search that is drawn to what it has seldom seen. It needs no idea of what it looks for.

From afar many states look alike: they share a *cell*, a rough one and within it a finer one (`Model.cell`). The search keeps
one state of each fine cell, the cheapest it met, with the way to it. Again and again it picks a cell that was seldom picked,
first among the rough ones, then among the fine ones within, and walks on from there at random. So what is rare is where it
spends its time, and deep states are reached by many short walks instead of one long one that would have to be lucky all the way.

The idea is that of Ecoffet et al., First return, then explore (Nature 590, 2021).
"""

import random
from collections.abc import Hashable, Sequence
from typing import Generic, NamedTuple

from mq.sim.explore.model import Model, Outcome, Question, Result, State, Step, Stopwatch

__all__ = ["CoverageOptions", "by_coverage"]

_STEP_COST = 10
"""One of what is limited costs as much as so many steps."""


class CoverageOptions(NamedTuple):
    """walk_steps: of one walk.

    rivals: of so many cells, drawn at random, the one that was picked least often is taken: more drives harder to what is rare.
    outside_percent: of the steps, so many come from outside: more disturbs more, and lets less come to an end.
    """

    walk_steps: int = 8
    rivals: int = 8
    outside_percent: int = 10


class _Place(Generic[State]):
    """The state that stands for a fine cell. way: (way to the state before, step), nested; None at the start."""

    __slots__ = ("cost", "depth", "picked", "state", "way")

    def __init__(self, state: State, way: "tuple[object, object] | None", depth: int, cost: int) -> None:
        self.state, self.way, self.depth, self.cost = state, way, depth, cost
        self.picked = 0


class _Region(Generic[State]):
    """A rough cell: its places, by fine cell and in the order in which they were found."""

    __slots__ = ("by_cell", "picked", "places")

    def __init__(self) -> None:
        self.by_cell: dict[Hashable, _Place[State]] = {}
        self.places: list[_Place[State]] = []
        self.picked = 0


def by_coverage(
    model: Model[State, Step],
    question: Question[State],
    *,
    rng: random.Random,
    options: CoverageOptions = CoverageOptions(),  # noqa: B008  # a tuple, which nobody can change
    start: State | None = None,
) -> Result[State, Step]:
    """Search until an invariant breaks, a goal is reached or the budget is spent.

    states_max counts fine cells; where there are not so many, the search ends after a hundred walks for each of them.
    Raises: ValueError without states_max or seconds_max.
    """
    if not question.states_max and not question.seconds_max:
        raise ValueError("a search by coverage has no end of its own: states_max or seconds_max is needed")
    return _Coverage(model, question, rng, options).search(model.first() if start is None else start)


class _Coverage(Generic[State, Step]):
    """by_cell, regions: the rough cells. states: how many fine ones were found."""

    def __init__(
        self, model: Model[State, Step], question: Question[State], rng: random.Random, options: CoverageOptions
    ) -> None:
        self.model, self.question, self.rng, self.options = model, question, rng, options
        self.watch = Stopwatch(question.seconds_max)
        self.by_cell: dict[Hashable, _Region[State]] = {}
        self.regions: list[_Region[State]] = []
        self.states = self.events = self.depth = 0

    def search(self, start: State) -> Result[State, Step]:
        self._note(start, None, 0)
        answer = self.question.answer(start)
        if answer is not None:
            return self._found(answer, None, start)
        walks, states_max = 0, self.question.states_max
        while not self.watch.is_over() and not (states_max and (self.states >= states_max or walks > 100 * states_max)):
            found = self._walk(self._pick())
            if found is not None:
                return found
            walks += 1
        return self._ended(Outcome.SPENT)

    def _pick(self) -> _Place[State]:
        randrange, rivals = self.rng.randrange, self.options.rivals
        regions = self.regions
        region = regions[randrange(len(regions))]
        for _ in range(rivals - 1):
            rival = regions[randrange(len(regions))]
            if rival.picked < region.picked:
                region = rival
        region.picked += 1
        places = region.places
        place = places[randrange(len(places))]
        for _ in range(rivals - 1):
            other = places[randrange(len(places))]
            if (other.picked, other.cost) < (place.picked, place.cost):
                place = other
        place.picked += 1
        return place

    def _walk(self, place: _Place[State]) -> Result[State, Step] | None:
        model, question = self.model, self.question
        state, way, depth = place.state, place.way, place.depth
        for _ in range(self.options.walk_steps):
            steps = () if question.prunes and question.is_pruned(state) else model.steps(state)
            if not steps or (question.depth_max and depth >= question.depth_max):
                return None
            step = self._choose(steps)
            self.events += 1
            after = model.after(state, step)
            if after is None:
                continue
            state, way, depth = after, (way, step), depth + 1
            answer = question.answer(state)
            if answer is not None:
                self.depth = max(self.depth, depth)
                return self._found(answer, way, state)
            self._note(state, way, depth)
        return None

    def _choose(self, steps: Sequence[Step]) -> Step:
        """Mostly something that is under way goes on."""
        randrange, is_outside = self.rng.randrange, self.model.is_outside
        wants_outside = randrange(100) < self.options.outside_percent
        fitting = [step for step in steps if is_outside(step) == wants_outside] or steps
        return fitting[randrange(len(fitting))]

    def _note(self, state: State, way: tuple[object, object] | None, depth: int) -> None:
        rough, fine = self.model.cell(state)
        region = self.by_cell.get(rough)
        if region is None:
            region = self.by_cell[rough] = _Region()
            self.regions.append(region)
        place = region.by_cell.get(fine)
        cost = depth + _STEP_COST * self.model.cost(state)
        if place is None:
            place = region.by_cell[fine] = _Place(state, way, depth, cost)
            region.places.append(place)
            self.states += 1
            self.depth = max(self.depth, depth)
        elif cost < place.cost:
            place.state, place.way, place.depth, place.cost = state, way, depth, cost

    def _ended(self, outcome: Outcome) -> Result[State, Step]:
        return Result(outcome=outcome, states=self.states, events=self.events, depth=self.depth, seconds=self.watch.seconds)

    def _found(self, answer: tuple[Outcome, str, str], way: tuple[object, object] | None, state: State) -> Result[State, Step]:
        outcome, which, why = answer
        path: list[Step] = []
        while way is not None:
            way, step = way  # type: ignore[assignment]  # a way is a pair of a way and a step
            path.append(step)  # type: ignore[arg-type]
        path.reverse()
        return Result(
            outcome=outcome, which=which, why=why, path=tuple(path), state=state, states=self.states, events=self.events,
            depth=self.depth, seconds=self.watch.seconds,
        )  # fmt: skip
