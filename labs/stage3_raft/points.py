"""What the tests of a Raft lab are worth, 100 points together."""

from collections.abc import Sequence
from dataclasses import replace

from labs.grader.suite import Check

__all__ = ["in_100_points"]

_ALL = 100


def in_100_points(sentences: Sequence[Check], schedules: Sequence[Check], searches: Sequence[Check] = ()) -> tuple[Check, ...]:
    """Sentences and searches are worth what they say; schedules share what is left of 100, in the proportion of their points.

    Raises: ValueError when nothing is left for them.
    """
    left = _ALL - sum(check.points for check in (*sentences, *searches))
    whole = sum(check.points for check in schedules)
    if left < len(schedules):
        raise ValueError(f"{left} points are left for {len(schedules)} tests")
    shared: list[Check] = []
    for check in schedules:
        points = left * check.points // whole
        left, whole = left - points, whole - check.points  # so that the last one gets all that is left
        shared.append(replace(check, points=points))
    return (*sentences, *shared, *searches)
