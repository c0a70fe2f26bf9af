"""A window of cells for each queue, from the lowest message that is not done: no dictionary of what is in flight, no heap."""

from collections.abc import Iterator
from typing import Any

from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received

__all__ = ["DeliveryTable"]


class _Window:
    """begins: the offset of the first cell. cells: what is in flight; None is done. Messages behind the last cell are new."""

    def __init__(self, begins: int = 0, attempt_id: str = "") -> None:
        self.begins, self.attempt_id = begins, attempt_id
        self.cells: list[InFlight | None] = []

    @property
    def ends(self) -> int:
        return self.begins + len(self.cells)

    def get(self, offset: int) -> InFlight | None:
        return self.cells[offset - self.begins] if self.begins <= offset < self.ends else None

    def put(self, offset: int, flight: InFlight | None) -> None:
        self.cells[offset - self.begins] = flight
        self.trim()

    def trim(self) -> None:
        done = next((number for number, cell in enumerate(self.cells) if cell is not None), len(self.cells))
        self.begins, self.cells = self.begins + done, self.cells[done:]

    def flights(self) -> Iterator[tuple[int, InFlight]]:
        return ((self.begins + number, cell) for number, cell in enumerate(self.cells) if cell is not None)


class DeliveryTable:
    """See above."""

    def __init__(self) -> None:
        self._windows: dict[int, _Window] = {}

    def _seen(self, queue_id: int) -> _Window:
        """For looking only."""
        return self._windows.get(queue_id, _Window())

    def _own(self, queue_id: int) -> _Window:
        return self._windows.setdefault(queue_id, _Window())

    # --- what is asked

    def queues(self) -> tuple[int, ...]:
        return tuple(self._windows)

    def next_offset(self, queue_id: int) -> int:
        return self._seen(queue_id).ends

    def consumer_offset(self, queue_id: int) -> int:
        return self._seen(queue_id).begins

    def attempt_id(self, queue_id: int) -> str:
        return self._seen(queue_id).attempt_id

    def flights(self, queue_id: int) -> dict[int, InFlight]:
        return dict(self._seen(queue_id).flights())

    def expired(self, queue_id: int, now_ms: int) -> list[int]:
        return [offset for offset, flight in self._seen(queue_id).flights() if flight.deadline_ms <= now_ms]

    def _all(self) -> list[InFlight]:
        return [flight for window in self._windows.values() for _, flight in window.flights()]

    def next_deadline_ms(self) -> int | None:
        return min((flight.deadline_ms for flight in self._all()), default=None)

    def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:
        flight = self._seen(queue_id).get(offset)
        return flight if flight and flight.stamp == stamp and now_ms < flight.deadline_ms else None

    def is_done(self, queue_id: int, offset: int) -> bool:
        window = self._seen(queue_id)
        return offset < window.ends and window.get(offset) is None

    # --- what commands do

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:
        found = []
        for p in picks:
            ready = set(p.again) | {place.offset for place in p.dead}
            if not p.is_repeat:
                hidden = {o for o in ready if (flight := self._seen(p.queue_id).get(o)) and flight.deadline_ms > now_ms}
                ready = set() if hidden and is_fifo else ready - hidden
            again, dead = tuple(o for o in p.again if o in ready), tuple(d for d in p.dead if d.offset in ready)
            found.append(QueuePick(p.queue_id, p.from_offset, p.first_offset, p.next_offset, p.skipped, again, dead, p.is_repeat))
        return tuple(found)

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
            window = self._own(pick.queue_id)
            if window.ends != pick.from_offset:
                continue
            window.attempt_id = attempt_id
            for place in pick.dead:
                if window.get(place.offset) is not None:
                    window.put(place.offset, None)
                    dead.append((pick.queue_id, place))

            def hand_out(offset: int, attempt: int, queue_id: int = pick.queue_id) -> InFlight:
                delivered.append(Delivered(queue_id, offset, attempt, stamp, deadline_ms))
                return InFlight(attempt, deadline_ms, stamp, client, renews, now_ms)

            for offset in pick.again:
                before = window.get(offset)
                if before is not None:
                    window.put(offset, hand_out(offset, before.attempt + (not pick.is_repeat)))
            if not window.cells:
                window.begins = pick.first_offset
            window.cells += [None] * (pick.first_offset - window.ends)
            for offset in range(pick.first_offset, pick.next_offset):
                window.cells.append(None if offset in pick.skipped else hand_out(offset, 1))
            window.trim()
        return Received(tuple(delivered), tuple(dead))

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        if not self.valid(queue_id, offset, stamp, now_ms):
            return False
        self._own(queue_id).put(offset, None)
        return True

    def change(  # noqa: PLR0913 - the handle, and what becomes of it
        self, queue_id: int, offset: int, stamp: int, now_ms: int, *, deadline_ms: int, new_stamp: int, is_counted: bool = True
    ) -> InFlight | None:
        flight = self.valid(queue_id, offset, stamp, now_ms)
        if flight:
            flight.attempt -= 0 if is_counted else 1
            flight.deadline_ms, flight.stamp, flight.renews = deadline_ms, new_stamp, False
        return flight

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        count = 0
        for flight in self._all():
            is_theirs = flight.client == client and flight.renews and flight.stamp >= since and flight.taken_ms > not_before_ms
            if is_theirs and now_ms < flight.deadline_ms <= deadline_ms:
                flight.deadline_ms = deadline_ms
                count += 1
        return count

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:
        held = [flight for flight in self._all() if flight.client == client and flight.deadline_ms > max(now_ms, deadline_ms)]
        given = [flight for flight in held if everything or flight.renews]
        for flight in given:
            flight.deadline_ms = deadline_ms
        return len(given)

    def forget_below(self, queue_id: int, offset: int) -> int:
        window = self._own(queue_id)
        skipped = max(0, offset - window.ends)
        if offset > window.begins:
            window.cells = window.cells[offset - window.begins :]
            window.begins = offset
            window.trim()
        return skipped

    def move(self, queue_id: int, offset: int) -> None:
        self._windows[queue_id] = _Window(offset, self._seen(queue_id).attempt_id)

    # --- snapshots

    def to_plain(self) -> list[Any]:
        return [
            [
                queue_id,
                w.begins,
                w.attempt_id,
                [c and [c.attempt, c.deadline_ms, c.stamp, c.client, c.renews, c.taken_ms] for c in w.cells],
            ]
            for queue_id, w in self._windows.items()
        ]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "DeliveryTable":
        table = cls()
        for queue_id, begins, attempt_id, cells in plain:
            window = table._windows[queue_id] = _Window(begins, attempt_id)
            window.cells = [InFlight(*cell) if cell else None for cell in cells]
        return table
