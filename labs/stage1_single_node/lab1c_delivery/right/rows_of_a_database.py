"""A table is a table: rows of a database in memory (SQLite), and questions in SQL. Nothing is kept beside it."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received

__all__ = ["DeliveryTable"]

_TABLES: Final = """
CREATE TABLE queue (id INTEGER PRIMARY KEY, next INTEGER NOT NULL, attempt TEXT NOT NULL);
CREATE TABLE flight (
    queue INTEGER, place INTEGER, attempt INTEGER, deadline INTEGER, stamp INTEGER, client TEXT, renews INTEGER, taken INTEGER,
    PRIMARY KEY (queue, place)
) WITHOUT ROWID;
"""
_FACTS: Final = "attempt, deadline, stamp, client, renews, taken"


def _as_flight(facts: Sequence[Any]) -> InFlight:
    attempt, deadline, stamp, client, renews, taken = facts
    return InFlight(attempt, deadline, stamp, client, bool(renews), taken)


class DeliveryTable:
    """Each method is a statement or two; SQLite carries each of them out as a whole."""

    def __init__(self) -> None:
        # Whoever makes a snapshot may do it in another thread; there is never more than one at a time.
        self._rows = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._rows.executescript(_TABLES)

    def __del__(self) -> None:
        self._rows.close()

    def _all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._rows.execute(statement, values).fetchall()

    def _one(self, default: Any, statement: str, *values: Any) -> Any:
        """The first value of the first row."""
        found = self._rows.execute(statement, values).fetchone()
        return default if found is None or found[0] is None else found[0]

    def _count(self, statement: str, *values: Any) -> int:
        return self._rows.execute(statement, values).rowcount

    # --- questions

    def queues(self) -> Sequence[int]:
        return tuple(queue_id for (queue_id,) in self._all("SELECT id FROM queue ORDER BY id DESC"))

    def next_offset(self, queue_id: int) -> int:
        return int(self._one(0, "SELECT next FROM queue WHERE id = ?", queue_id))

    def consumer_offset(self, queue_id: int) -> int:
        return int(self._one(self.next_offset(queue_id), "SELECT min(place) FROM flight WHERE queue = ?", queue_id))

    def attempt_id(self, queue_id: int) -> str:
        return str(self._one("", "SELECT attempt FROM queue WHERE id = ?", queue_id))

    def flights(self, queue_id: int) -> Mapping[int, InFlight]:
        found = self._all(f"SELECT place, {_FACTS} FROM flight WHERE queue = ?", queue_id)  # noqa: S608 - names of our own
        return MappingProxyType({place: _as_flight(facts) for place, *facts in found})

    def expired(self, queue_id: int, now_ms: int) -> list[int]:
        found = self._all("SELECT place FROM flight WHERE queue = ? AND deadline <= ? ORDER BY place", queue_id, now_ms)
        return [place for (place,) in found]

    def next_deadline_ms(self) -> int | None:
        found = self._one(None, "SELECT min(deadline) FROM flight")
        return None if found is None else int(found)

    def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:
        found = self._all(
            f"SELECT {_FACTS} FROM flight WHERE queue = ? AND place = ? AND stamp = ? AND deadline > ?",  # noqa: S608
            queue_id, offset, stamp, now_ms,
        )  # fmt: skip
        return _as_flight(found[0]) if found else None

    def is_done(self, queue_id: int, offset: int) -> bool:
        return offset < self.next_offset(queue_id) and not self._is_flying(queue_id, offset)

    def _is_flying(self, queue_id: int, offset: int) -> bool:
        return bool(self._one(0, "SELECT count(*) FROM flight WHERE queue = ? AND place = ?", queue_id, offset))

    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:
        def is_hidden(pick: QueuePick, offset: int) -> bool:
            statement = "SELECT count(*) FROM flight WHERE queue = ? AND place = ? AND deadline > ?"
            return not pick.is_repeat and bool(self._one(0, statement, pick.queue_id, offset, now_ms))

        def offsets(pick: QueuePick) -> Iterator[int]:
            yield from pick.again
            yield from (place.offset for place in pick.dead)

        left: list[QueuePick] = []
        for pick in picks:
            all_wait = is_fifo and any(is_hidden(pick, offset) for offset in offsets(pick))
            waits = partial(is_hidden, pick) if not all_wait else frozenset(offsets(pick)).__contains__
            left.append(
                QueuePick(
                    pick.queue_id, pick.from_offset, pick.first_offset, pick.next_offset, pick.skipped,
                    tuple(offset for offset in pick.again if not waits(offset)),
                    tuple(place for place in pick.dead if not waits(place.offset)), pick.is_repeat,
                )
            )  # fmt: skip
        return tuple(left)

    # --- commands

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
        given: list[Delivered] = []
        dead: list[tuple[int, DeadPlace]] = []
        for pick in picks:
            queue_id = pick.queue_id
            self._rows.execute("INSERT OR IGNORE INTO queue VALUES (?, 0, '')", (queue_id,))
            if not self._count(
                "UPDATE queue SET next = ?, attempt = ? WHERE id = ? AND next = ?",
                pick.next_offset, attempt_id, queue_id, pick.from_offset,
            ):  # fmt: skip
                continue
            died = "DELETE FROM flight WHERE queue = ? AND place = ?"
            dead += ((queue_id, place) for place in pick.dead if self._count(died, queue_id, place.offset))
            for offset, attempt in [*self._again(pick), *self._new(pick)]:
                facts = (attempt, deadline_ms, stamp, client, renews, now_ms)
                self._rows.execute("REPLACE INTO flight VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (queue_id, offset, *facts))
                given.append(Delivered(queue_id, offset, attempt, stamp, deadline_ms))
        return Received(tuple(given), tuple(dead))

    def _again(self, pick: QueuePick) -> Iterator[tuple[int, int]]:
        step = 0 if pick.is_repeat else 1
        for offset in pick.again:
            statement = "SELECT attempt + ? FROM flight WHERE queue = ? AND place = ?"
            yield from ((offset, attempt) for (attempt,) in self._all(statement, step, pick.queue_id, offset))

    @staticmethod
    def _new(pick: QueuePick) -> Iterator[tuple[int, int]]:
        return ((offset, 1) for offset in range(pick.first_offset, pick.next_offset) if offset not in pick.skipped)

    def ack(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> bool:
        statement = "DELETE FROM flight WHERE queue = ? AND place = ? AND stamp = ? AND deadline > ?"
        return self._count(statement, queue_id, offset, stamp, now_ms) == 1

    def change(  # noqa: PLR0913 - the handle, and what becomes of it
        self, queue_id: int, offset: int, stamp: int, now_ms: int, *, deadline_ms: int, new_stamp: int, is_counted: bool = True
    ) -> InFlight | None:
        flight = self.valid(queue_id, offset, stamp, now_ms)
        if flight is None:
            return None
        self._rows.execute(
            "UPDATE flight SET deadline = ?, renews = 0, attempt = attempt - ?, stamp = ? WHERE queue = ? AND place = ?",
            (deadline_ms, not is_counted, new_stamp, queue_id, offset),
        )
        return self.flights(queue_id)[offset]

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        return self._count(
            "UPDATE flight SET deadline = ?1"
            " WHERE client = ?2 AND renews AND stamp >= ?4 AND taken > ?5 AND deadline > ?3 AND deadline <= ?1",
            deadline_ms, client, now_ms, since, not_before_ms,
        )  # fmt: skip

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:
        return self._count(
            "UPDATE flight SET deadline = ?1 WHERE client = ?2 AND (?4 OR renews) AND deadline > max(?1, ?3)",
            deadline_ms, client, now_ms, everything,
        )  # fmt: skip

    def forget_below(self, queue_id: int, offset: int) -> int:
        skipped = max(0, offset - self.next_offset(queue_id))
        self._rows.execute("DELETE FROM flight WHERE queue = ? AND place < ?", (queue_id, offset))
        self._rows.execute(
            "INSERT INTO queue VALUES (?, ?, '') ON CONFLICT (id) DO UPDATE SET next = max(next, excluded.next)",
            (queue_id, max(0, offset)),
        )
        return skipped

    def move(self, queue_id: int, offset: int) -> None:
        self._rows.execute("DELETE FROM flight WHERE queue = ?", (queue_id,))
        self._rows.execute(
            "INSERT INTO queue VALUES (?, ?, '') ON CONFLICT (id) DO UPDATE SET next = excluded.next", (queue_id, offset)
        )

    # --- snapshots

    def to_plain(self) -> Any:
        return self._all("SELECT * FROM queue ORDER BY id"), self._all("SELECT * FROM flight ORDER BY queue, place")

    @classmethod
    def from_plain(cls, plain: Any) -> "DeliveryTable":
        queues, flights = plain
        table = cls()
        table._rows.executemany("INSERT INTO queue VALUES (?, ?, ?)", queues)
        table._rows.executemany("INSERT INTO flight VALUES (?, ?, ?, ?, ?, ?, ?, ?)", flights)
        return table
