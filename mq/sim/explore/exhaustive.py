"""Searches that see every state, if they are let: breadth first, which finds a shortest path, and depth first.

A state that was seen before, by its key, is not looked at again. Breadth first keeps for each state only its key, where it came
from and by which step, so that tens of millions fit into memory.
"""

from array import array
from collections.abc import Hashable, Iterator
from typing import Generic

from mq.core.errors import StateError
from mq.sim.explore.model import Model, Outcome, Question, Result, State, Step, Stopwatch

__all__ = ["breadth_first", "depth_first"]

_LOOK_EVERY = 1024


def breadth_first(model: Model[State, Step], question: Question[State], *, start: State | None = None) -> Result[State, Step]:
    """Look at all states one step away, then at all that are two away, and so on. A path that is found is a shortest one."""
    return _Breadth(model, question).search(model.first() if start is None else start)


def depth_first(model: Model[State, Step], question: Question[State], *, start: State | None = None) -> Result[State, Step]:
    """Follow one run as deep as `depth_max`, then its variations. Finds deep states soon, and seldom by a short path.

    A state is looked at again when it is met less deep than before: more may be reached from there.
    """
    return _Depth(model, question).search(model.first() if start is None else start)


class _Breadth(Generic[State, Step]):
    """States have numbers, in the order in which they are found; those that were gone on from are forgotten but for their keys.

    parents: the state that each came from. ordinals: by which of the steps that were possible there.
    """

    def __init__(self, model: Model[State, Step], question: Question[State]) -> None:
        self.model, self.question = model, question
        self.watch = Stopwatch(question.seconds_max)
        self.seen: set[Hashable] = set()
        self.parents, self.ordinals = array("I"), array("H")
        self.events = self.depth = 0

    def search(self, start: State) -> Result[State, Step]:
        self.start = start
        self._note(self.model.key(start), 0, 0)
        answer = self.question.answer(start)
        if answer is not None:
            return self._found(answer, start)
        layer = [start]
        while layer:
            if self.question.depth_max and self.depth >= self.question.depth_max:
                return self._ended(Outcome.SPENT)
            following: list[State] = []
            end = self._expand(layer, following)
            if end is not None:
                return end
            layer = following
            self.depth += bool(layer)
        return self._ended(Outcome.EXHAUSTED)

    def _expand(self, layer: list[State], following: list[State]) -> Result[State, Step] | None:
        """Put the states behind these that are new into `following`; the end of the search, if it is found there."""
        model, question, seen, first = self.model, self.question, self.seen, len(self.parents) - len(layer)
        # Two steps that do not touch each other lead to the same state in either order: seen at once, before its key is made.
        fresh: set[State] = set()
        for number, state in enumerate(layer):
            if number % _LOOK_EVERY == 0 and self._is_spent():
                return self._ended(Outcome.SPENT)
            if question.prunes and question.is_pruned(state):
                continue
            for ordinal, step in enumerate(model.steps(state)):
                self.events += 1
                after = model.after(state, step)
                if after is None or after in fresh:
                    continue
                fresh.add(after)
                key = model.key(after)
                if key in seen:
                    continue
                self._note(key, first + number, ordinal)
                answer = question.answer(after)
                if answer is not None:
                    self.depth += 1
                    return self._found(answer, after)
                following.append(after)
        return None

    def _note(self, key: Hashable, parent: int, ordinal: int) -> None:
        self.seen.add(key)
        self.parents.append(parent)
        self.ordinals.append(ordinal)

    def _is_spent(self) -> bool:
        return bool(self.question.states_max and len(self.seen) >= self.question.states_max) or self.watch.is_over()

    def _ended(self, outcome: Outcome) -> Result[State, Step]:
        seconds = self.watch.seconds
        return Result(outcome=outcome, states=len(self.seen), events=self.events, depth=self.depth, seconds=seconds)

    def _found(self, answer: tuple[Outcome, str, str], state: State) -> Result[State, Step]:
        """The state is the newest one."""
        outcome, which, why = answer
        return Result(
            outcome=outcome, which=which, why=why, path=self._path_to(len(self.parents) - 1), state=state, states=len(self.seen),
            events=self.events, depth=self.depth, seconds=self.watch.seconds,
        )  # fmt: skip

    def _path_to(self, number: int) -> tuple[Step, ...]:
        """The steps have to be taken once more: only which of the possible ones they were is known."""
        ordinals: list[int] = []
        while number:
            ordinals.append(self.ordinals[number])
            number = self.parents[number]
        path: list[Step] = []
        state: State | None = self.start
        for ordinal in reversed(ordinals):
            if state is None:
                raise StateError(
                    "a step that was taken before is out of bounds now: the model does not depend on its state alone"
                )
            path.append(self.model.steps(state)[ordinal])
            state = self.model.after(state, path[-1])
        return tuple(path)


class _Depth(Generic[State, Step]):
    """depths: the least depth at which each state was met. stack: states under way, with the steps that were not tried yet.

    path: the steps between them.
    """

    def __init__(self, model: Model[State, Step], question: Question[State]) -> None:
        self.model, self.question = model, question
        self.watch = Stopwatch(question.seconds_max)
        self.depths: dict[Hashable, int] = {}
        self.stack: list[tuple[State, Iterator[Step]]] = []
        self.path: list[Step] = []
        self.events = self.depth = 0
        self.is_cut = False

    def search(self, start: State) -> Result[State, Step]:
        self.depths[self.model.key(start)] = 0
        answer, state = self.question.answer(start), start
        if not self.question.is_pruned(start):
            self.stack.append((start, iter(self.model.steps(start))))
        while self.stack and answer is None:
            if self._is_spent():
                return self._ended((Outcome.SPENT, "", ""), None)
            step = next(self.stack[-1][1], None)
            if step is None:
                self.stack.pop()
                del self.path[-1:]
                continue
            after = self._take(step)
            if after is not None:
                state, answer = after, self.question.answer(after)
                self._go_on(step, after, is_found=answer is not None)
        return self._ended(answer or (Outcome.SPENT if self.is_cut else Outcome.EXHAUSTED, "", ""), state if answer else None)

    def _take(self, step: Step) -> State | None:
        """The state that the step leads to, if it is new, or nearer than before."""
        self.events += 1
        after = self.model.after(self.stack[-1][0], step)
        if after is None:
            return None
        key, depth = self.model.key(after), len(self.stack)
        if self.depths.get(key, depth + 1) <= depth:
            return None
        self.depths[key], self.depth = depth, max(self.depth, depth)
        return after

    def _go_on(self, step: Step, state: State, *, is_found: bool) -> None:
        if is_found:
            self.path.append(step)
        elif not (self.question.prunes and self.question.is_pruned(state)):
            steps = self.model.steps(state)
            if not self.question.depth_max or len(self.stack) < self.question.depth_max:
                self.path.append(step)
                self.stack.append((state, iter(steps)))
            elif steps:
                self.is_cut = True

    def _is_spent(self) -> bool:
        states_max = self.question.states_max
        return bool(states_max and len(self.depths) >= states_max) or (self.events % _LOOK_EVERY == 0 and self.watch.is_over())

    def _ended(self, answer: tuple[Outcome, str, str], state: State | None) -> Result[State, Step]:
        outcome, which, why = answer
        return Result(
            outcome=outcome, which=which, why=why, path=() if state is None else tuple(self.path), state=state,
            states=len(self.depths), events=self.events, depth=self.depth, seconds=self.watch.seconds,
        )  # fmt: skip
