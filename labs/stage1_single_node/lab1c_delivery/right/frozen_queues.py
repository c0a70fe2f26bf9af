"""Values that never change: each command makes another value of the queue, and deadlines are kept in a sorted list."""

from bisect import bisect_right, insort
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received

__all__ = ["DeliveryTable"]


class _Queue(NamedTuple):
    """deadlines: (deadline, offset) of all flights, sorted."""

    next_offset: int = 0
    attempt_id: str = ""
    flights: Mapping[int, InFlight] = {}
    deadlines: tuple[tuple[int, int], ...] = ()

    def without(self, *offsets: int) -> "_Queue":
        flights = {offset: flight for offset, flight in self.flights.items() if offset not in offsets}
        return self._replace(flights=flights, deadlines=tuple(pair for pair in self.deadlines if pair[1] not in offsets))

    def having(self, offset: int, flight: InFlight) -> "_Queue":
        # Where it stood before it stands again: snapshots keep their order.
        deadlines = [pair for pair in self.deadlines if pair[1] != offset]
        insort(deadlines, (flight.deadline_ms, offset))
        return self._replace(flights={**self.flights, offset: flight}, deadlines=tuple(deadlines))


class DeliveryTable:
    """See above."""

    def __init__(self) -> None:
        self._queues: dict[int, _Queue] = {}

    def _of(self, queue_id: int) -> _Queue:
        return self._queues.get(queue_id, _Queue())

    # --- what is asked

    def queues(self) -> tuple[int, ...]:
        return tuple(self._queues)

    def next_offset(self, queue_id: int) -> int:
        return self._of(queue_id).next_offset

    def consumer_offset(self, queue_id: int) -> int:
        queue = self._of(queue_id)
        return min(queue.flights) if queue.flights else queue.next_offset

    def attempt_id(self, queue_id: int) -> str:
        return self._of(queue_id).attempt_id

    def flights(self, queue_id: int) -> Mapping[int, InFlight]:
        return self._of(queue_id).flights

    def expired(self, queue_id: int, now_ms: int) -> list[int]:
        deadlines = self._of(queue_id).deadlines
        return sorted(offset for _, offset in deadlines[: bisect_right(deadlines, now_ms, key=lambda pair: pair[0])])

    def next_deadline_ms(self) -> int | None:
        return min((queue.deadlines[0][0] for queue in self._queues.values() if queue.deadlines), default=None)

    def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:
        match self._of(queue_id).flights.get(offset):
            case InFlight(stamp=newest, deadline_ms=deadline_ms) as flight if newest == stamp and deadline_ms > now_ms:
                return flight
        return None

    def is_done(self, queue_id: int, offset: int) -> bool:
        queue = self._of(queue_id)
        return not (offset in queue.flights or offset >= queue.next_offset)

    # --- what commands do

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:
        return tuple(self._due(pick, now_ms, is_fifo=is_fifo) for pick in picks)

    def _due(self, pick: QueuePick, now_ms: int, *, is_fifo: bool) -> QueuePick:
        flights = self._of(pick.queue_id).flights

        def is_ready(offset: int) -> bool:
            return offset not in flights or flights[offset].deadline_ms <= now_ms

        offsets = (*pick.again, *(place.offset for place in pick.dead))
        if pick.is_repeat or all(map(is_ready, offsets)):
            return pick
        again = () if is_fifo else tuple(filter(is_ready, pick.again))
        dead = () if is_fifo else tuple(place for place in pick.dead if is_ready(place.offset))
        head = (pick.queue_id, pick.from_offset, pick.first_offset, pick.next_offset, pick.skipped)
        return QueuePick(*head, again, dead, pick.is_repeat)

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
        delivered: tuple[Delivered, ...] = ()
        dead: tuple[tuple[int, DeadPlace], ...] = ()
        for pick in picks:
            queue = self._of(pick.queue_id)
            if pick.from_offset == queue.next_offset:
                died = [place for place in pick.dead if place.offset in queue.flights]
                queue = queue.without(*(place.offset for place in died))
                fresh = [(offset, 1) for offset in range(pick.first_offset, pick.next_offset) if offset not in pick.skipped]
                known = [(o, queue.flights[o].attempt + (not pick.is_repeat)) for o in pick.again if o in queue.flights]
                for offset, attempt in known + fresh:
                    queue = queue.having(offset, InFlight(attempt, deadline_ms, stamp, client, renews, now_ms))
                    delivered += (Delivered(pick.queue_id, offset, attempt, stamp, deadline_ms),)
                dead += tuple((pick.queue_id, place) for place in died)
                queue = queue._replace(next_offset=pick.next_offset, attempt_id=attempt_id)
            self._queues[pick.queue_id] = queue
        return Received(delivered, dead)

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        if self.valid(queue_id, offset, stamp, now_ms) is None:
            return False
        self._queues[queue_id] = self._of(queue_id).without(offset)
        return True

    def change(  # noqa: PLR0913 - the handle, and what becomes of it
        self, queue_id: int, offset: int, stamp: int, now_ms: int, *, deadline_ms: int, new_stamp: int, is_counted: bool = True
    ) -> InFlight | None:
        match self.valid(queue_id, offset, stamp, now_ms):
            case InFlight(attempt=attempt, client=client, taken_ms=taken_ms):
                renews = False
                flight = InFlight(attempt if is_counted else attempt - 1, deadline_ms, new_stamp, client, renews, taken_ms)
                self._queues[queue_id] = self._of(queue_id).having(offset, flight)
                return flight
        return None

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        def is_meant(f: InFlight) -> bool:
            is_in_time = now_ms < f.deadline_ms <= deadline_ms and f.taken_ms > not_before_ms
            return is_in_time and f.client == client and f.renews and f.stamp >= since

        return self._hide_until(deadline_ms, is_meant)

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:
        def is_meant(f: InFlight) -> bool:
            return f.client == client and (f.renews or everything) and now_ms < f.deadline_ms > deadline_ms

        return self._hide_until(deadline_ms, is_meant)

    def _hide_until(self, deadline_ms: int, is_meant: Callable[[InFlight], bool]) -> int:
        meant = [(q, o, f) for q, queue in self._queues.items() for o, f in queue.flights.items() if is_meant(f)]
        for queue_id, offset, f in meant:
            flight = InFlight(f.attempt, deadline_ms, f.stamp, f.client, f.renews, f.taken_ms)
            self._queues[queue_id] = self._of(queue_id).having(offset, flight)
        return len(meant)

    def forget_below(self, queue_id: int, offset: int) -> int:
        queue = self._of(queue_id)
        kept = queue.without(*(known for known in queue.flights if known < offset))
        self._queues[queue_id] = kept._replace(next_offset=max(queue.next_offset, offset))
        return max(0, offset - queue.next_offset)

    def move(self, queue_id: int, offset: int) -> None:
        self._queues[queue_id] = _Queue(offset, self.attempt_id(queue_id))

    # --- snapshots

    def to_plain(self) -> dict[str, Any]:
        def plain(f: InFlight) -> list[Any]:
            return [f.attempt, f.deadline_ms, f.stamp, f.client, f.renews, f.taken_ms]

        return {
            str(queue_id): [q.next_offset, q.attempt_id, {str(o): plain(f) for o, f in sorted(q.flights.items())}]
            for queue_id, q in sorted(self._queues.items())
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "DeliveryTable":
        table = cls()
        for queue_id, (next_offset, attempt_id, flights) in plain.items():
            queue = _Queue(next_offset, attempt_id)
            for offset, values in flights.items():
                queue = queue.having(int(offset), InFlight(*values))
            table._queues[int(queue_id)] = queue
        return table
