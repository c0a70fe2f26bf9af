"""Small machines to explore, of which everything is known."""

from collections.abc import Hashable, Sequence

__all__ = ["Baton", "Grid", "Jugs", "Lock", "Post"]

Pair = tuple[int, int]


class Jugs:
    """Two jugs of 3 and 5 litres. A step fills one, empties one, or pours one into the other."""

    STEPS = ("fill 3", "fill 5", "empty 3", "empty 5", "pour 3 into 5", "pour 5 into 3")

    def first(self) -> Pair:
        return 0, 0

    def steps(self, state: Pair) -> Sequence[str]:
        return self.STEPS

    def after(self, state: Pair, step: str) -> Pair | None:
        small, big = state
        to_big, to_small = min(small, 5 - big), min(big, 3 - small)
        return {
            "fill 3": (3, big),
            "fill 5": (small, 5),
            "empty 3": (0, big),
            "empty 5": (small, 0),
            "pour 3 into 5": (small - to_big, big + to_big),
            "pour 5 into 3": (small + to_small, big - to_small),
        }[step]

    def key(self, state: Pair) -> Hashable:
        return state

    def cell(self, state: Pair) -> tuple[Hashable, Hashable]:
        return state[1], state

    def cost(self, state: Pair) -> int:
        return 0

    def is_outside(self, step: str) -> bool:
        return step.startswith("fill")

    def sort(self, step: str) -> Hashable:
        return step[0]

    def resolve(self, state: Pair, step: str) -> str | None:
        return step

    def renamed(self, steps: Sequence[str]) -> Sequence[tuple[str, ...]]:
        return ()


class Grid(Jugs):
    """Two counters that rise to `most`; what would be more is out of bounds. looked_at: how often each."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.looked_at: dict[Pair, int] = {}

    def steps(self, state: Pair) -> Sequence[str]:
        self.looked_at[state] = self.looked_at.get(state, 0) + 1
        return "left", "right"

    def after(self, state: Pair, step: str) -> Pair | None:
        found = (state[0] + (step == "left"), state[1] + (step == "right"))
        return None if max(found) > self.most else found


class Lock(Jugs):
    """Opens after a row of right buttons; a wrong one makes it begin anew. The state is how many were right, and a toggle."""

    def __init__(self, row: str) -> None:
        self.row = row

    def steps(self, state: Pair) -> Sequence[str]:
        return "abcdef"

    def after(self, state: Pair, step: str) -> Pair | None:
        return (state[0] + 1 if self.row[state[0]] == step else 0, 1 - state[1])

    def cell(self, state: Pair) -> tuple[Hashable, Hashable]:
        return state[0], state

    def is_outside(self, step: str) -> bool:
        return False


class Post:
    """Letters of ever newer editions. `write` puts the next edition under way; `read` takes one from there, in any order.

    The state: edition written last, newest read, letters under way, how many were read in a rising order.
    """

    State = tuple[int, int, tuple[int, ...], int]

    def first(self) -> State:
        return 0, 0, (), 0

    def steps(self, state: State) -> Sequence[tuple[str, int]]:
        return [("write", 0), ("crumple", 0), *(("read", edition) for edition in state[2])]

    def after(self, state: State, step: tuple[str, int]) -> State | None:
        written, newest, letters, rising = state
        what, edition = step
        if what == "crumple":
            return state
        if what == "write":
            return written + 1, newest, (*letters, written + 1), rising
        rest = tuple(letter for letter in letters if letter != edition)
        return written, max(newest, edition), rest, rising + (edition > newest)

    def key(self, state: State) -> Hashable:
        return state

    def cell(self, state: State) -> tuple[Hashable, Hashable]:
        return state[3], state

    def cost(self, state: State) -> int:
        return state[0]

    def is_outside(self, step: tuple[str, int]) -> bool:
        return step[0] != "read"

    def sort(self, step: tuple[str, int]) -> Hashable:
        return step[0]

    def resolve(self, state: State, step: tuple[str, int]) -> tuple[str, int] | None:
        """A letter of another edition stands for one that was never written."""
        if step in self.steps(state):
            return step
        return ("read", max(state[2])) if state[2] else None

    def renamed(self, steps: Sequence[tuple[str, int]]) -> Sequence[tuple[tuple[str, int], ...]]:
        return ()


class Baton(Jugs):
    """Two runners who are alike: whoever holds the baton runs. The state: who that is, and how far it came."""

    def first(self) -> Pair:
        return 0, 0

    def steps(self, state: Pair) -> Sequence[str]:
        return "pass", "ab"[state[0]]

    def after(self, state: Pair, step: str) -> Pair | None:
        return (1 - state[0], state[1]) if step == "pass" else (state[0], state[1] + 1)

    def resolve(self, state: Pair, step: str) -> str | None:
        return step if step in self.steps(state) else None

    def renamed(self, steps: Sequence[str]) -> Sequence[tuple[str, ...]]:
        return [tuple({"a": "b", "b": "a"}.get(step, step) for step in steps)]
