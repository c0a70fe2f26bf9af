"""In which order a simple consumer asks the places where messages may be: each time another one first.

A place is a topic at a broker group. Whoever begins with the same one each time never hears of the others as long as that one has
messages.
"""

from collections.abc import Sequence
from typing import TypeAlias

__all__ = ["Place", "Rotation"]

Place: TypeAlias = tuple[str, str]
"""(topic, broker group)"""


class Rotation:
    """Of one consumer."""

    def __init__(self) -> None:
        self._turn = 0

    def next(self, places: Sequence[Place]) -> list[Place]:
        """All of them, in the order of this turn: topics take turns, and within a topic its broker groups."""
        by_topic: dict[str, list[str]] = {}
        for topic, broker in sorted(set(places)):
            by_topic.setdefault(topic, []).append(broker)
        turn, self._turn = self._turn, self._turn + 1
        topics = list(by_topic)
        if not topics:
            return []
        begin = turn % len(topics)
        rounds = turn // len(topics)
        ordered = []
        for topic in topics[begin:] + topics[:begin]:
            brokers = by_topic[topic]
            first = rounds % len(brokers)
            ordered += [(topic, broker) for broker in brokers[first:] + brokers[:first]]
        return ordered
