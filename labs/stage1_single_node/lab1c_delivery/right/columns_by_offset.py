"""Columns in the place of records: an array for each fact, in queue order. What is in flight is made when somebody asks for it.

What a void pick is for, or a retention that takes nothing, leaves a queue untouched. A snapshot is a dictionary by queue.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import compress
from typing import Any, TypeAlias

from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received

__all__ = ["DeliveryTable"]

Row: TypeAlias = int
Fly: TypeAlias = Callable[..., InFlight]


class _Columns(Mapping[int, InFlight]):
    """One queue. To others it is what is in flight there, by offset; the rows are in the order of the offsets."""

    __slots__ = ("attempt_id", "attempts", "clients", "deadlines", "next_offset", "offsets", "renewing", "stamps", "times")

    def __init__(self, next_offset: int = 0, attempt_id: str = "") -> None:
        self.next_offset, self.attempt_id = next_offset, attempt_id
        self.clients: list[str] = []
        self.renewing = bytearray()
        self.forget_all()

    def forget_all(self) -> None:
        self.offsets, self.attempts, self.deadlines = array("q"), array("q"), array("q")
        self.stamps, self.times = array("q"), array("q")
        self.clients.clear()
        self.renewing.clear()

    def row_of(self, offset: int) -> Row | None:
        row = bisect_left(self.offsets, offset)
        return row if row < len(self.offsets) and self.offsets[row] == offset else None

    def at(self, row: Row) -> InFlight:
        numbers = self.attempts[row], self.deadlines[row], self.stamps[row]
        return InFlight(*numbers, self.clients[row], bool(self.renewing[row]), self.times[row])

    def put(self, offset: int, flight: InFlight) -> None:
        self.remove(offset)
        row = bisect_left(self.offsets, offset)
        self.offsets.insert(row, offset)
        self.attempts.insert(row, flight.attempt)
        self.deadlines.insert(row, flight.deadline_ms)
        self.stamps.insert(row, flight.stamp)
        self.times.insert(row, flight.taken_ms)
        self.clients.insert(row, flight.client)
        self.renewing.insert(row, flight.renews)

    def remove(self, offset: int) -> bool:
        row = self.row_of(offset)
        if row is None:
            return False
        for column in (self.offsets, self.attempts, self.deadlines, self.stamps, self.times):
            del column[row]
        del self.clients[row], self.renewing[row]
        return True

    def __getitem__(self, offset: int) -> InFlight:
        row = self.row_of(offset)
        if row is None:
            raise KeyError(offset)
        return self.at(row)

    def __iter__(self) -> Iterator[int]:
        return iter(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def lowest(self) -> int:
        return self.offsets[0] if self.offsets else self.next_offset

    def ready_at(self, now_ms: int) -> Iterator[int]:
        return compress(self.offsets, (deadline <= now_ms for deadline in self.deadlines))


_UNTOUCHED = _Columns()
"""What is looked at in the place of a queue that is not there. Nobody changes it."""


class _Questions:
    """All that is asked of a table. It changes nothing."""

    def __init__(self) -> None:
        self._columns: dict[int, _Columns] = {}

    def _of(self, queue_id: int) -> _Columns:
        return self._columns.get(queue_id, _UNTOUCHED)

    def queues(self) -> Sequence[int]:
        return sorted(self._columns)

    def next_offset(self, queue_id: int) -> int:
        return self._of(queue_id).next_offset

    def consumer_offset(self, queue_id: int) -> int:
        return self._of(queue_id).lowest

    def attempt_id(self, queue_id: int) -> str:
        return self._of(queue_id).attempt_id

    def flights(self, queue_id: int) -> Mapping[int, InFlight]:
        return self._of(queue_id)

    def expired(self, queue_id: int, now_ms: int) -> list[int]:
        return [*self._of(queue_id).ready_at(now_ms)]

    def next_deadline_ms(self) -> int | None:
        return min((min(columns.deadlines) for columns in self._columns.values() if columns), default=None)

    def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:
        match self._of(queue_id).get(offset):
            case InFlight(stamp=newest, deadline_ms=deadline_ms) as flight if newest == stamp and now_ms < deadline_ms:
                return flight
            case _:
                return None

    def is_done(self, queue_id: int, offset: int) -> bool:
        columns = self._of(queue_id)
        return offset < columns.next_offset and offset not in columns

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:
        return tuple(self._due_of(pick, now_ms, is_fifo=is_fifo) for pick in picks)

    def _due_of(self, pick: QueuePick, now_ms: int, *, is_fifo: bool) -> QueuePick:
        columns = self._of(pick.queue_id)
        meant = {*pick.again, *(place.offset for place in pick.dead)}
        hidden = {offset for offset in meant & columns.keys() if columns[offset].deadline_ms > now_ms}
        match bool(hidden), is_fifo, pick.is_repeat:
            case (False, _, _) | (_, _, True):
                return pick
            case (True, True, False):
                return replace(pick, again=(), dead=())
        again = tuple(offset for offset in pick.again if offset not in hidden)
        return replace(pick, again=again, dead=tuple(place for place in pick.dead if place.offset not in hidden))


class DeliveryTable(_Questions):
    """The same, with the commands."""

    def _touched(self, queue_id: int) -> _Columns:
        return self._columns.setdefault(queue_id, _Columns())

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
        fly = partial(InFlight, deadline_ms=deadline_ms, stamp=stamp, client=client, renews=renews, taken_ms=now_ms)
        given: list[Delivered] = []
        dead: list[tuple[int, DeadPlace]] = []
        for pick in picks:
            if self.next_offset(pick.queue_id) == pick.from_offset:
                columns = self._touched(pick.queue_id)
                columns.attempt_id = attempt_id
                dead += ((pick.queue_id, place) for place in pick.dead if columns.remove(place.offset))
                given += self._hand_out(columns, pick, fly)
                columns.next_offset = pick.next_offset
        return Received(tuple(given), tuple(dead))

    @staticmethod
    def _hand_out(columns: _Columns, pick: QueuePick, fly: Fly) -> Iterable[Delivered]:
        def attempts() -> Iterator[tuple[int, int]]:
            for offset in pick.again:
                if (row := columns.row_of(offset)) is not None:
                    yield offset, columns.attempts[row] + (0 if pick.is_repeat else 1)
            left_out = frozenset(pick.skipped)
            yield from ((offset, 1) for offset in range(pick.first_offset, pick.next_offset) if offset not in left_out)

        for offset, attempt in attempts():
            flight = fly(attempt)
            columns.put(offset, flight)
            yield Delivered(pick.queue_id, offset, attempt, flight.stamp, flight.deadline_ms)

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        return self.valid(queue_id, offset, stamp, now_ms) is not None and self._of(queue_id).remove(offset)

    def change(  # noqa: PLR0913 - the handle, and what becomes of it
        self, queue_id: int, offset: int, stamp: int, now_ms: int, *, deadline_ms: int, new_stamp: int, is_counted: bool = True
    ) -> InFlight | None:
        flight = self.valid(queue_id, offset, stamp, now_ms)
        if flight is None:
            return None
        flight.deadline_ms, flight.stamp, flight.renews = deadline_ms, new_stamp, False
        flight.attempt -= 0 if is_counted else 1
        self._of(queue_id).put(offset, flight)
        return flight

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        def is_meant(f: InFlight) -> bool:
            is_theirs = f.client == client and f.renews and f.stamp >= since and f.taken_ms > not_before_ms
            return is_theirs and now_ms < f.deadline_ms <= deadline_ms

        return self._hide_until(deadline_ms, is_meant)

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:
        border = max(now_ms, deadline_ms)
        return self._hide_until(deadline_ms, lambda f: f.client == client and (everything or f.renews) and f.deadline_ms > border)

    def _hide_until(self, deadline_ms: int, is_meant: Callable[[InFlight], bool]) -> int:
        count = 0
        for columns in self._columns.values():
            for row in range(len(columns)):
                if is_meant(columns.at(row)):
                    columns.deadlines[row] = deadline_ms
                    count += 1
        return count

    def forget_below(self, queue_id: int, offset: int) -> int:
        columns, skipped = self._of(queue_id), max(0, offset - self.next_offset(queue_id))
        for below in [each for each in columns if each < offset]:
            columns.remove(below)
        if skipped:
            self._touched(queue_id).next_offset = offset
        return skipped

    def move(self, queue_id: int, offset: int) -> None:
        columns = self._touched(queue_id)
        columns.forget_all()
        columns.next_offset = offset

    def to_plain(self) -> Any:
        return {
            str(queue_id): {
                "next": columns.next_offset,
                "attempt": columns.attempt_id,
                "numbers": [
                    list(column)
                    for column in (columns.offsets, columns.attempts, columns.deadlines, columns.stamps, columns.times)
                ],
                "clients": list(columns.clients),
                "renewing": list(columns.renewing),
            }
            for queue_id, columns in sorted(self._columns.items())
        }

    @classmethod
    def from_plain(cls, plain: Any) -> "DeliveryTable":
        table = cls()
        for queue_id, kept in plain.items():
            columns = table._touched(int(queue_id))
            columns.next_offset, columns.attempt_id = kept["next"], kept["attempt"]
            columns.clients += kept["clients"]
            columns.renewing += bytes(kept["renewing"])
            columns.offsets, columns.attempts, columns.deadlines, columns.stamps, columns.times = (
                array("q", numbers) for numbers in kept["numbers"]
            )
        return table
