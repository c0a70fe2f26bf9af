"""Reads are questions with what is to be done with the answer; no generator is written. Every flush syncs what it writes.

Files have a heading, and entries numbers of their own. In the list of files stands also when each of them begins: halving begins
in a single file. A last file that is full and holds only what retention took goes as well.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from struct import Struct
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar
from zlib import crc32

from mq.broker.store.queue_entry import QueueEntry, queue_folder
from mq.core.errors import DamageError, StateError
from mq.core.ids import QueueOffset
from mq.core.ports import Operation, Plan, Read, Remove, Steps, Sync, Write

__all__ = ["ConsumeQueue"]

_T = TypeVar("_T")
_ENTRY: Final = Struct(">Q QQQQ IIII")
_SUM: Final = Struct(">I")
_SLOT: Final = _ENTRY.size + _SUM.size
_HEADING: Final = b"consume queue, big-endian\n".ljust(32, b".")
_AT_ONCE: Final = 32


class _Ask(NamedTuple, Generic[_T]):
    """A question to the disk. then: what its answer leads to, another question or the result."""

    read: Read
    then: "Callable[[bytes], _Next[_T]]"


class _Told(NamedTuple, Generic[_T]):
    """The result."""

    value: _T


_Next: TypeAlias = _Ask[_T] | _Told[_T]


class _Inquiry(Generator[Read, bytes, _T]):
    """Questions one after the other, as the host wants them. They begin anew when retention took what they were about."""

    def __init__(self, begin: Callable[[], _Next[_T]], era: Callable[[], int]) -> None:
        self._begin, self._era = begin, era
        self._begun_in = -1
        self._then: Callable[[bytes], _Next[_T]] | None = None
        self._is_over = False

    def send(self, data: bytes | None) -> Read:
        if self._is_over:
            raise StopIteration
        try:
            found = self._go_on(data or b"")
        except BaseException:
            self._is_over = True
            raise
        if isinstance(found, _Ask):
            self._then = found.then
            return found.read
        self._is_over = True
        raise StopIteration(found.value)

    def _go_on(self, data: bytes) -> _Next[_T]:
        while True:
            if self._then is None:
                self._begun_in = self._era()
            try:
                return self._begin() if self._then is None else self._then(data)
            except DamageError:
                if self._begun_in == self._era():
                    raise
                self._then = None

    def throw(self, kind: Any, value: Any = None, trace: Any = None, /) -> Read:
        self._is_over = True
        error = kind if value is None else value
        raise (error() if isinstance(error, type) else error).with_traceback(trace)


@dataclass(slots=True)
class _Numbers:
    """All that a snapshot holds. files: the offset and the time with which each file begins."""

    min: int = 0
    max: int = 0
    first: int = 0
    count: int = 0
    time: int = 0
    offsets: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)


class _Shelf:
    """Where entries lie in files, and how they look there."""

    def __init__(self, topic: str, queue_id: int, entries_per_file: int) -> None:
        self.topic, self.queue_id = topic, queue_id
        self._folder = queue_folder(topic, queue_id)
        self._seed = crc32(self._folder.encode())
        self._per_file = entries_per_file

    def _file(self, number: int) -> str:
        return f"{self._folder}/part-{number // self._per_file}"

    def _byte(self, number: int) -> int:
        return len(_HEADING) + number % self._per_file * _SLOT

    def _end_of_file(self, number: int) -> int:
        return (number // self._per_file + 1) * self._per_file

    def _slot(self, number: int, entry: QueueEntry) -> bytes:
        packed = _ENTRY.pack(number, *entry)
        return packed + _SUM.pack(crc32(packed, self._seed))

    def _unpacked(self, number: int, slot: bytes) -> QueueEntry | None:
        """None for a hole. Raises: DamageError."""

        def damage(reason: str) -> DamageError:
            return DamageError(self._file(number), self._byte(number), reason)

        if len(slot) < _SLOT:
            raise damage(f"entry {number} is cut short")
        if not any(slot):
            return None
        (checksum,) = _SUM.unpack_from(slot, _ENTRY.size)
        if checksum != crc32(slot[: _ENTRY.size], self._seed):
            raise damage(f"entry {number} is not what was written")
        its_number, *facts = _ENTRY.unpack_from(slot)
        if its_number != number:
            raise damage(f"entry {its_number} stands in the place of {number}")
        return QueueEntry(*facts)

    def _ask(self, number: int, count: int, then: Callable[[list[QueueEntry | None]], _Next[_T]]) -> _Next[_T]:
        """For some entries of one file."""

        def cut(data: bytes) -> _Next[_T]:
            slots = (data[at : at + _SLOT] for at in range(0, count * _SLOT, _SLOT))
            return then([self._unpacked(number + nth, slot) for nth, slot in enumerate(slots)])

        return _Ask(Read(self._file(number), self._byte(number), count * _SLOT), cut)


class ConsumeQueue(_Shelf):
    """newest: entries in memory, the last ones; written: how many there are in files."""

    def __init__(self, topic: str, queue_id: int, *, entries_per_file: int = 65536, tail_min: int = 1024) -> None:
        super().__init__(topic, queue_id, entries_per_file)
        self._tail_min = tail_min
        self._n = _Numbers()
        self._newest: deque[QueueEntry] = deque()
        self._written = 0

    min_offset = property(lambda self: QueueOffset(self._n.min))
    max_offset = property(lambda self: QueueOffset(self._n.max))
    entry_count = property(lambda self: self._n.count)
    flushed_count = property(lambda self: self._written)
    _in_memory_from = property(lambda self: self._n.count - len(self._newest))

    # --- writing

    def append(self, entry: QueueEntry) -> None:
        if entry.base_offset != self._n.max or entry.count < 1:
            raise StateError(f"{entry.count} messages at {entry.base_offset} do not follow {self._n.max}")
        entry = entry._replace(store_ms=max(entry.store_ms, self._n.time))
        if self._n.count % self._per_file == 0:
            self._n.offsets.append(entry.base_offset)
            self._n.times.append(entry.store_ms)
        self._newest.append(entry)
        self._n.count, self._n.max, self._n.time = self._n.count + 1, entry.base_offset + entry.count, entry.store_ms

    def flush(self, *, sync: bool = False) -> Plan:
        """All that `flushed` ever told was synced by its plan; so nothing is left for `sync` to ask for."""
        del sync
        return tuple(self._brought(range(self._written, self._n.count)))

    def _brought(self, numbers: range) -> Iterator[Operation]:
        for file, group in groupby(numbers, self._file):
            mine = list(group)
            if mine[0] % self._per_file == 0:
                yield Write(file, 0, _HEADING)
            slots = (self._slot(number, self._newest[number - self._in_memory_from]) for number in mine)
            yield Write(file, self._byte(mine[0]), b"".join(slots))
            yield Sync(file)

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        del is_synced
        self._written = max(self._written, entry_count)
        while len(self._newest) > max(self._tail_min, self._n.count - self._written):
            self._newest.popleft()

    def drop_before(self, offset: QueueOffset) -> Plan:
        n = self._n
        n.min = min(max(n.min, offset), n.max)
        gone: list[Operation] = []
        while n.offsets:
            end = self._end_of_file(n.first)
            behind = n.offsets[1] if len(n.offsets) > 1 else n.max if n.count == end else n.min + 1
            if behind > n.min:
                break
            gone.append(Remove(self._file(n.first)))
            n.first = end
            del n.offsets[0], n.times[0]
        self.flushed(max(self._written, n.first))
        return tuple(gone)

    def delete(self, files: Mapping[str, int]) -> Plan:
        return tuple(map(Remove, filter(lambda file: file.startswith(self._folder + "/"), files)))

    # --- reading

    def entries(self, offset: QueueOffset, entries_max: int) -> Steps[tuple[QueueEntry, ...]]:
        return _Inquiry(lambda: self._from(max(offset, self._n.min), max(1, entries_max)), lambda: self._n.first)

    def offset_at(self, store_ms: int) -> Steps[QueueOffset]:
        return _Inquiry(lambda: self._at_time(store_ms), lambda: self._n.first)

    def _from(self, offset: int, entries_max: int) -> _Next[tuple[QueueEntry, ...]]:
        if offset >= self._n.max:
            return _Told(())

        def found(number: int) -> _Next[tuple[QueueEntry, ...]]:
            return self._gather(offset, (), number, min(self._n.count, number + entries_max))

        if self._newest and offset >= self._newest[0].base_offset:
            return found(self._in_memory_from - 1 + bisect_right(self._newest, offset, key=lambda entry: entry.base_offset))
        nth = max(0, bisect_right(self._n.offsets, offset) - 1)
        low = self._n.first // self._per_file * self._per_file + nth * self._per_file
        return self._halve(
            low,
            min(self._end_of_file(low), self._in_memory_from),
            lambda entry: entry.base_offset <= offset,
            lambda number, _above: found(number),
        )

    def _halve(
        self,
        low: int,
        high: int,
        is_before: Callable[[QueueEntry], bool],
        then: Callable[[int, QueueEntry | None], _Next[_T]],
        above: QueueEntry | None = None,
    ) -> _Next[_T]:
        """`low` is before; what is at `high` is not. then: with the last one that is, and the one above it, if that was seen."""
        if high - low <= 1:
            return then(low, above)
        middle = (low + high) // 2

        def narrow(found: list[QueueEntry | None]) -> _Next[_T]:
            (entry,) = found
            if entry is None or is_before(entry):
                return self._halve(middle, high, is_before, then, above)
            return self._halve(low, middle, is_before, then, entry)

        return self._ask(middle, 1, narrow)

    def _gather(self, offset: int, found: tuple[QueueEntry, ...], number: int, upto: int) -> _Next[tuple[QueueEntry, ...]]:
        """found: those before `number`; the first of them holds the offset."""
        begin = self._in_memory_from
        if number >= upto:
            return _Told(found)
        if number >= begin:
            return _Told(self._followed(offset, found, number, [*islice(self._newest, number - begin, upto - begin)]))
        end = min(upto, begin, number + _AT_ONCE, self._end_of_file(number))
        return self._ask(
            number, end - number, lambda more: self._gather(offset, self._followed(offset, found, number, more), end, upto)
        )

    def _followed(
        self, offset: int, found: tuple[QueueEntry, ...], number: int, more: list[QueueEntry | None]
    ) -> tuple[QueueEntry, ...]:
        """Raises: DamageError where one does not follow the one before it, or the first does not hold the offset."""
        whole = list(found)
        for nth, entry in enumerate(more, number):
            if entry is None:
                raise DamageError(self._file(nth), self._byte(nth), f"entry {nth} was never here")
            before = whole[-1] if whole else None
            begins = entry.base_offset if before is None else before.base_offset + before.count
            if entry.base_offset != begins or (before is None and not begins <= offset < begins + entry.count):
                raise DamageError(self._file(nth), self._byte(nth), f"entry {nth} begins at {entry.base_offset}")
            whole.append(entry)
        return tuple(whole)

    def _at_time(self, store_ms: int) -> _Next[QueueOffset]:
        n = self._n
        if not n.count or store_ms > n.time:
            return _Told(QueueOffset(n.max))

        def not_below_min(offset: int) -> _Next[QueueOffset]:
            return _Told(QueueOffset(max(offset, self._n.min)))

        if self._newest and store_ms > self._newest[0].store_ms:
            at = bisect_left(self._newest, store_ms, key=lambda entry: entry.store_ms)
            return not_below_min(self._newest[at].base_offset)
        nth = bisect_left(n.times, store_ms)
        if nth == 0:
            return not_below_min(n.min)
        low = n.first + (nth - 1) * self._per_file
        end = min(self._end_of_file(low), self._in_memory_from)
        behind = self._newest[0].base_offset if end == self._in_memory_from and self._newest else 0
        behind = n.offsets[nth] if nth < len(n.offsets) and end == self._end_of_file(low) else behind or n.max
        return self._halve(
            low, end, lambda entry: entry.store_ms < store_ms,
            lambda _number, above: not_below_min(behind if above is None else above.base_offset),
        )  # fmt: skip

    # --- snapshots

    def to_plain(self) -> Any:
        n = self._n
        files = [list(pair) for pair in zip(n.offsets, n.times, strict=True)]
        return {"from": n.min, "to": n.max, "first": n.first, "entries": n.count, "time": n.time, "files": files}

    @classmethod
    def from_plain(
        cls, topic: str, queue_id: int, plain: Any, *, entries_per_file: int = 65536, tail_min: int = 1024
    ) -> "ConsumeQueue":
        queue = cls(topic, queue_id, entries_per_file=entries_per_file, tail_min=tail_min)
        match plain:
            case {"from": begin, "to": end, "first": first, "entries": count, "time": time, "files": files}:
                queue._n = _Numbers(begin, end, first, count, time, [offset for offset, _ in files], [ms for _, ms in files])
                queue._written = count
                return queue
        raise StateError(f"no snapshot of a queue: {plain!r}")

    def missing(self, files: Mapping[str, int]) -> str | None:
        wanted = ((file, max(numbers)) for file, numbers in groupby(range(self._n.first, self._n.count), self._file))
        return next((file for file, last in wanted if files.get(file, 0) < self._byte(last) + _SLOT), None)

    def hollow(self) -> Plan:
        plan: list[Operation] = []
        for file, numbers in groupby(range(self._n.first, self._n.count), self._file):
            plan += (Write(file, 0, _HEADING + bytes(len(list(numbers)) * _SLOT)), Sync(file))
        return tuple(plan)
