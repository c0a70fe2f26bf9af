"""Random walks, and searches in stages: reach one goal, then look for the next from there."""

import random
from collections.abc import Callable, Hashable, Sequence
from typing import TypeAlias

from mq.sim.explore.model import Model, Outcome, Question, Result, State, Step, Stopwatch

__all__ = ["Search", "random_walks", "staged"]

Search: TypeAlias = Callable[[Model[State, Step], Question[State], State], Result[State, Step]]
"""A search from a state: `breadth_first` and the others fit, with what else they want to know filled in."""


def random_walks(
    model: Model[State, Step], question: Question[State], *, rng: random.Random, start: State | None = None
) -> Result[State, Step]:
    """Walk from the start, `depth_max` steps at most (100 where there is no limit), again and again until the budget is spent.

    Never ends as exhausted: a walk does not know what it has not seen. Raises: ValueError without states_max or seconds_max.
    """
    if not question.states_max and not question.seconds_max:
        raise ValueError("random walks have no end of their own: states_max or seconds_max is needed")
    watch = Stopwatch(question.seconds_max)
    first = model.first() if start is None else start
    seen: set[Hashable] = {model.key(first)}
    events = deepest = 0
    path: list[Step] = []
    state, answer = first, question.answer(first)
    is_new = True
    while answer is None and not watch.is_over() and not (question.states_max and len(seen) >= question.states_max):
        if not is_new and question.states_max and events >= 100 * question.states_max:
            break  # all that is left are states that were seen
        state, path, is_new = first, [], False
        for _ in range(question.depth_max or 100):
            steps = () if question.prunes and question.is_pruned(state) else model.steps(state)
            if not steps:
                break
            step = steps[rng.randrange(len(steps))]
            events += 1
            after = model.after(state, step)
            if after is None:
                continue
            state = after
            path.append(step)
            key = model.key(state)
            is_new = is_new or key not in seen
            seen.add(key)
            answer = question.answer(state)
            if answer is not None:
                break
        deepest = max(deepest, len(path))
    outcome, which, why = answer or (Outcome.SPENT, "", "")
    return Result(
        outcome=outcome, which=which, why=why, path=tuple(path) if answer else (), state=state if answer else None,
        states=len(seen), events=events, depth=deepest, seconds=watch.seconds,
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
