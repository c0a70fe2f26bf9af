"""What a delivery table must be, written for being read: a plain record of each message, and no cleverness.

It also remembers what the table need not: why a message is done.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received

__all__ = ["Model", "ModelQueue"]


@dataclass
class ModelQueue:
    """done: by offset, why."""

    next_offset: int = 0
    attempt_id: str = ""
    flights: dict[int, InFlight] = field(default_factory=dict)
    done: dict[int, str] = field(default_factory=dict)

    @property
    def consumer_offset(self) -> int:
        return min([self.next_offset, *self.flights])

    def expired(self, now_ms: int) -> list[int]:
        return sorted(offset for offset, flight in self.flights.items() if flight.deadline_ms <= now_ms)

    def is_hidden(self, offset: int, now_ms: int) -> bool:
        return offset in self.flights and self.flights[offset].deadline_ms > now_ms


class Model:
    """The methods are those of the seam, without what only looks. A flight is never changed, another one takes its place."""

    def __init__(self, queue_ids: Iterable[int] = (0, 1)) -> None:
        self.queues = {queue_id: ModelQueue() for queue_id in queue_ids}

    def copy(self) -> "Model":
        """By itself: what becomes of one is nothing to the other."""
        twin = Model(())
        for queue_id, q in self.queues.items():
            twin.queues[queue_id] = ModelQueue(q.next_offset, q.attempt_id, dict(q.flights), dict(q.done))
        return twin

    def next_deadline_ms(self) -> int | None:
        return min((f.deadline_ms for q in self.queues.values() for f in q.flights.values()), default=None)

    def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:
        flight = self.queues[queue_id].flights.get(offset)
        is_valid = flight is not None and flight.stamp == stamp and now_ms < flight.deadline_ms
        return flight if is_valid else None

    def is_done(self, queue_id: int, offset: int) -> bool:
        queue = self.queues[queue_id]
        return offset < queue.next_offset and offset not in queue.flights

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:
        return tuple(pick if pick.is_repeat else self._due(pick, now_ms, is_fifo=is_fifo) for pick in picks)

    def _due(self, pick: QueuePick, now_ms: int, *, is_fifo: bool) -> QueuePick:
        queue = self.queues[pick.queue_id]
        offsets = [*pick.again, *(place.offset for place in pick.dead)]
        hidden = [offset for offset in offsets if queue.is_hidden(offset, now_ms)]
        gone = offsets if hidden and is_fifo else hidden
        again = tuple(offset for offset in pick.again if offset not in gone)
        return replace(pick, again=again, dead=tuple(place for place in pick.dead if place.offset not in gone))

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
        delivered: list[Delivered] = []
        dead: list[tuple[int, DeadPlace]] = []
        for pick in picks:
            queue = self.queues[pick.queue_id]
            if queue.next_offset != pick.from_offset:
                continue
            queue.attempt_id = attempt_id
            for place in pick.dead:
                if place.offset in queue.flights:
                    del queue.flights[place.offset]
                    queue.done[place.offset] = f"became a dead letter at {now_ms} ms"
                    dead.append((pick.queue_id, place))
            attempts = {o: queue.flights[o].attempt + (not pick.is_repeat) for o in pick.again if o in queue.flights}
            for offset in range(pick.first_offset, pick.next_offset):
                if offset in pick.skipped:
                    queue.done[offset] = "was left out by the filter"
                else:
                    attempts[offset] = 1
            for offset, attempt in attempts.items():
                queue.flights[offset] = InFlight(attempt, deadline_ms, stamp, client, renews, now_ms)
                delivered.append(Delivered(pick.queue_id, offset, attempt, stamp, deadline_ms))
            queue.next_offset = pick.next_offset
        return Received(tuple(delivered), tuple(dead))

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        if self.valid(queue_id, offset, stamp, now_ms) is None:
            return False
        del self.queues[queue_id].flights[offset]
        self.queues[queue_id].done[offset] = f"was acknowledged at {now_ms} ms"
        return True

    def change(  # noqa: PLR0913 - the handle, and what becomes of it
        self, queue_id: int, offset: int, stamp: int, now_ms: int, *, deadline_ms: int, new_stamp: int, is_counted: bool = True
    ) -> InFlight | None:
        old = self.valid(queue_id, offset, stamp, now_ms)
        if old is None:
            return None
        attempt = old.attempt if is_counted else old.attempt - 1
        new = InFlight(attempt, deadline_ms, new_stamp, old.client, False, old.taken_ms)  # noqa: FBT003 - by its place
        self.queues[queue_id].flights[offset] = new
        return new

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        def is_meant(f: InFlight) -> bool:
            is_held = f.client == client and f.renews and f.stamp >= since and f.taken_ms > not_before_ms
            return is_held and now_ms < f.deadline_ms <= deadline_ms

        return self._move_deadlines(is_meant, deadline_ms)

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:
        def is_meant(f: InFlight) -> bool:
            return f.client == client and (everything or f.renews) and f.deadline_ms > max(now_ms, deadline_ms)

        return self._move_deadlines(is_meant, deadline_ms)

    def _move_deadlines(self, is_meant: Callable[[InFlight], bool], deadline_ms: int) -> int:
        moved = 0
        for queue in self.queues.values():
            meant = {
                offset: replace(flight, deadline_ms=deadline_ms) for offset, flight in queue.flights.items() if is_meant(flight)
            }
            queue.flights.update(meant)
            moved += len(meant)
        return moved

    def forget_below(self, queue_id: int, offset: int) -> int:
        queue = self.queues[queue_id]
        skipped = max(0, offset - queue.next_offset)
        for gone in [o for o in queue.flights if o < offset]:
            del queue.flights[gone]
        queue.done.update({o: "was taken by retention" for o in range(offset) if o not in queue.done})
        queue.next_offset = max(queue.next_offset, offset)
        return skipped

    def move(self, queue_id: int, offset: int) -> None:
        queue = self.queues[queue_id]
        queue.done.update({o: "was passed over by a reset" for o in range(offset) if o not in queue.done})
        for again in [o for o in queue.done if o >= offset]:
            del queue.done[again]
        queue.next_offset = offset
        queue.flights.clear()
