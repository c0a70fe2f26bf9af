"""The consume queue: which batch of the commit log holds which messages of one queue.

It holds no bodies. Each stored batch is one fixed-size entry (48 bytes, with a checksum of its own), in files
of `entries_per_file` entries: `queues/<topic>/<queue id>/<number of its first entry>.cq`. What was appended last
is kept in memory as the same bytes, so that readers who keep up never touch a file. The files are derived from
the log and are each node's own: they are synced before a snapshot that relies on them, and rebuilt when they are
missing. A node that was given another one's snapshot has no entries from before it: there its files have *holes* (zeros).

RocketMQ: ConsumeQueue (20-byte units, one a message).
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Any, TypeVar
from zlib import crc32

from mq.broker.store.queue_entry import NO_POSITION, QueueEntry, queue_folder
from mq.core.errors import DamageError, StateError
from mq.core.ids import QueueOffset
from mq.core.ports import Operation, Plan, Read, Remove, Steps, Sync, Write

__all__ = ["ENTRY_BYTES", "NO_POSITION", "ConsumeQueue", "QueueEntry", "QueueState", "queue_folder"]

_T = TypeVar("_T")
_FIELDS = Struct("<QQQQIHHI")
_CHECKSUM = Struct("<I")
ENTRY_BYTES = _FIELDS.size + _CHECKSUM.size
_HOLE = bytes(ENTRY_BYTES)
_COUNT_MAX = 0xFFFF
_PAGE = 64
"""Entries fetched by one read."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """What a snapshot keeps of a queue. Entry numbers count from the queue's beginning for ever.

    file_offsets: the queue offset at which each file begins, from the one with `first_entry` on.
    """

    min_offset: int
    max_offset: int
    first_entry: int
    entry_count: int
    last_store_ms: int
    file_offsets: tuple[int, ...]

    def to_plain(self) -> list[Any]:
        """As plain values."""
        numbers = [self.min_offset, self.max_offset, self.first_entry, self.entry_count, self.last_store_ms]
        return [*numbers, list(self.file_offsets)]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "QueueState":
        """From plain values."""
        min_offset, max_offset, first_entry, entry_count, last_store_ms, file_offsets = plain
        return cls(min_offset, max_offset, first_entry, entry_count, last_store_ms, tuple(file_offsets))


class ConsumeQueue:
    """Invariants: offsets are dense; store times do not fall; entries `flushed_count` and above are in memory.

    What `state` tells depends only on what was appended and dropped, never on when entries were written to files: so
    it is the same on every replica.
    """

    def __init__(self, topic: str, queue_id: int, *, entries_per_file: int = 65536, tail_min: int = 1024) -> None:
        """tail_min: entries kept in memory, at least; at most twice as many, and what is not in files yet."""
        self.topic, self.queue_id = topic, queue_id
        self._folder = queue_folder(topic, queue_id)
        self._min_offset, self._max_offset = QueueOffset(0), QueueOffset(0)
        self.first_entry = self._entry_count = self._flushed_count = 0
        self._synced_count = 0
        self._file_offsets: list[int] = []
        self._entries_per_file, self._tail_min = entries_per_file, tail_min
        self._last_store_ms = 0
        self._tail = bytearray()
        self._tail_first = 0
        self._tail_offsets = array("Q")

    @property
    def min_offset(self) -> QueueOffset:
        """Of the first message that retention left."""
        return self._min_offset

    @property
    def max_offset(self) -> QueueOffset:
        """Of the next message."""
        return self._max_offset

    @property
    def entry_count(self) -> int:
        """Entries that were ever appended; of a queue with units of its own, those."""
        return self._entry_count

    @property
    def flushed_count(self) -> int:
        """How many of them are in files, as far as `flushed` told."""
        return self._flushed_count

    # --- writing

    def append(self, entry: QueueEntry) -> None:
        """Add the next entry. Raises: StateError when it does not begin where the queue ends."""
        base_offset, position, log_index, store_ms, size_bytes, count, first, tag_code = entry
        if base_offset != self._max_offset or not 0 < count <= _COUNT_MAX:
            raise StateError(
                f"{self}: an entry of {count} messages at offset {base_offset} cannot follow offset {self._max_offset}"
            )
        self._last_store_ms = store_ms = max(store_ms, self._last_store_ms)
        packed = _FIELDS.pack(base_offset, position, log_index, store_ms, size_bytes, count, first, tag_code)
        self._tail += packed
        self._tail += _CHECKSUM.pack(crc32(packed))
        self._tail_offsets.append(base_offset)
        if self._entry_count % self._entries_per_file == 0:
            self._file_offsets.append(base_offset)
        self._max_offset = QueueOffset(base_offset + count)
        self._entry_count += 1

    def flush(self, *, sync: bool = False) -> Plan:
        """What brings the entries from `flushed_count` on into files; call `flushed` when it is carried out.

        sync: make all that is in files durable, also what earlier calls brought there.
        """
        plan: list[Operation] = []
        number = self._flushed_count
        while number < self._entry_count:
            file, at = self._place(number)
            upto = min(self._entry_count, self._next_file(number))
            begin = (number - self._tail_first) * ENTRY_BYTES
            plan.append(Write(file, at, bytes(self._tail[begin : begin + (upto - number) * ENTRY_BYTES])))
            number = upto
        number = max(self._synced_count, self.first_entry)
        while sync and number < self._entry_count:
            plan.append(Sync(self._place(number)[0]))
            number = self._next_file(number)
        return tuple(plan)

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        """The entries below this number are in files now; all but the newest leave the memory.

        is_synced: the plan was one with `sync`; without it the next such plan syncs these files again.
        """
        self._flushed_count = max(self._flushed_count, min(entry_count, self._entry_count))
        if is_synced:
            self._synced_count = max(self._synced_count, min(entry_count, self._entry_count))
        gone = min(len(self._tail_offsets) - self._tail_min, self._flushed_count - self._tail_first)
        if gone >= self._tail_min:
            del self._tail[: gone * ENTRY_BYTES]
            del self._tail_offsets[:gone]
            self._tail_first += gone

    def drop_before(self, offset: QueueOffset) -> Plan:
        """Retention: the queue begins at `offset` (brought into its range). Files that hold only older entries go."""
        self._min_offset = max(self._min_offset, min(offset, self._max_offset))
        plan: list[Operation] = []
        while len(self._file_offsets) > 1 and self._file_offsets[1] <= self._min_offset:
            plan.append(Remove(self._place(self.first_entry)[0]))
            self.first_entry = self._next_file(self.first_entry)
            del self._file_offsets[0]
        self._flushed_count = max(self._flushed_count, self.first_entry)
        return tuple(plan)

    def delete(self, files: Mapping[str, int]) -> Plan:
        """Remove all files of the queue. files: of the data folder."""
        return tuple(Remove(file) for file in files if file.startswith(f"{self._folder}/"))

    # --- reading

    def entries(self, offset: QueueOffset, entries_max: int) -> Steps[tuple[QueueEntry, ...]]:
        """Up to `entries_max` entries, from the one that holds `offset` on; none at the queue's end.

        An offset below `min_offset` means `min_offset`. Raises: DamageError.
        """
        return (yield from self._steadily(lambda: self._entries(offset, entries_max)))

    def _entries(self, offset: QueueOffset, entries_max: int) -> Steps[tuple[QueueEntry, ...]]:
        """See `entries`. Raises: DamageError, also when what is found does not hold the offset."""
        offset = max(offset, self._min_offset)
        if offset >= self._max_offset:
            return ()
        if self._tail_offsets and offset >= self._tail_offsets[0]:
            number = self._tail_first + bisect_right(self._tail_offsets, offset) - 1
        else:
            number = yield from self._find(lambda entry: entry.base_offset <= offset)
        found = yield from self._run(number, min(number + entries_max, self._entry_count))
        if found and not found[0].base_offset <= offset < found[0].base_offset + found[0].count:
            file, at = self._place(number)
            raise DamageError(file, at, f"the entry begins at offset {found[0].base_offset} and does not hold {offset}")
        return found

    def offset_at(self, store_ms: int) -> Steps[QueueOffset]:
        """The first offset stored at or after a wall time; `max_offset` when there is none. Raises: DamageError."""
        return (yield from self._steadily(lambda: self._offset_at(store_ms)))

    def _offset_at(self, store_ms: int) -> Steps[QueueOffset]:
        """See `offset_at`."""
        if store_ms > self._last_store_ms or self._entry_count == self.first_entry:
            return self._max_offset
        number = yield from self._find(lambda entry: entry.store_ms < store_ms)
        entry = yield from self._look(number)
        if entry is None:
            if number + 1 == self._entry_count:
                return self._max_offset
            (entry,) = yield from self._run(number + 1, number + 2)
        found = entry.base_offset if entry.store_ms >= store_ms else entry.base_offset + entry.count
        return max(QueueOffset(found), self._min_offset)

    def _steadily(self, look: Callable[[], Steps[_T]]) -> Steps[_T]:
        """Look again when retention removed what was about to be read."""
        while True:
            first_entry = self.first_entry
            try:
                return (yield from look())
            except DamageError:
                if self.first_entry == first_entry:
                    raise

    def _find(self, is_before: Callable[[QueueEntry], bool]) -> Steps[int]:
        """Number of the last entry for which `is_before` holds, else of the first entry: binary search.

        Holes count as before: only older entries are missing.
        """
        low, high = self.first_entry, self._entry_count
        while high - low > 1:
            middle = (low + high) // 2
            entry = yield from self._look(middle)
            low, high = (middle, high) if entry is None or is_before(entry) else (low, middle)
        return low

    def _look(self, number: int) -> Steps[QueueEntry | None]:
        """One entry by number; None for a hole."""
        if number >= self._tail_first:
            return QueueEntry._make(_FIELDS.unpack_from(self._tail, (number - self._tail_first) * ENTRY_BYTES))
        file, at = self._place(number)
        data = yield Read(file, at, ENTRY_BYTES)
        return None if data == _HOLE else self._verified(file, at, data)

    def _run(self, first: int, upto: int) -> Steps[tuple[QueueEntry, ...]]:
        """Entries `first` up to, not including, `upto`, by number. Raises: DamageError, also where one does not follow."""
        found: list[QueueEntry] = []
        while first < upto:
            if first >= self._tail_first:
                places = range((first - self._tail_first) * ENTRY_BYTES, (upto - self._tail_first) * ENTRY_BYTES, ENTRY_BYTES)
                found.extend(QueueEntry._make(_FIELDS.unpack_from(self._tail, at)) for at in places)
                break
            file, at = self._place(first)
            count = min(upto, self._tail_first, first + _PAGE, self._next_file(first)) - first
            data = yield Read(file, at, count * ENTRY_BYTES)
            for i in range(count):
                entry = self._verified(file, at + i * ENTRY_BYTES, data[i * ENTRY_BYTES : (i + 1) * ENTRY_BYTES])
                if found and entry.base_offset != found[-1].base_offset + found[-1].count:
                    raise DamageError(
                        file,
                        at + i * ENTRY_BYTES,
                        f"the entry begins at offset {entry.base_offset}, not where the one before it ends",
                    )
                found.append(entry)
            first += count
        return tuple(found)

    def _verified(self, file: str, at: int, data: bytes) -> QueueEntry:
        """The entry in what was read at a place. Raises: DamageError when it is cut short, a hole, or not what was written."""
        if len(data) < ENTRY_BYTES:
            raise DamageError(
                file, at, f"the consume queue is cut short: {len(data)} of {ENTRY_BYTES} bytes of an entry are there"
            )
        if data == _HOLE:
            raise DamageError(file, at, "there is a hole: this consume-queue entry was never written here")
        if crc32(data[: _FIELDS.size]) != _CHECKSUM.unpack_from(data, _FIELDS.size)[0]:
            raise DamageError(file, at, "the checksum of a consume-queue entry is wrong")
        return QueueEntry._make(_FIELDS.unpack_from(data))

    def _place(self, number: int) -> tuple[str, int]:
        """File and byte of an entry by its number."""
        first = number - number % self._entries_per_file
        return f"{self._folder}/{first:020d}.cq", (number - first) * ENTRY_BYTES

    def _next_file(self, number: int) -> int:
        """Number of the first entry in the file behind the one that holds an entry."""
        return number - number % self._entries_per_file + self._entries_per_file

    # --- snapshots

    def state(self) -> QueueState:
        """What a snapshot keeps; the entries themselves must be flushed and synced first."""
        return QueueState(
            self._min_offset, self._max_offset, self.first_entry, self._entry_count, self._last_store_ms,
            tuple(self._file_offsets),
        )  # fmt: skip

    @classmethod
    def restore(
        cls, topic: str, queue_id: int, state: QueueState, *, entries_per_file: int = 65536, tail_min: int = 1024
    ) -> "ConsumeQueue":
        """The queue of a snapshot. What files hold beyond it is stale and will be written again."""
        queue = cls(topic, queue_id, entries_per_file=entries_per_file, tail_min=tail_min)
        queue._min_offset, queue._max_offset = QueueOffset(state.min_offset), QueueOffset(state.max_offset)
        queue.first_entry, queue._entry_count = state.first_entry, state.entry_count
        queue._flushed_count = queue._synced_count = queue._tail_first = state.entry_count
        queue._last_store_ms = state.last_store_ms
        queue._file_offsets = list(state.file_offsets)
        return queue

    def to_plain(self) -> Any:
        """`state` as JSON can hold it: equal on all replicas that carried out the same commands."""
        return self.state().to_plain()

    @classmethod
    def from_plain(
        cls, topic: str, queue_id: int, plain: Any, *, entries_per_file: int = 65536, tail_min: int = 1024
    ) -> "ConsumeQueue":
        """The queue that `to_plain` was asked of."""
        state = QueueState.from_plain(plain)
        return cls.restore(topic, queue_id, state, entries_per_file=entries_per_file, tail_min=tail_min)

    def missing(self, files: Mapping[str, int]) -> str | None:
        """After `restore`: a file that is needed and not there or too short; None when all are there."""
        number = self.first_entry
        while number < self._entry_count:
            file, _ = self._place(number)
            upto = min(self._entry_count, self._next_file(number))
            last_file, last_at = self._place(upto - 1)
            if files.get(last_file, 0) < last_at + ENTRY_BYTES:
                return file
            number = upto
        return None

    def hollow(self) -> Plan:
        """After `restore` with a snapshot from another node: files that are long enough, and hold no entry.

        Such a snapshot comes without the entries, and without the log that they could be rebuilt from. What files an
        earlier life left must be removed before (`delete`): search relies on there being nothing in front of a hole.
        Whoever asks for an entry that is not there meets a DamageError, so `min_offset` should soon be behind the hole;
        it is when the snapshot is the one that the sender's log begins with.
        """
        plan: list[Operation] = []
        number = self.first_entry
        while number < self._entry_count:
            upto = min(self._entry_count, self._next_file(number))
            plan.append(Write(*self._place(upto - 1), _HOLE))
            number = upto
        self._synced_count = min(self._synced_count, self.first_entry)
        return tuple(plan)

    def check(self) -> None:
        """Raises: StateError when an invariant is broken."""
        if not self.first_entry <= self._flushed_count <= self._entry_count or self._tail_first > self._flushed_count:
            raise StateError(f"{self}: entry numbers out of order")
        if (
            len(self._tail) != len(self._tail_offsets) * ENTRY_BYTES
            or self._tail_first + len(self._tail_offsets) != self._entry_count
        ):
            raise StateError(f"{self}: the entries in memory are not the newest")
        if not 0 <= self._min_offset <= self._max_offset:
            raise StateError(f"{self}: offsets out of order")
        files = -(-self._entry_count // self._entries_per_file) - self.first_entry // self._entries_per_file
        if len(self._file_offsets) != files or self._file_offsets[:1] > [self._min_offset]:
            raise StateError(f"{self}: the files' first offsets {self._file_offsets} do not fit")

    def __repr__(self) -> str:
        offsets = f"offsets {self.min_offset} to {self._max_offset}"
        return f"<ConsumeQueue {self.topic}/{self.queue_id}: {offsets}, {self._entry_count} entries>"
