"""A table written anew: one dictionary of records for all queues, and no heap; what is due is looked for each time.

A renewal counts what is hidden for longer by it, and not what is hidden until that very moment already.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received

__all__ = ["DeliveryTable"]


class DeliveryTable:
    """_records: by (queue id, offset), what is in flight. _next: by queue id, [next offset, attempt id]."""

    def __init__(self) -> None:
        self._records: dict[tuple[int, int], InFlight] = {}
        self._next: dict[int, list[Any]] = {}

    # --- what is asked

    def queues(self) -> list[int]:
        return sorted(self._next)

    def next_offset(self, queue_id: int) -> int:
        return int(self._next[queue_id][0]) if queue_id in self._next else 0

    def attempt_id(self, queue_id: int) -> str:
        return str(self._next[queue_id][1]) if queue_id in self._next else ""

    def flights(self, queue_id: int) -> Mapping[int, InFlight]:
        return {offset: record for (queue, offset), record in self._records.items() if queue == queue_id}

    def consumer_offset(self, queue_id: int) -> int:
        return min([self.next_offset(queue_id), *self.flights(queue_id)])

    def expired(self, queue_id: int, now_ms: int) -> list[int]:
        return sorted(offset for offset, record in self.flights(queue_id).items() if not now_ms < record.deadline_ms)

    def next_deadline_ms(self) -> int | None:
        return min((record.deadline_ms for record in self._records.values()), default=None)

    def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:
        record = self._records.get((queue_id, offset))
        if record is None or record.stamp != stamp or record.deadline_ms <= now_ms:
            return None
        return record

    def is_done(self, queue_id: int, offset: int) -> bool:
        return offset < self.next_offset(queue_id) and (queue_id, offset) not in self._records

    # --- what commands do

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:
        return tuple(pick if pick.is_repeat else self._due_of(pick, now_ms, is_fifo) for pick in picks)

    def _due_of(self, pick: QueuePick, now_ms: int, is_fifo: bool) -> QueuePick:  # noqa: FBT001 - passed on
        def is_hidden(offset: int) -> bool:
            record = self._records.get((pick.queue_id, offset))
            return record is not None and record.deadline_ms > now_ms

        is_closed = is_fifo and (any(map(is_hidden, pick.again)) or any(is_hidden(place.offset) for place in pick.dead))
        again = tuple(offset for offset in pick.again if not (is_closed or is_hidden(offset)))
        dead = tuple(place for place in pick.dead if not (is_closed or is_hidden(place.offset)))
        return QueuePick(
            pick.queue_id, pick.from_offset, pick.first_offset, pick.next_offset, pick.skipped, again, dead, pick.is_repeat
        )

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
            queue_id = pick.queue_id
            own = self._next.setdefault(queue_id, [0, ""])
            if own[0] != pick.from_offset:
                continue
            dead += [(queue_id, place) for place in pick.dead if self._records.pop((queue_id, place.offset), None)]
            attempts = {
                offset: self._records[queue_id, offset].attempt + (0 if pick.is_repeat else 1)
                for offset in pick.again
                if (queue_id, offset) in self._records
            }
            attempts.update({o: 1 for o in range(pick.first_offset, pick.next_offset) if o not in pick.skipped})
            for offset, attempt in attempts.items():
                self._records[queue_id, offset] = InFlight(attempt, deadline_ms, stamp, client, renews, now_ms)
                delivered.append(Delivered(queue_id, offset, attempt, stamp, deadline_ms))
            own[:] = [pick.next_offset, attempt_id]
        return Received(tuple(delivered), tuple(dead))

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        is_valid = self.valid(queue_id, offset, stamp, now_ms) is not None
        if is_valid:
            self._records.pop((queue_id, offset))
        return is_valid

    def change(  # noqa: PLR0913 - the handle, and what becomes of it
        self, queue_id: int, offset: int, stamp: int, now_ms: int, *, deadline_ms: int, new_stamp: int, is_counted: bool = True
    ) -> InFlight | None:
        old = self.valid(queue_id, offset, stamp, now_ms)
        if old is None:
            return None
        new = InFlight(old.attempt - (not is_counted), deadline_ms, new_stamp, old.client, False, old.taken_ms)  # noqa: FBT003
        self._records[queue_id, offset] = new
        return new

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        def is_meant(record: InFlight) -> bool:
            is_theirs = record.renews and record.client == client
            is_new = record.stamp >= since and record.taken_ms > not_before_ms
            return is_theirs and is_new and now_ms < record.deadline_ms < deadline_ms

        return self._hide_until(deadline_ms, is_meant)

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:
        def is_meant(record: InFlight) -> bool:
            is_theirs = record.client == client and (everything or record.renews)
            return is_theirs and record.deadline_ms > now_ms and record.deadline_ms > deadline_ms

        return self._hide_until(deadline_ms, is_meant)

    def _hide_until(self, deadline_ms: int, is_meant: Callable[[InFlight], bool]) -> int:
        meant = [record for record in self._records.values() if is_meant(record)]
        for record in meant:
            record.deadline_ms = deadline_ms
        return len(meant)

    def forget_below(self, queue_id: int, offset: int) -> int:
        own = self._next.setdefault(queue_id, [0, ""])
        skipped = max(0, offset - int(own[0]))
        own[0] = max(own[0], offset)
        self._keep(lambda queue, at: queue != queue_id or at >= offset)
        return skipped

    def move(self, queue_id: int, offset: int) -> None:
        self._next.setdefault(queue_id, [0, ""])[0] = offset
        self._keep(lambda queue, _at: queue != queue_id)

    def _keep(self, is_kept: Callable[[int, int], bool]) -> None:
        self._records = {place: record for place, record in self._records.items() if is_kept(*place)}

    # --- snapshots

    def to_plain(self) -> dict[str, list[Any]]:
        records = [
            [*place, r.attempt, r.deadline_ms, r.stamp, r.client, r.renews, r.taken_ms]
            for place, r in sorted(self._records.items(), key=lambda pair: pair[0])
        ]
        return {"queues": [[queue_id, *own] for queue_id, own in sorted(self._next.items())], "records": records}

    @classmethod
    def from_plain(cls, plain: dict[str, list[Any]]) -> "DeliveryTable":
        # Names the class itself, as people do.
        table = DeliveryTable()
        table._next = {queue_id: own for queue_id, *own in plain["queues"]}
        table._records = {(queue_id, offset): InFlight(*rest) for queue_id, offset, *rest in plain["records"]}
        return table
