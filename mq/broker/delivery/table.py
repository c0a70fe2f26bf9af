"""The delivery table: one consumer group's progress in one topic.

For each queue a message is in exactly one of four places:

* at or beyond `next_offset`: never delivered to this group;
* in flight and hidden: received, its deadline not reached;
* in flight and ready again: received, its deadline passed without an ack;
* done: below `next_offset` and not in flight (acknowledged, skipped by a filter, or a dead letter).

The table is part of the replicated state: it changes only when a command is applied, and takes the time
from the command. RocketMQ: PopMessageProcessor, AckMessageProcessor, ChangeInvisibleTimeProcessor.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from mq.broker.commands import DeadPlace, QueuePick

__all__ = ["Delivered", "DeliveryTable", "InFlight", "QueueProgress", "Received"]


@dataclass(slots=True)
class InFlight:
    """One message that was handed out and is not done.

    attempt: how often it was delivered, from 1; 0 when the only delivery did not take place.
    deadline_ms: log time at which it is ready again.
    stamp: log index of the command that made its valid receipt handle. taken_ms: log time of the delivery.
    """

    attempt: int
    deadline_ms: int
    stamp: int
    client: str
    renews: bool
    taken_ms: int


class Delivered(NamedTuple):
    """One message handed out by a receive."""

    queue_id: int
    offset: int
    attempt: int
    stamp: int
    deadline_ms: int


class Received(NamedTuple):
    """What a receive came to: the messages handed out, and (queue id, place) of those that died."""

    delivered: tuple[Delivered, ...]
    dead: tuple[tuple[int, DeadPlace], ...]


class QueueProgress:
    """A group's place in one queue."""

    __slots__ = ("attempt_id", "in_flight", "next_offset", "ready")

    def __init__(self) -> None:
        self.next_offset = 0
        self.in_flight: dict[int, InFlight] = {}
        self.attempt_id = ""
        # (deadline, offset, stamp), the earliest first; entries whose stamp or deadline is not the
        # current one are left behind and dropped when they come up.
        self.ready: list[tuple[int, int, int]] = []

    @property
    def consumer_offset(self) -> int:
        """The lowest offset that is not done."""
        return min(self.in_flight, default=self.next_offset)

    def hide(self, offset: int, flight: InFlight) -> None:
        """Put a message in flight, or change how it is."""
        self.in_flight[offset] = flight
        heappush(self.ready, (flight.deadline_ms, offset, flight.stamp))

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


class DeliveryTable:
    """One group's progress in all queues of one topic."""

    def __init__(self) -> None:
        self._queues: dict[int, QueueProgress] = {}

    def queue(self, queue_id: int) -> QueueProgress:
        """The group's place in one queue; at the beginning when it never read there."""
        progress = self._queues.get(queue_id)
        if progress is None:
            progress = self._queues[queue_id] = QueueProgress()
        return progress

    def look(self, queue_id: int) -> QueueProgress:
        """Like `queue`, for reading only: looking must not change the state, which replicas share."""
        return self._queues.get(queue_id) or QueueProgress()

    def queues(self) -> Iterator[tuple[int, QueueProgress]]:
        """The queues that the group has touched."""
        return iter(self._queues.items())

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:
        """The picks without what was ready again when it was chosen and is hidden by now.

        A change of the invisible duration, or a renewal, that was on its way into the log came first, and its caller was
        told so. Of an ordered queue all wait then. What is repeated for the same caller stays hidden from the others.
        """
        due = []
        for pick in picks:
            flights = self.look(pick.queue_id).in_flight
            offsets = (*pick.again, *(place.offset for place in pick.dead))
            hidden = {o for o in offsets if o in flights and flights[o].deadline_ms > now_ms and not pick.is_repeat}
            gone = frozenset(offsets if hidden and is_fifo else hidden)
            again = tuple(o for o in pick.again if o not in gone)
            due.append(replace(pick, again=again, dead=tuple(d for d in pick.dead if d.offset not in gone)) if gone else pick)
        return tuple(due)

    def take(  # noqa: PLR0913 - what a delivery is made of
        self,
        picks: tuple[QueuePick, ...],
        *,
        stamp: int,
        deadline_ms: int,
        client: str,
        renews: bool,
        attempt_id: str,
        now_ms: int,
    ) -> Received:
        """Carry out a receive: hide what was picked. A pick based on another state of the queue is void."""
        delivered: list[Delivered] = []
        dead: list[tuple[int, DeadPlace]] = []
        for pick in picks:
            progress = self.queue(pick.queue_id)
            if progress.next_offset != pick.from_offset:
                continue
            progress.attempt_id = attempt_id
            dead += [(pick.queue_id, place) for place in pick.dead if progress.in_flight.pop(place.offset, None) is not None]
            for offset, attempt in self._picked(progress, pick):
                progress.hide(offset, InFlight(attempt, deadline_ms, stamp, client, renews, now_ms))
                delivered.append(Delivered(pick.queue_id, offset, attempt, stamp, deadline_ms))
            progress.next_offset = pick.next_offset
        return Received(tuple(delivered), tuple(dead))

    @staticmethod
    def _picked(progress: QueueProgress, pick: QueuePick) -> Iterator[tuple[int, int]]:
        for offset in pick.again:
            before = progress.in_flight.get(offset)
            if before is not None:
                yield offset, before.attempt + (not pick.is_repeat)
        skipped = frozenset(pick.skipped)
        for offset in range(pick.first_offset, pick.next_offset):
            if offset not in skipped:
                yield offset, 1

    def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:
        """The delivery that a receipt handle stands for, if the handle is the current one and in time."""
        progress = self._queues.get(queue_id)
        flight = progress.in_flight.get(offset) if progress else None
        return flight if flight is not None and flight.stamp == stamp and flight.deadline_ms > now_ms else None

    def is_done(self, queue_id: int, offset: int) -> bool:
        """Whether the group needs the message no more."""
        progress = self._queues.get(queue_id)
        return progress is not None and offset < progress.next_offset and offset not in progress.in_flight

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        """The message is done. False, and nothing changes, when the handle is replaced or out of time."""
        if self.valid(queue_id, offset, stamp, now_ms) is None:
            return False
        del self._queues[queue_id].in_flight[offset]
        return True

    def change(  # noqa: PLR0913 - the handle, and what becomes of it
        self, queue_id: int, offset: int, stamp: int, now_ms: int, *, deadline_ms: int, new_stamp: int, is_counted: bool = True
    ) -> InFlight | None:
        """Move one delivery's deadline and replace its handle; None when the handle is not valid.

        is_counted: False takes the delivery's attempt back.
        """
        flight = self.valid(queue_id, offset, stamp, now_ms)
        if flight is None:
            return None
        attempt = flight.attempt if is_counted else flight.attempt - 1
        changed = replace(flight, attempt=attempt, deadline_ms=deadline_ms, stamp=new_stamp, renews=False)
        self._queues[queue_id].hide(offset, changed)
        return changed

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        """Hide for longer what a client holds with `auto_renew`, received by the command `since` or later; returns how many."""
        # What was received in this very millisecond counts as renewed, or nobody would think of it again.
        return self._move_deadlines(
            deadline_ms,
            lambda f: f.client == client and f.renews and f.stamp >= since and f.taken_ms > not_before_ms
            and now_ms < f.deadline_ms <= deadline_ms,
        )  # fmt: skip

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:
        """Make ready earlier what a client holds with `auto_renew`, or all that it holds; returns how many."""
        return self._move_deadlines(
            deadline_ms, lambda f: f.client == client and (f.renews or everything) and max(now_ms, deadline_ms) < f.deadline_ms
        )

    def _move_deadlines(self, deadline_ms: int, is_meant: Callable[[InFlight], bool]) -> int:
        moved = 0
        for progress in self._queues.values():
            for offset, flight in progress.in_flight.items():
                if is_meant(flight):
                    flight.deadline_ms = deadline_ms
                    heappush(progress.ready, (deadline_ms, offset, flight.stamp))
                    moved += 1
        return moved

    def move(self, queue_id: int, offset: int) -> None:
        """Go on from `offset`; whatever was in flight is forgotten."""
        progress = self.queue(queue_id)
        progress.next_offset = offset
        progress.in_flight.clear()
        progress.ready.clear()

    def to_plain(self) -> list[Any]:
        """The table as plain lists, for a snapshot."""
        return [
            [
                queue_id,
                p.next_offset,
                p.attempt_id,
                [[o, f.attempt, f.deadline_ms, f.stamp, f.client, f.renews, f.taken_ms] for o, f in p.in_flight.items()],
            ]
            for queue_id, p in self._queues.items()
        ]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "DeliveryTable":
        """The table of a snapshot."""
        table = cls()
        for queue_id, next_offset, attempt_id, flights in plain:
            progress = table.queue(queue_id)
            progress.next_offset, progress.attempt_id = next_offset, attempt_id
            progress.in_flight = {offset: InFlight(*flight) for offset, *flight in flights}
            progress.ready = [(f.deadline_ms, o, f.stamp) for o, f in progress.in_flight.items()]
            heapify(progress.ready)
        return table
