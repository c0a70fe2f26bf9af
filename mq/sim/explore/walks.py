"""Random walks, and searches in stages: reach one goal, then look for the next from there."""

import random
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeAlias

from mq.sim.explore.model import Model, Outcome, Question, Result, State, Step, Stopwatch

__all__ = ["Search", "random_walks", "staged"]

Search: TypeAlias = Callable[[Model[State, Step], Question[State], State], Result[State, Step]]
"""A search from a state: `breadth_first` and the others fit, with what else they want to know filled in."""

_STEPS = 100
"""Of a walk, where the question has no `depth_max`."""


def random_walks(
    model: Model[State, Step], question: Question[State], *, rng: random.Random, start: State | None = None
) -> Result[State, Step]:
    """Walk from the start as far as `depth_max`, again and again until the budget is spent.

    Never ends as exhausted: a walk does not know what it has not seen; where there are not so many states, it ends after a
    hundred steps for each. Raises: ValueError without states_max or seconds_max.
    """
    if not question.states_max and not question.seconds_max:
        raise ValueError("random walks have no end of their own: states_max or seconds_max is needed")
    return _Walks(model, question, rng).search(model.first() if start is None else start)


class _Walks(Generic[State, Step]):
    def __init__(self, model: Model[State, Step], question: Question[State], rng: random.Random) -> None:
        self.model, self.question, self.rng = model, question, rng
        self.watch = Stopwatch(question.seconds_max)
        self.seen: set[Hashable] = set()
        self.events = self.depth = 0

    def search(self, start: State) -> Result[State, Step]:
        self.seen.add(self.model.key(start))
        answer = self.question.answer(start)
        if answer is not None:
            return self._ended(answer, [], start)
        while not self._is_spent():
            found = self._walk(start)
            if found is not None:
                return found
        return self._ended((Outcome.SPENT, "", ""), [], None)

    def _is_spent(self) -> bool:
        states_max = self.question.states_max
        is_full = bool(states_max) and (len(self.seen) >= states_max or self.events >= _STEPS * states_max)
        return is_full or self.watch.is_over()

    def _walk(self, state: State) -> Result[State, Step] | None:
        model, question, path = self.model, self.question, list[Step]()
        for _ in range(question.depth_max or _STEPS):
            self.events += 1
            steps = () if question.prunes and question.is_pruned(state) else model.steps(state)
            if not steps:
                break
            step = steps[self.rng.randrange(len(steps))]
            after = model.after(state, step)
            if after is None:
                continue
            state = after
            path.append(step)
            self.depth = max(self.depth, len(path))
            self.seen.add(model.key(state))
            answer = question.answer(state)
            if answer is not None:
                return self._ended(answer, path, state)
        return None

    def _ended(self, answer: tuple[Outcome, str, str], path: list[Step], state: State | None) -> Result[State, Step]:
        outcome, which, why = answer
        return Result(
            outcome=outcome, which=which, why=why, path=tuple(path), state=state,
            states=len(self.seen), events=self.events, depth=self.depth, seconds=self.watch.seconds,
        )  # fmt: skip


def staged(
    model: Model[State, Step], stages: Sequence[tuple[Question[State], Search[State, Step]]], *, start: State | None = None
) -> Result[State, Step]:
    """Each stage goes on from where the one before reached its goal. A bug thirty steps deep lies five behind a good stage.

    Ends with the last stage, with the first that does not reach its goal, or with the first broken invariant. The path is
    that of all stages together. Raises: ValueError without stages.
    """
    if not stages:
        raise ValueError("a staged search needs stages")
    state = model.first() if start is None else start
    path: tuple[Step, ...] = ()
    states = events = depth = 0
    seconds = 0.0
    for question, search in stages:
        result = search(model, question, state)
        states, events, seconds = states + result.states, events + result.events, seconds + result.seconds
        depth = len(path) + result.depth
        path += result.path
        if result.outcome is not Outcome.REACHED or result.state is None:
            break
        state = result.state
    return Result(
        outcome=result.outcome, which=result.which, why=result.why, path=path, state=result.state,
        states=states, events=events, depth=depth, seconds=seconds,
    )  # fmt: skip
