"""Where a promise was broken: the moments that are framed, and what stands under the title."""

from typing import NamedTuple

from mq.sim.spacetime.story import Moment, Story

__all__ = ["Broken", "broken_moments"]


class Broken(NamedTuple):
    """A broken promise. promise: in one sentence; at_ms: when it broke; facts: those that conflict.

    nodes: the last moment of each until then is framed; without any, the last moment of all, as for a run that ends there.
    """

    promise: str
    at_ms: int
    facts: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What is written under the title."""
        return f"broken at {self.at_ms} ms: {self.promise}"


def broken_moments(story: Story, broken: Broken | None) -> frozenset[int]:
    """The numbers of the moments to frame."""
    if broken is None:
        return frozenset()
    last: dict[str, int] = {}
    for step in story.steps:
        if isinstance(step, Moment) and step.at_ms <= broken.at_ms:
            last[step.node] = step.number
    if not broken.nodes:
        return frozenset([max(last.values())]) if last else frozenset()
    return frozenset(last[node] for node in broken.nodes if node in last)
