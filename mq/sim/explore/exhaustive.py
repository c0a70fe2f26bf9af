"""Searches that see every state, if they are let: breadth first, which finds a shortest path, and depth first.

A state that was seen before, by its key, is not looked at again. Breadth first keeps for each state only a number, where it
came from and by which step, so that millions fit into memory.
"""

from array import array
from collections.abc import Hashable, Iterator

from mq.sim.explore.model import Model, Outcome, Question, Result, State, Step, Stopwatch

__all__ = ["breadth_first", "depth_first"]

_LOOK_EVERY = 1024


def breadth_first(
    model: Model[State, Step], question: Question[State], *, start: State | None = None
) -> Result[State, Step]:
    """Look at all states one step away, then at all that are two away, and so on. A path that is found is a shortest one."""
    return _Breadth(model, question).search(model.first() if start is None else start)


class _Breadth:
    """parents, steps: of each state by its number, in the order in which they were found; the first has itself as parent."""

    def __init__(self, model: Model[State, Step], question: Question[State]) -> None:
        self.model, self.question = model, question
        self.watch = Stopwatch(question.seconds_max)
        self.seen: set[Hashable] = set()
        self.parents = array("q")
        self.steps: list[Hashable] = []
        self.events = self.depth = 0

    def search(self, start: State) -> Result[State, Step]:
        self.seen.add(self.model.key(start))
        self.parents.append(0)
        self.steps.append(None)
        answer = self.question.answer(start)
        if answer is not None:
            return self._found(answer, 0, start)
        layer = [(0, start)]
        while layer:
            if self.question.depth_max and self.depth >= self.question.depth_max:
                return self._ended(Outcome.SPENT)
            found = self._expand(layer)
            if isinstance(found, Result):
                return found
            layer = found
            self.depth += bool(layer)
        return self._ended(Outcome.EXHAUSTED)

    def _expand(self, layer: list[tuple[int, State]]) -> "list[tuple[int, State]] | Result[State, Step]":
        """The states behind these that are new, or the end of the search."""
        model, question, seen, parents = self.model, self.question, self.seen, self.parents
        following: list[tuple[int, State]] = []
        for looked_at, (number, state) in enumerate(layer):
            if looked_at % _LOOK_EVERY == 0 and self._is_spent():
                return self._ended(Outcome.SPENT)
            if question.prunes and question.is_pruned(state):
                continue
            for step in model.steps(state):
                self.events += 1
                after = model.after(state, step)
                if after is None:
                    continue
                key = model.key(after)
                if key in seen:
                    continue
                seen.add(key)
                parents.append(number)
                self.steps.append(step)
                answer = question.answer(after)
                if answer is not None:
                    self.depth += 1
                    return self._found(answer, len(parents) - 1, after)
                following.append((len(parents) - 1, after))
        return following

    def _is_spent(self) -> bool:
        return bool(self.question.states_max and len(self.seen) >= self.question.states_max) or self.watch.is_over()

    def _ended(self, outcome: Outcome) -> Result[State, Step]:
        return Result(
            outcome=outcome, states=len(self.seen), events=self.events, depth=self.depth, seconds=self.watch.seconds
        )  # fmt: skip

    def _found(self, answer: tuple[Outcome, str, str], number: int, state: State) -> Result[State, Step]:
        outcome, which, why = answer
        path: list[Step] = []
        while number:
            path.append(self.steps[number])  # type: ignore[arg-type]  # steps of this model, kept by number
            number = self.parents[number]
        path.reverse()
        return Result(
            outcome=outcome, which=which, why=why, path=tuple(path), state=state, states=len(self.seen), events=self.events,
            depth=self.depth, seconds=self.watch.seconds,
        )  # fmt: skip


def depth_first(model: Model[State, Step], question: Question[State], *, start: State | None = None) -> Result[State, Step]:
    """Follow one run as deep as `depth_max`, then its variations. Finds deep states soon, and seldom by a short path.

    A state is looked at again when it is met less deep than before: more may be reached from there.
    """
    watch = Stopwatch(question.seconds_max)
    state = model.first() if start is None else start
    depths: dict[Hashable, int] = {model.key(state): 0}
    path: list[Step] = []
    stack: list[tuple[State, Iterator[Step]]] = []
    events = deepest = 0
    outcome, which, why = Outcome.EXHAUSTED, "", ""
    answer = question.answer(state)
    if answer is None:
        stack.append((state, iter(model.steps(state))))
    while stack and answer is None:
        step = next(stack[-1][1], None)
        if step is None:
            stack.pop()
            if path:
                path.pop()
            continue
        events += 1
        after = model.after(stack[-1][0], step)
        if after is None:
            continue
        key, depth = model.key(after), len(stack)
        if depths.get(key, depth + 1) <= depth:
            continue
        depths[key], deepest = depth, max(deepest, depth)
        state, answer = after, question.answer(after)
        is_deepest = bool(question.depth_max) and depth >= question.depth_max
        if answer is not None:
            path.append(step)
        elif not (question.prunes and question.is_pruned(after)):
            following = model.steps(after)
            if is_deepest and following:
                outcome = Outcome.SPENT
            elif not is_deepest:
                path.append(step)
                stack.append((after, iter(following)))
        if (question.states_max and len(depths) >= question.states_max) or (events % _LOOK_EVERY == 0 and watch.is_over()):
            outcome = Outcome.SPENT
            break
    if answer is not None:
        outcome, which, why = answer
    return Result(
        outcome=outcome, which=which, why=why, path=tuple(path) if answer else (), state=state if answer else None,
        states=len(depths), events=events, depth=deepest, seconds=watch.seconds,
    )  # fmt: skip
