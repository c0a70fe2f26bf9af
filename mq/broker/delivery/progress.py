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
        return min(self.in_flight, default=self.next_offset)

    def hide(self, offset: int, flight: InFlight) -> None:
        """Put a message in flight, or change how it is."""
        self.in_flight[offset] = flight
        heappush(self.ready, (flight.deadline_ms, offset, flight.stamp))
        self.tidy()

    def tidy(self) -> None:
        """Drop what is left behind when it is more than half: nobody asks a follower what is ready, so nothing comes up there."""
        if len(self.ready) > 2 * len(self.in_flight) + _LEFT_BEHIND_MAX:
            self.ready = [(flight.deadline_ms, offset, flight.stamp) for offset, flight in self.in_flight.items()]
            heapify(self.ready)

    def next_deadline_ms(self) -> int | None:
        """When the next message in flight becomes ready again; None when nothing is in flight."""
        ready = self.ready
        while ready:
            deadline_ms, offset, stamp = ready[0]
            flight = self.in_flight.get(offset)
            if flight is not None and flight.stamp == stamp and flight.deadline_ms == deadline_ms:
                return deadline_ms
            heappop(ready)
        return None

    def expired(self, now_ms: int) -> list[int]:
        """Offsets in flight whose deadline passed, in queue order."""
        first = self.next_deadline_ms()
        if first is None or first > now_ms:
            return []
        return sorted(offset for offset, flight in self.in_flight.items() if flight.deadline_ms <= now_ms)

    def forget_below(self, offset: int) -> int:
        """Retention took everything below `offset`; returns how many undelivered messages that skipped."""
        for gone in [o for o in self.in_flight if o < offset]:
            del self.in_flight[gone]
        skipped = max(0, offset - self.next_offset)
        self.next_offset += skipped
        return skipped

    def move(self, offset: int) -> None:
        """Go on from `offset`; whatever was in flight is forgotten."""
        self.next_offset = offset
        self.in_flight.clear()
        self.ready.clear()

    def to_plain(self) -> list[Any]:
        """As plain lists, for a snapshot."""
        flights = [[o, f.attempt, f.deadline_ms, f.stamp, f.client, f.renews, f.taken_ms] for o, f in self.in_flight.items()]
        return [self.next_offset, self.attempt_id, flights]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "QueueProgress":
        """The one of a snapshot."""
        progress = cls()
        progress.next_offset, progress.attempt_id, flights = plain
        progress.in_flight = {offset: InFlight(*flight) for offset, *flight in flights}
        progress.ready = [(f.deadline_ms, o, f.stamp) for o, f in progress.in_flight.items()]
        heapify(progress.ready)
        return progress
