"""Entries are lines of text. A list says where each file begins, in offsets and in time; a file is read as a whole."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from zlib import crc32

from mq.broker.store.queue_entry import QueueEntry, queue_folder
from mq.core.errors import DamageError, StateError
from mq.core.ids import QueueOffset
from mq.core.ports import Operation, Plan, Read, Remove, Steps, Sync, Write

_LINE = 120
_HOLE = bytes(_LINE)


def _line(entry: QueueEntry) -> bytes:
    text = " ".join(map(str, entry)).encode()
    return b"%08x %s" % (crc32(text), text.ljust(_LINE - 10)) + b"\n"


class ConsumeQueue:
    """chapters: of each file, its first entry's number, offset and time. newest: in memory, from number `newest_from` on."""

    def __init__(self, topic: str, queue_id: int, *, entries_per_file: int = 65536, tail_min: int = 1024) -> None:
        self.topic, self.queue_id = topic, queue_id
        self.per_file, self.tail_min = entries_per_file, tail_min
        self.min_offset, self.max_offset = QueueOffset(0), QueueOffset(0)
        self.entry_count = self.flushed_count = self.last_ms = self.newest_from = 0
        self.chapters: list[list[int]] = []
        self.newest: list[QueueEntry] = []
        self.unsynced: set[str] = set()

    def append(self, entry: QueueEntry) -> None:
        if entry.base_offset != self.max_offset or not entry.count:
            raise StateError(f"the queue ends at {self.max_offset}, not at {entry.base_offset}")
        self.last_ms = max(entry.store_ms, self.last_ms)
        if self.entry_count % self.per_file == 0:
            self.chapters.append([self.entry_count, entry.base_offset, self.last_ms])
        self.newest.append(entry._replace(store_ms=self.last_ms))
        self.entry_count += 1
        self.max_offset = QueueOffset(self.max_offset + entry.count)

    def _file(self, number: int) -> str:
        return f"{queue_folder(self.topic, self.queue_id)}/{number // self.per_file}.txt"

    def flush(self, *, sync: bool = False) -> Plan:
        by_file: dict[str, tuple[int, list[bytes]]] = {}
        for number in range(self.flushed_count, self.entry_count):
            lines = by_file.setdefault(self._file(number), (number % self.per_file, []))[1]
            lines.append(_line(self.newest[number - self.newest_from]))
        plan: list[Operation] = [Write(file, at * _LINE, b"".join(some)) for file, (at, some) in by_file.items()]
        self.unsynced |= by_file.keys()
        return (*plan, *(Sync(file) for file in sorted(self.unsynced))) if sync else tuple(plan)

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        self.flushed_count = max(self.flushed_count, entry_count)
        if is_synced and entry_count == self.entry_count:
            self.unsynced.clear()
        gone = min(self.flushed_count, self.entry_count - self.tail_min) - self.newest_from
        if gone > 0:
            self.newest = self.newest[gone:]
            self.newest_from += gone

    def drop_before(self, offset: QueueOffset) -> Plan:
        self.min_offset = max(self.min_offset, min(offset, self.max_offset))
        plan: list[Operation] = []
        while len(self.chapters) > 1 and self.chapters[1][1] <= self.min_offset:
            file = self._file(self.chapters.pop(0)[0])
            plan.append(Remove(file))
            self.unsynced.discard(file)
            self.flushed_count = max(self.flushed_count, self.chapters[0][0])
        return tuple(plan)

    def delete(self, files: Mapping[str, int]) -> Plan:
        return tuple(Remove(file) for file in files if file.startswith(queue_folder(self.topic, self.queue_id) + "/"))

    # --- reading

    def _read(self, chapter: int) -> Steps[list[QueueEntry | None]]:
        """All entries of a file, None for holes."""
        first = self.chapters[chapter][0]
        upto = min(first + self.per_file, self.entry_count)
        if first >= self.newest_from:
            return list(self.newest[first - self.newest_from : upto - self.newest_from])
        in_file = min(upto, max(self.newest_from, first))
        behind = self.newest[: upto - in_file]  # as it is now: some may leave the memory meanwhile
        data = yield Read(self._file(first), 0, (in_file - first) * _LINE)
        return [*(self._entry(first, n, data[n * _LINE : (n + 1) * _LINE]) for n in range(in_file - first)), *behind]

    def _entry(self, first: int, number: int, line: bytes) -> QueueEntry | None:
        if line == _HOLE:
            return None
        text = line[9:].rstrip(b" \n")
        if len(line) < _LINE or line != b"%08x %s" % (crc32(text), text.ljust(_LINE - 10)) + b"\n":
            raise DamageError(self._file(first), number * _LINE, f"line {number} is no entry")
        return QueueEntry(*map(int, text.split()))

    def entries(self, offset: QueueOffset, entries_max: int) -> Steps[tuple[QueueEntry, ...]]:
        chapters = None
        while chapters != self.chapters:  # retention may turn some over meanwhile
            chapters, found = list(self.chapters), list[QueueEntry]()
            try:
                found = yield from self._entries(offset, entries_max)
            except DamageError:
                if chapters == self.chapters:
                    raise
        return tuple(found)

    def offset_at(self, store_ms: int) -> Steps[QueueOffset]:
        chapters, found = None, self.max_offset
        while chapters != self.chapters:
            chapters = list(self.chapters)
            try:
                found = yield from self._offset_at(store_ms)
            except DamageError:
                if chapters == self.chapters:
                    raise
        return found

    def _entries(self, offset: QueueOffset, entries_max: int) -> Steps[list[QueueEntry]]:
        offset = max(offset, self.min_offset)
        found: list[QueueEntry] = []
        if offset >= self.max_offset:
            return found
        if self.newest and self.newest[0].base_offset <= offset:
            at = bisect_right(self.newest, int(offset), key=lambda entry: entry.base_offset) - 1
            return self.newest[at : at + entries_max]
        chapter = bisect_right(self.chapters, int(offset), key=lambda each: each[1]) - 1
        while chapter < len(self.chapters) and len(found) < entries_max:
            if self.chapters[chapter][0] >= self.newest_from and found:
                break
            for entry in (yield from self._read(chapter)):
                if entry is None and not found and chapter + 1 < len(self.chapters) and self.chapters[chapter + 1][1] <= offset:
                    continue
                if entry is not None and entry.base_offset + entry.count > offset:
                    found.append(entry)
            chapter += 1
        if not found or found[0].base_offset > offset:
            raise DamageError(self._file(self.chapters[0][0]), 0, f"message {offset} is not here")
        return self._in_order(found[:entries_max])

    def _in_order(self, found: list[QueueEntry]) -> list[QueueEntry]:
        if any(one.base_offset + one.count != other.base_offset for one, other in pairwise(found)):
            raise DamageError(self._file(self.chapters[0][0]), 0, f"behind message {found[0].base_offset} the order is wrong")
        return found

    def _offset_at(self, store_ms: int) -> Steps[QueueOffset]:
        chapter = bisect_left(self.chapters, store_ms, key=lambda each: each[2])
        if chapter:
            for entry in (yield from self._read(chapter - 1)):
                if entry is not None and entry.store_ms >= store_ms:
                    return max(QueueOffset(entry.base_offset), self.min_offset)
        return max(QueueOffset(self.chapters[chapter][1]), self.min_offset) if chapter < len(self.chapters) else self.max_offset

    # --- snapshots

    def to_plain(self) -> list[Any]:
        return [self.min_offset, self.max_offset, self.entry_count, self.last_ms, *self.chapters]

    @classmethod
    def from_plain(cls, topic: str, queue_id: int, plain: list[Any], **sizes: int) -> "ConsumeQueue":
        queue = cls(topic, queue_id, **sizes)
        queue.min_offset, queue.max_offset, queue.entry_count, queue.last_ms, *chapters = plain
        queue.flushed_count = queue.newest_from = queue.entry_count
        queue.chapters = [list(each) for each in chapters]
        return queue

    def missing(self, files: Mapping[str, int]) -> str | None:
        for first, _, _ in self.chapters:
            lines = min(self.per_file, self.entry_count - first)
            if files.get(self._file(first), 0) < lines * _LINE:
                return self._file(first)
        return None

    def hollow(self) -> Plan:
        plan: list[Operation] = []
        for first, _, _ in self.chapters:
            lines = min(self.per_file, self.entry_count - first)
            plan.append(Write(self._file(first), (lines - 1) * _LINE, _HOLE))
            self.unsynced.add(self._file(first))
        return tuple(plan)
