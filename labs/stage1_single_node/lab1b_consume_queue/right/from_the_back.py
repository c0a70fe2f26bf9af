"""Files are filled from the back: the newest entry stands in front, and a file has its whole size with its first entry.

Entries are read in pages, looked through by recursion, and kept in memory as they stand on the disk, by number.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass
from enum import Enum, IntEnum, auto
from functools import lru_cache
from itertools import chain, pairwise
from struct import Struct, calcsize
from typing import Any, NoReturn, TypeVar
from zlib import crc32

from mq.broker.store.queue_entry import QueueEntry, queue_folder
from mq.core.errors import DamageError, StateError
from mq.core.ids import QueueOffset
from mq.core.ports import Plan, Read, Remove, Steps, Sync, Write

__all__ = ["ConsumeQueue"]

_T = TypeVar("_T")
Is = Callable[[QueueEntry], bool]


class _Size(IntEnum):
    """In bytes, but for PAGE, which is entries."""

    FACTS = calcsize("<4Q4I")
    ENTRY = FACTS + 8
    PAGE = 16


class _Where(Enum):
    MEMORY = auto()
    FILE = auto()
    GONE = auto()


_WHOLE = Struct("<4Q4III")


@lru_cache(maxsize=256)
def _file_of(folder: str, first: int) -> str:
    return f"{folder}/q{first:x}.bin"


def _packed(number: int, entry: QueueEntry) -> bytes:
    """With two checksums, of which one is salted with its number: it fits nowhere else."""
    facts = Struct("<4Q4I").pack(*entry)
    return facts + Struct("<II").pack(crc32(facts), crc32(facts, number + 1 & 0xFFFFFFFF))


class ConsumeQueue:
    """What others may look at stands in `_shown`, and is found there by name."""

    @dataclass(slots=True)
    class _Shown:
        min_offset: int = 0
        max_offset: int = 0
        entry_count: int = 0
        first_number: int = 0
        last_ms: int = 0

    class _HoleError(LookupError):
        """Nothing stands at a number: a hole."""

    def __init__(self, topic: str, queue_id: int, *, entries_per_file: int = 65536, tail_min: int = 1024) -> None:
        self._per_file, self._tail_min = entries_per_file, tail_min
        self.topic, self.queue_id = topic, queue_id
        self._shown = self._Shown()
        self._begins = array("Q")
        self._memory: dict[int, bytes] = {}
        self.flushed_count = self._durable = 0

    def __getattr__(self, name: str) -> Any:
        if name in {"min_offset", "max_offset", "entry_count"}:
            return getattr(self._shown, name)
        raise AttributeError(name)

    # --- places

    @property
    def _folder(self) -> str:
        return queue_folder(self.topic, self.queue_id)

    def _place(self, number: int) -> tuple[str, int]:
        nth = number % self._per_file
        return _file_of(self._folder, number - nth), (self._per_file - 1 - nth) * _Size.ENTRY

    def _files(self, first: int, upto: int) -> Iterator[tuple[str, range]]:
        """Each file with the numbers of those entries of a range that it holds."""
        borders = chain([first], range(first // self._per_file * self._per_file + self._per_file, upto, self._per_file), [upto])
        return ((self._place(low)[0], range(low, high)) for low, high in pairwise(borders) if low < high)

    def _where(self, number: int) -> _Where:
        if number in self._memory:
            return _Where.MEMORY
        return _Where.FILE if number >= self._shown.first_number else _Where.GONE

    # --- writing

    def append(self, entry: QueueEntry) -> None:
        shown = self._shown
        match entry:
            case QueueEntry(base_offset=offset, count=count) if offset != shown.max_offset or not 0 < count < 1 << 32:
                raise StateError(f"{count} messages from {offset} on cannot stand behind {shown.max_offset}")
            case QueueEntry(base_offset=offset, store_ms=store_ms, count=count):
                shown.last_ms = max(store_ms, shown.last_ms)
                self._memory[shown.entry_count] = _packed(shown.entry_count, entry._replace(store_ms=shown.last_ms))
                if not shown.entry_count % self._per_file:
                    self._begins.append(offset)
                shown.entry_count += 1
                shown.max_offset = offset + count

    def flush(self, *, sync: bool = False) -> Plan:
        writes = (Write(*self._place(number), self._memory[number]) for number in range(self.flushed_count, self.entry_count))
        if not sync:
            return tuple(writes)
        doubtful = self._files(max(self._durable, self._shown.first_number), self.entry_count)
        return (*writes, *(Sync(file) for file, _ in doubtful))

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        self.flushed_count = max(self.flushed_count, entry_count)
        if is_synced:
            self._durable = max(self._durable, entry_count)
        self._forget(min(self.flushed_count, self.entry_count - self._tail_min))

    def _forget(self, border: int) -> None:
        """What is in memory below a number; the oldest stand in front."""
        while self._memory and (oldest := next(iter(self._memory))) < border:
            del self._memory[oldest]

    def drop_before(self, offset: QueueOffset) -> Plan:
        shown = self._shown
        shown.min_offset = max(shown.min_offset, min(shown.max_offset, offset))
        gone = sum(begin <= shown.min_offset for begin in self._begins[1:])
        old = shown.first_number
        shown.first_number += gone * self._per_file
        del self._begins[:gone]
        self.flushed_count = max(self.flushed_count, shown.first_number)
        self._forget(shown.first_number)
        return tuple(Remove(file) for file, _ in self._files(old, shown.first_number))

    def delete(self, files: Mapping[str, int]) -> Plan:
        return tuple([Remove(file) for file in sorted(files) if file.rpartition("/")[0] == self._folder])

    # --- reading

    def _page(self, first: int, upto: int) -> Steps[list[bytes]]:
        """The entries with these numbers, of one file, as they stand there."""
        match self._where(first):
            case _Where.MEMORY:
                return [self._memory[number] for number in range(first, upto)]
            case _Where.FILE | _Where.GONE:
                file, at = self._place(upto - 1)
                view = memoryview((yield Read(file, at, (upto - first) * _Size.ENTRY)))
                pieces = [bytes(view[at : at + _Size.ENTRY]) for at in range(0, (upto - first) * _Size.ENTRY, _Size.ENTRY)]
                return pieces[::-1]

    def _damage(self, number: int, reason: str) -> NoReturn:
        file, at = self._place(number)
        raise DamageError(file, at, f"entry {number}: {reason}")

    def _read(self, number: int, piece: bytes) -> QueueEntry:
        """Raises: DamageError, and `_HoleError` for a hole."""
        if piece == bytes(_Size.ENTRY):
            raise self._HoleError(number)
        if len(piece) < _Size.ENTRY:
            self._damage(number, f"of {_Size.ENTRY.value} bytes there are {len(piece)}")
        ((*facts, one, other),) = _WHOLE.iter_unpack(piece)
        if crc32(piece[: _Size.FACTS]) != one:
            self._damage(number, "changed")
        if crc32(piece[: _Size.FACTS], number + 1 & 0xFFFFFFFF) != other:
            self._damage(number, "another one stands here")
        return QueueEntry(*facts)

    def _last(self, low: int, high: int, holds: Is) -> Steps[int]:
        """The last number for which it holds, or is a hole; `low` if there is none."""
        if high - low <= 1:
            return low
        middle = (low + high) // 2
        (piece,) = yield from self._page(middle, middle + 1)
        try:
            is_lower = holds(self._read(middle, piece))
        except self._HoleError:
            is_lower = True
        return (yield from self._last(*((middle, high) if is_lower else (low, middle)), holds))

    def _patiently(self, look: Callable[[], Steps[_T]]) -> Steps[_T]:
        """What retention took from under a reader's hands is looked for where the queue begins now."""
        first_number = self._shown.first_number
        try:
            return (yield from look())
        except DamageError:
            if first_number == self._shown.first_number:
                raise
        return (yield from self._patiently(look))

    def entries(self, offset: QueueOffset, entries_max: int) -> Steps[tuple[QueueEntry, ...]]:
        def look() -> Steps[tuple[QueueEntry, ...]]:
            begin = max(offset, self.min_offset)
            if begin >= self.max_offset:
                return ()
            low, high = self._shown.first_number, next(iter(self._memory), self.entry_count)
            if high < self.entry_count and self._read(high, self._memory[high]).base_offset <= begin:
                low, high = high, self.entry_count  # what is in memory is looked for there alone
            first = yield from self._last(low, high, lambda entry: entry.base_offset <= begin)
            upto = min(self.entry_count, first + max(entries_max, 1))
            found = yield from self._line(first, upto)
            if not found[0].base_offset <= begin < found[0].base_offset + found[0].count:
                self._damage(first, f"it does not hold message {begin}")
            return found

        return self._patiently(look)

    def _line(self, first: int, upto: int) -> Steps[tuple[QueueEntry, ...]]:
        found: list[QueueEntry] = []
        while (number := first + len(found)) < upto:
            end = min(upto, number - number % self._per_file + self._per_file, number + _Size.PAGE)
            if self._where(number) is not _Where.MEMORY:
                end = min(end, next(iter(self._memory), end))
            for nth, piece in enumerate((yield from self._page(number, end)), number):
                try:
                    entry = self._read(nth, piece)
                except self._HoleError:
                    self._damage(nth, "it was never here")
                if found and entry.base_offset != found[-1].base_offset + found[-1].count:
                    self._damage(nth, f"it begins at {entry.base_offset}")
                found.append(entry)
        return tuple(found)

    def offset_at(self, store_ms: int) -> Steps[QueueOffset]:
        def look() -> Steps[QueueOffset]:
            shown = self._shown
            first, count = shown.first_number, shown.entry_count
            if first == count or store_ms > shown.last_ms:
                return QueueOffset(shown.max_offset)
            # A step before the first one: all numbers above the answer are late enough, all up to it are not.
            number = yield from self._last(first - 1, count, lambda entry: entry.store_ms < store_ms)
            if number + 1 == count:
                return QueueOffset(shown.max_offset)
            (entry,) = yield from self._line(number + 1, number + 2)
            return QueueOffset(max(entry.base_offset, self.min_offset))

        return self._patiently(look)

    # --- snapshots

    def to_plain(self) -> Any:
        return {**asdict(self._shown), "begins": self._begins.tolist()}

    @classmethod
    def from_plain(
        cls, topic: str, queue_id: int, plain: Any, *, entries_per_file: int = 65536, tail_min: int = 1024
    ) -> "ConsumeQueue":
        queue = cls(topic, queue_id, entries_per_file=entries_per_file, tail_min=tail_min)
        queue._shown = cls._Shown(**{name: number for name, number in plain.items() if name != "begins"})
        queue._begins.extend(plain["begins"])
        queue.flushed_count = queue._durable = queue.entry_count
        return queue

    def missing(self, files: Mapping[str, int]) -> str | None:
        """Each file has had its whole size since its first entry came."""
        whole = self._per_file * _Size.ENTRY
        for file, _ in self._files(self._shown.first_number, self.entry_count):
            if files.get(file, -1) < whole:
                return file
        return None

    def hollow(self) -> Plan:
        self._durable = min(self._durable, self._shown.first_number)
        files = self._files(self._shown.first_number, self.entry_count)
        return tuple(Write(file, (self._per_file - 1) * _Size.ENTRY, bytes(_Size.ENTRY)) for file, _ in files)

    def __repr__(self) -> str:
        return f"{type(self).__name__}{astuple(self._shown)}"
