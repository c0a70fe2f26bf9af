"""What is to happen, and when: one heap for the whole world. Virtual time is in whole milliseconds.

What is due at the same moment happens in the order in which it was put down, so that one seed gives one run.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeAlias

__all__ = ["Agenda", "Item"]

Item: TypeAlias = tuple[int, int, Callable[[Any, Any], None], Any, Any]
"""When, a rising number, what to call, and with which two arguments: no closure is made for it."""


class Agenda:
    """now_ms: virtual time. steps: how many things were handled. heap, number: others may push onto it where speed counts."""

    __slots__ = ("heap", "now_ms", "number", "steps")

    def __init__(self) -> None:
        self.heap: list[Item] = []
        self.now_ms = self.number = self.steps = 0

    def at(self, at_ms: int, do: Callable[[Any, Any], None], one: Any = None, two: Any = None) -> None:
        """Something is to happen at a moment that has not passed."""
        self.number += 1
        heappush(self.heap, (at_ms, self.number, do, one, two))

    def run(self, until_ms: int, steps_max: int) -> None:
        """Everything that is due up to then, but no more than so many steps in all."""
        heap = self.heap
        while heap and heap[0][0] <= until_ms and self.steps < steps_max:
            self.now_ms, _, do, one, two = heappop(heap)
            self.steps += 1
            do(one, two)
