"""One consumer group's place in one queue: how far it came, and what is in flight."""

from heapq import heapify, heappop, heappush
from typing import Any

from mq.broker.delivery.flight import InFlight

__all__ = ["QueueProgress"]

_LEFT_BEHIND_MAX = 64


class QueueProgress:
    """next_offset: of the first message that was never delivered. in_flight: by offset. attempt_id: of the last receive."""

    __slots__ = ("attempt_id", "in_flight", "next_offset", "ready")

    def __init__(self) -> None:
        self.next_offset = 0
        self.in_flight: dict[int, InFlight] = {}
        self.attempt_id = ""
        # (deadline, offset, stamp), the earliest first; entries whose stamp or deadline is not the
        # current one are left behind and dropped when they come up, or when they are most of all.
        self.ready: list[tuple[int, int, int]] = []

    @property
    def consumer_offset(self) -> int:
        """The lowest offset that is not done."""
        raise NotImplementedError("lab 1c: QueueProgress.consumer_offset")

    def hide(self, offset: int, flight: InFlight) -> None:
        """Put a message in flight, or change how it is."""
        raise NotImplementedError("lab 1c: QueueProgress.hide")

    def tidy(self) -> None:
        """Drop what is left behind when it is more than half: nobody asks a follower what is ready, so nothing comes up there."""
        if len(self.ready) > 2 * len(self.in_flight) + _LEFT_BEHIND_MAX:
            self.ready = [(flight.deadline_ms, offset, flight.stamp) for offset, flight in self.in_flight.items()]
            heapify(self.ready)

    def next_deadline_ms(self) -> int | None:
        """When the next message in flight becomes ready again; None when nothing is in flight."""
        raise NotImplementedError("lab 1c: QueueProgress.next_deadline_ms")

    def expired(self, now_ms: int) -> list[int]:
        """Offsets in flight whose deadline passed, in queue order."""
        raise NotImplementedError("lab 1c: QueueProgress.expired")

    def forget_below(self, offset: int) -> int:
        """Retention took everything below `offset`; returns how many undelivered messages that skipped."""
        raise NotImplementedError("lab 1c: QueueProgress.forget_below")

    def move(self, offset: int) -> None:
        """Go on from `offset`; whatever was in flight is forgotten."""
        raise NotImplementedError("lab 1c: QueueProgress.move")

    def to_plain(self) -> list[Any]:
        """As plain lists, for a snapshot."""
        raise NotImplementedError("lab 1c: QueueProgress.to_plain")

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "QueueProgress":
        """The one of a snapshot."""
        raise NotImplementedError("lab 1c: QueueProgress.from_plain")
