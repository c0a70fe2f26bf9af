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

from lab1c_delivery.progress import QueueProgress
from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received

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
        raise NotImplementedError("lab 1c: DeliveryTable.valid")

    def is_done(self, queue_id: int, offset: int) -> bool:
        """Whether the group needs the message no more."""
        raise NotImplementedError("lab 1c: DeliveryTable.is_done")

    # --- what commands do

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:
        """The picks without what was ready again when it was chosen and is hidden by now.

        A change of the invisible duration, or a renewal, that was on its way into the log came first, and its caller was
        told so. Of an ordered queue all wait then. What is repeated for the same caller stays hidden from the others.
        """
        raise NotImplementedError("lab 1c: DeliveryTable.still_due")

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
        raise NotImplementedError("lab 1c: DeliveryTable.take")

    @staticmethod
    def _picked(progress: QueueProgress, pick: QueuePick) -> Iterator[tuple[int, int]]:
        raise NotImplementedError("lab 1c: DeliveryTable._picked")

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        """The message is done. False, and nothing changes, when the handle is replaced or out of time."""
        raise NotImplementedError("lab 1c: DeliveryTable.ack")

    def change(  # noqa: PLR0913 - the handle, and what becomes of it
        self, queue_id: int, offset: int, stamp: int, now_ms: int, *, deadline_ms: int, new_stamp: int, is_counted: bool = True
    ) -> InFlight | None:
        """Move one delivery's deadline and replace its handle; None when the handle is not valid.

        is_counted: False takes the delivery's attempt back.
        """
        raise NotImplementedError("lab 1c: DeliveryTable.change")

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        """Hide for longer what a client holds with `auto_renew`, received by the command `since` or later; returns how many."""
        # What was received in this very millisecond counts as renewed, or nobody would think of it again.
        raise NotImplementedError("lab 1c: DeliveryTable.renew")

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:
        """Make ready earlier what a client holds with `auto_renew`, or all that it holds; returns how many."""
        raise NotImplementedError("lab 1c: DeliveryTable.give_back")

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
