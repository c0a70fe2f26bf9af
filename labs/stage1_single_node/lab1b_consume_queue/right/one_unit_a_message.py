"""A unit of one size for each message, as RocketMQ has it: the offset is the unit's number, nothing is looked for by offset."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from struct import Struct
from typing import Any, TypeVar
from zlib import crc32

from mq.broker.store.queue_entry import QueueEntry, queue_folder
from mq.core.errors import DamageError, StateError
from mq.core.ports import Plan, Read, Remove, Steps, Sync, Write

_T = TypeVar("_T")
_UNIT = Struct("<QQQIIII")
_CHECKED = _UNIT.size - 4
_SIZE = _UNIT.size


class ConsumeQueue:
    """newest: units in memory, by offset."""

    def __init__(self, topic: str, queue_id: int, *, entries_per_file: int = 65536, tail_min: int = 1024) -> None:
        self.topic, self.queue_id = topic, queue_id
        self.min_offset = self.max_offset = self.flushed_count = 0
        self.per_file, self.tail_min = entries_per_file, tail_min
        self.synced = self.last_ms = 0
        self.newest: dict[int, bytes] = {}

    @property
    def entry_count(self) -> int:
        return self.max_offset

    def append(self, entry: QueueEntry) -> None:
        if entry.base_offset != self.max_offset or entry.count < 1:
            raise StateError(f"{entry} does not begin at {self.max_offset}")
        self.last_ms = max(self.last_ms, entry.store_ms)
        for number in range(entry.first, entry.first + entry.count):
            packed = _UNIT.pack(
                entry.position, entry.log_index, self.last_ms, entry.size_bytes, number, entry.tag_code, 0
            )[:_CHECKED]  # fmt: skip
            self.newest[self.max_offset] = packed + self.checksum(self.max_offset, packed)
            self.max_offset += 1

    @staticmethod
    def checksum(offset: int, packed: bytes) -> bytes:
        """Also of the offset, which is not in the unit: a unit in another one's place is told."""
        return crc32(packed, offset & 0xFFFFFFFF).to_bytes(4, "little")

    # --- files

    def file(self, offset: int) -> str:
        return f"{queue_folder(self.topic, self.queue_id)}/units-{offset // self.per_file}"

    def first_unit(self) -> int:
        return self.min_offset - self.min_offset % self.per_file

    def spans(self, begin: int, end: int) -> list[tuple[int, int]]:
        """Cut at the borders of files."""
        cuts = [begin, *range(begin - begin % self.per_file + self.per_file, end, self.per_file), end]
        return [(one, other) for one, other in pairwise(cuts) if one < other]

    def flush(self, *, sync: bool = False) -> Plan:
        writes = [
            Write(self.file(one), one % self.per_file * _SIZE, b"".join(self.newest[offset] for offset in range(one, other)))
            for one, other in self.spans(self.flushed_count, self.max_offset)
        ]
        begins = max(self.synced, self.first_unit())
        syncs = [Sync(self.file(one)) for one, _ in self.spans(begins, self.max_offset)] if sync else []
        return (*writes, *syncs)

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        self.flushed_count = max(self.flushed_count, entry_count)
        self.synced = max(self.synced, entry_count) if is_synced else self.synced
        for offset in list(self.newest):
            if len(self.newest) <= self.tail_min or offset >= self.flushed_count:
                break
            del self.newest[offset]

    def drop_before(self, offset: int) -> Plan:
        before = self.first_unit()
        self.min_offset = max(self.min_offset, min(offset, self.max_offset))
        self.flushed_count = max(self.flushed_count, self.first_unit())
        return tuple(Remove(self.file(one)) for one, _ in self.spans(before, self.first_unit()))

    def delete(self, files: Mapping[str, int]) -> Plan:
        return tuple(Remove(file) for file in files if file.startswith(queue_folder(self.topic, self.queue_id) + "/"))

    # --- reading

    def units(self, begin: int, end: int) -> Steps[list[bytes]]:
        """Those in files leave the memory whenever `flushed` is told, also between two reads."""
        found: list[bytes] = []
        while (at := begin + len(found)) < min(end, newest_from := self.max_offset - len(self.newest)):
            _, upto = self.spans(at, min(end, newest_from))[0]
            data = yield Read(self.file(at), at % self.per_file * _SIZE, (upto - at) * _SIZE)
            found += [data[n : n + _SIZE] for n in range(0, (upto - at) * _SIZE, _SIZE)]
        return [*found, *(self.newest[offset] for offset in range(begin + len(found), end))]

    def entries(self, offset: int, entries_max: int) -> Steps[tuple[QueueEntry, ...]]:
        return (yield from self.again(lambda: self.entries_now(offset, entries_max)))

    def offset_at(self, store_ms: int) -> Steps[int]:
        return (yield from self.again(lambda: self.offset_now(store_ms)))

    def again(self, look: Callable[[], Steps[_T]]) -> Steps[_T]:
        """Until the queue begins where it did when the look began."""
        while True:
            begins = self.min_offset
            try:
                found = yield from look()
            except DamageError:
                if begins == self.min_offset:
                    raise
            else:
                if begins == self.min_offset:
                    return found

    def entries_now(self, offset: int, entries_max: int) -> Steps[tuple[QueueEntry, ...]]:
        begin = max(offset, self.min_offset)
        end = min(begin + entries_max, begin + 64, self.max_offset)
        units = (yield from self.units(begin, end)) if begin < end else []
        return tuple(self.entry(begin + number, unit) for number, unit in enumerate(units))

    def entry(self, offset: int, unit: bytes) -> QueueEntry:
        if len(unit) < _SIZE or unit[_CHECKED:] != self.checksum(offset, unit[:_CHECKED]):
            raise DamageError(self.file(offset), offset % self.per_file * _SIZE, f"there is no good unit for message {offset}")
        position, log_index, store_ms, size_bytes, number, tag_code, _ = _UNIT.unpack(unit)
        return QueueEntry(offset, position, log_index, store_ms, size_bytes, 1, number, tag_code)

    def offset_now(self, store_ms: int) -> Steps[int]:
        low, high = self.min_offset, self.max_offset
        while low < high:
            middle = (low + high) // 2
            (unit,) = yield from self.units(middle, middle + 1)
            is_before = unit == bytes(_SIZE) or self.entry(middle, unit).store_ms < store_ms
            low, high = (middle + 1, high) if is_before else (low, middle)
        return low

    # --- snapshots

    def to_plain(self) -> Any:
        return {"begins": self.min_offset, "ends": self.max_offset, "last": self.last_ms}

    @classmethod
    def from_plain(cls, topic: str, queue_id: int, plain: Any, **sizes: int) -> "ConsumeQueue":
        queue = cls(topic, queue_id, **sizes)
        queue.min_offset, queue.max_offset, queue.last_ms = plain["begins"], plain["ends"], plain["last"]
        queue.flushed_count = queue.synced = queue.max_offset
        return queue

    def missing(self, files: Mapping[str, int]) -> str | None:
        for one, other in self.spans(self.first_unit(), self.max_offset):
            if files.get(self.file(one), 0) < (other - 1) % self.per_file * _SIZE + _SIZE:
                return self.file(one)
        return None

    def hollow(self) -> Plan:
        spans = self.spans(self.first_unit(), self.max_offset)
        self.synced = self.first_unit()
        return tuple(Write(self.file(one), (other - 1) % self.per_file * _SIZE, bytes(_SIZE)) for one, other in spans)
