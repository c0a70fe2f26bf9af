"""The delivery table: one consumer group's progress in one topic.

For each queue a message is in exactly one of four places:

* at or beyond `next_offset`: never delivered to this group;
* in flight and hidden: received, its deadline not reached;
* in flight and ready again: received, its deadline passed without an ack;
* done: below `next_offset` and not in flight (acknowledged, skipped by a filter, or a dead letter).

The table is part of the replicated state: it changes only when a command is applied, and takes the time
from the command. What others need to know of it they ask by methods with plain answers, which change nothing, so that a
table of another make can stand in this one's place (`mq.parts`). RocketMQ: PopMessageProcessor, AckMessageProcessor,
ChangeInvisibleTimeProcessor.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import heappush
from typing import Any

from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received
from mq.broker.delivery.progress import QueueProgress

__all__ = ["DeliveryTable"]


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

    # --- what is asked; it changes nothing, for replicas share the state

    def queues(self) -> Sequence[int]:
        """The queues that the group has touched."""
        return tuple(self._queues)

    def next_offset(self, queue_id: int) -> int:
        """The first message of a queue that was never delivered."""
        progress = self._queues.get(queue_id)
        return progress.next_offset if progress is not None else 0

    def consumer_offset(self, queue_id: int) -> int:
        """The lowest offset of a queue that is not done."""
        progress = self._queues.get(queue_id)
        return progress.consumer_offset if progress is not None else 0

    def attempt_id(self, queue_id: int) -> str:
        """What the last receive from a queue called itself."""
        progress = self._queues.get(queue_id)
        return progress.attempt_id if progress is not None else ""

    def flights(self, queue_id: int) -> Mapping[int, InFlight]:
        """What is in flight of a queue, by offset. To be looked at, not to be changed."""
        progress = self._queues.get(queue_id)
        return progress.in_flight if progress is not None else {}

    def expired(self, queue_id: int, now_ms: int) -> list[int]:
        """Offsets of a queue that are in flight and ready again, in queue order."""
        progress = self._queues.get(queue_id)
        return progress.expired(now_ms) if progress is not None else []

    def next_deadline_ms(self) -> int | None:
        """When the next message in flight becomes ready again, of all queues; None when nothing is in flight."""
        deadlines = [d for p in self._queues.values() if (d := p.next_deadline_ms()) is not None]
        return min(deadlines, default=None)

    def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:
        """The delivery that a receipt handle stands for, if the handle is the current one and in time."""
        progress = self._queues.get(queue_id)
        flight = progress.in_flight.get(offset) if progress else None
        return flight if flight is not None and flight.stamp == stamp and flight.deadline_ms > now_ms else None

    def is_done(self, queue_id: int, offset: int) -> bool:
        """Whether the group needs the message no more."""
        progress = self._queues.get(queue_id)
        return progress is not None and offset < progress.next_offset and offset not in progress.in_flight

    # --- what commands do

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:
        """The picks without what was ready again when it was chosen and is hidden by now.

        A change of the invisible duration, or a renewal, that was on its way into the log came first, and its caller was
        told so. Of an ordered queue all wait then. What is repeated for the same caller stays hidden from the others.
        """
        due = []
        for pick in picks:
            flights = self.flights(pick.queue_id)
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
        """Those that are meant come again at this time and not before; returns how many they are."""
        moved = 0
        for progress in self._queues.values():
            for offset, flight in progress.in_flight.items():
                if is_meant(flight):
                    flight.deadline_ms = deadline_ms
                    heappush(progress.ready, (deadline_ms, offset, flight.stamp))
                    moved += 1
            progress.tidy()
        return moved

    def forget_below(self, queue_id: int, offset: int) -> int:
        """Retention took everything of a queue below `offset`; returns how many undelivered messages that skipped."""
        return self.queue(queue_id).forget_below(offset)

    def move(self, queue_id: int, offset: int) -> None:
        """Go on from `offset` in a queue; whatever was in flight there is forgotten."""
        self.queue(queue_id).move(offset)

    # --- snapshots

    def to_plain(self) -> Any:
        """The table as what JSON can hold, for a snapshot: here lists."""
        return [[queue_id, *progress.to_plain()] for queue_id, progress in self._queues.items()]

    @classmethod
    def from_plain(cls, plain: Any) -> "DeliveryTable":
        """The table of a snapshot."""
        table = cls()
        table._queues = {queue_id: QueueProgress.from_plain(progress) for queue_id, *progress in plain}
        return table
