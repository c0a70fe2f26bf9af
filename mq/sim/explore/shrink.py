"""The shrinker: from a story that a search stumbled through to the shortest one it can be made into.

Steps are left out, first in big parts, then one by one; then whole detours, after which other nodes than before take over; then
in pairs; then stretches of the story are replaced by shorter ones.
A step that cannot happen in a changed story is passed over, and a message that is not under way is replaced by the nearest of its
kind (`Model.resolve`), so that a later election keeps its meaning when an earlier one is left out.

Zeller and Hildebrandt, Simplifying and isolating failure-inducing input (2002), with replacements added.
"""

import random
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Generic

from mq.sim.explore.model import Model, State, Step, Stopwatch

__all__ = ["replay", "shrink"]

_STRETCH = 4
"""So many steps at most are left out in one place when it is tried in two places at once."""
_DETOUR = 20
"""So many steps at most are left out where others take over what follows."""


def replay(
    model: Model[State, Step],
    steps: Sequence[Step],
    has_failed: Callable[[State], bool],
    *,
    start: State | None = None,
    most: int | None = None,
) -> tuple[Step, ...] | None:
    """The steps that really happen when these are tried in order, up to the failure.

    None when there is none, or none after `most` steps that happened.
    """
    state = model.first() if start is None else start
    done: list[Step] = []
    for wanted in steps:
        if len(done) == most:
            return None
        step = model.resolve(state, wanted)
        after = None if step is None else model.after(state, step)
        if step is None or after is None:
            continue
        state = after
        done.append(step)
        if has_failed(state):
            return tuple(done)
    return None


def shrink(  # noqa: PLR0913 - half of them are limits
    model: Model[State, Step],
    steps: Sequence[Step],
    has_failed: Callable[[State], bool],
    *,
    rng: random.Random,
    tries_max: int = 40_000,
    patience: int = 1_500,
    seconds_max: float = 0,
) -> tuple[Step, ...]:
    """The shortest story that is found. No single step can be left out of it, unless the time was over before.

    tries_max: replays; patience: so many in a row that make it no shorter are enough. seconds_max: of one core, 0 for no limit.
    Raises: ValueError when these steps do not lead to the failure.
    """
    found = replay(model, steps, has_failed)
    if found is None:
        raise ValueError("there is nothing to shrink: these steps do not lead to the failure")
    return _Shrinker(model, found, has_failed, rng, (tries_max, patience), Stopwatch(seconds_max)).shrink()


class _Shrinker(Generic[State, Step]):
    """best: the shortest so far. states: the one before each of its steps."""

    def __init__(
        self,
        model: Model[State, Step],
        best: tuple[Step, ...],
        has_failed: Callable[[State], bool],
        rng: random.Random,
        limits: tuple[int, int],
        watch: Stopwatch,
    ) -> None:
        self.model, self.has_failed, self.rng = model, has_failed, rng
        self.tries_left, self.patience = limits
        self.watch = watch
        self._take(best)

    def _take(self, steps: tuple[Step, ...]) -> None:
        self.best, state = steps, self.model.first()
        self.states: list[State] = []
        for step in steps:
            self.states.append(state)
            after = self.model.after(state, step)
            assert after is not None, "each of these steps happened when they were tried"
            state = after

    def shrink(self) -> tuple[Step, ...]:
        self._remove_all()
        while not self._is_spent() and (self._remove_detours() or self._remove_stretches() or self._change_at_random()):
            self._remove_all()
        self._settle()
        while not self._is_spent() and self._remove_singles():
            self._settle()
        return self.best

    def _is_spent(self) -> bool:
        return self.tries_left <= 0 or self.watch.is_over()

    def _change_at_random(self) -> bool:
        """Until it is shorter, or patience is at its end."""
        before = len(self.best)
        for number in range(self.patience):
            if self.watch.is_over():
                return False
            if number % 2:
                self._remove_sorts()
            else:
                self._replace_somewhere()
            if len(self.best) < before:
                return True
        return False

    def _settle(self) -> None:
        """Let what is under way arrive as early as it can: a story is read more easily when an answer follows its question."""
        for at in range(1, len(self.best)):
            step = self.best[at]
            if self.model.is_outside(step):
                continue
            rest = self.best[:at] + self.best[at + 1 :]
            for earlier in range(at):
                if self.watch.is_over():
                    return
                moved = (*rest[:earlier], step, *rest[earlier:])
                if replay(self.model, moved, self.has_failed) == moved:
                    self._take(moved)
                    break

    def _try(self, steps: Sequence[Step], *, longest: int) -> bool:
        self.tries_left -= 1
        if self.watch.is_over():
            return False
        same, same_max = 0, min(len(steps), len(self.best) - 1)
        while same < same_max and steps[same] == self.best[same]:
            same += 1
        found = replay(self.model, steps[same:], self.has_failed, start=self.states[same], most=longest - same)
        if found is None:
            return False
        self._take(self.best[:same] + found)
        return True

    # --- leaving out

    def _remove_all(self) -> None:
        size = max(1, len(self.best) // 2)
        while size > 1:
            self._remove_chunks(size)
            size = max(1, size // 2)
        while self._remove_singles():
            pass

    def _remove_chunks(self, size: int) -> None:
        at = 0
        while at < len(self.best):
            if not self._try(self.best[:at] + self.best[at + size :], longest=len(self.best) - 1):
                at += size

    def _remove_singles(self) -> bool:
        before = len(self.best)
        self._remove_chunks(1)
        return len(self.best) < before

    def _remove_detours(self) -> bool:
        """Leave out a stretch, and let what follows happen to other parts: what one of two like nodes did, the other can do."""
        longest = len(self.best) - 1
        for width in range(1, min(longest, _DETOUR) + 1):
            for at in range(longest + 1 - width):
                for rest in self.model.renamed(self.best[at + width :]):
                    if self._is_spent():
                        return False
                    if self._try((*self.best[:at], *rest), longest=longest):
                        return True
        return False

    def _remove_stretches(self) -> bool:
        """Leave out two short stretches at once: what one of them does, the other needs."""
        places = range(len(self.best))
        stretches = [(at, at + width) for at in places for width in range(1, _STRETCH + 1) if at + width < len(self.best)]
        for (first, first_end), (second, second_end) in combinations(stretches, 2):
            if self._is_spent():
                return False
            if first_end > second:
                continue
            rest = self.best[:first] + self.best[first_end:second] + self.best[second_end:]
            if self._try(rest, longest=len(self.best) - 1):
                return True
        return False

    def _remove_sorts(self) -> None:
        """Leave out all steps of some sorts within a stretch: a whole election, or all that was replicated in it."""
        randrange, best = self.rng.randrange, self.best
        first, last = sorted((randrange(len(best)), randrange(len(best))))
        sorts = list(dict.fromkeys(self.model.sort(step) for step in best[first : last + 1]))
        chosen = {sort for sort in sorts if randrange(2)}
        kept = [step for step in best[first : last + 1] if self.model.sort(step) not in chosen]
        self._try((*best[:first], *kept, *best[last + 1 :]), longest=len(best))

    # --- replacing

    def _replace_somewhere(self) -> None:
        """Leave out some steps of a stretch, and let others happen in their place, fewer or as many.

        As many, too: a story of the same length may be one from which more can be left out.
        """
        randrange, best = self.rng.randrange, self.best
        at = randrange(len(best))
        width = 1 + randrange(6)
        stretch = list(best[at : at + width])
        removed = 1 + randrange(min(3, len(stretch)))
        for _ in range(removed):
            del stretch[randrange(len(stretch))]
        new = self._some_steps(self.states[at], stretch, randrange(removed + 1))
        self._try((*best[:at], *new, *best[at + width :]), longest=len(best))

    def _some_steps(self, state: State, kept: list[Step], more: int) -> list[Step]:
        """The kept steps in their order with so many others between them, each of which can happen there."""
        randrange, model = self.rng.randrange, self.model
        places = sorted(randrange(len(kept) + 1) for _ in range(more))
        new: list[Step] = []
        for place in range(len(kept) + 1):
            wanted: list[Step | None] = [None] * places.count(place)
            if place < len(kept):
                wanted.append(kept[place])
            for one in wanted:
                steps = model.steps(state)
                step = model.resolve(state, one) if one is not None else steps[randrange(len(steps))] if steps else None
                after = None if step is None else model.after(state, step)
                if step is not None and after is not None:
                    new.append(step)
                    state = after
                elif one is not None:
                    new.append(one)
        return new
