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
        raise NotImplementedError("lab 1b: ConsumeQueue.append")

    def flush(self, *, sync: bool = False) -> Plan:
        """What brings the entries from `flushed_count` on into files; call `flushed` when it is carried out.

        sync: make all that is in files durable, also what earlier calls brought there.
        """
        raise NotImplementedError("lab 1b: ConsumeQueue.flush")

    def flushed(self, entry_count: int, *, is_synced: bool = False) -> None:
        """The entries below this number are in files now; all but the newest leave the memory.

        is_synced: the plan was one with `sync`; without it the next such plan syncs these files again.
        """
        raise NotImplementedError("lab 1b: ConsumeQueue.flushed")

    def drop_before(self, offset: QueueOffset) -> Plan:
        """Retention: the queue begins at `offset` (brought into its range). Files that hold only older entries go."""
        raise NotImplementedError("lab 1b: ConsumeQueue.drop_before")

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
        raise NotImplementedError("lab 1b: ConsumeQueue._entries")

    def offset_at(self, store_ms: int) -> Steps[QueueOffset]:
        """The first offset stored at or after a wall time; `max_offset` when there is none. Raises: DamageError."""
        return (yield from self._steadily(lambda: self._offset_at(store_ms)))

    def _offset_at(self, store_ms: int) -> Steps[QueueOffset]:
        """See `offset_at`."""
        raise NotImplementedError("lab 1b: ConsumeQueue._offset_at")

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
        raise NotImplementedError("lab 1b: ConsumeQueue._find")

    def _look(self, number: int) -> Steps[QueueEntry | None]:
        """One entry by number; None for a hole."""
        if number >= self._tail_first:
            return QueueEntry._make(_FIELDS.unpack_from(self._tail, (number - self._tail_first) * ENTRY_BYTES))
        file, at = self._place(number)
        data = yield Read(file, at, ENTRY_BYTES)
        return None if data == _HOLE else self._verified(file, at, data)

    def _run(self, first: int, upto: int) -> Steps[tuple[QueueEntry, ...]]:
        """Entries `first` up to, not including, `upto`, by number. Raises: DamageError, also where one does not follow."""
        raise NotImplementedError("lab 1b: ConsumeQueue._run")

    def _verified(self, file: str, at: int, data: bytes) -> QueueEntry:
        """The entry in what was read at a place. Raises: DamageError when it is cut short, a hole, or not what was written."""
        raise NotImplementedError("lab 1b: ConsumeQueue._verified")

    def _place(self, number: int) -> tuple[str, int]:
        """File and byte of an entry by its number."""
        raise NotImplementedError("lab 1b: ConsumeQueue._place")

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
        raise NotImplementedError("lab 1b: ConsumeQueue.restore")

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
        raise NotImplementedError("lab 1b: ConsumeQueue.missing")

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
