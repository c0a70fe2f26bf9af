"""The commit log: the one place where messages and commands are written.

With one node it is the broker's log, in a group the same class is the Raft log's storage. It plans and a host
does: `append` returns what to write and sync, `entries` asks for what it wants to read. Written groups are
never changed: a later group with a lower index and a higher term *supersedes* everything from that index on,
also when the log is read again after a crash. Paper: Raft, section 5.3.

RocketMQ: CommitLog, MappedFileQueue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple
from zlib import crc32

from mq.broker.store.log_map import LogMap
from mq.broker.store.record import (
    GROUP_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    decode_record,
    encode_group,
    encode_segment_header,
)
from mq.broker.store.segment import Segment
from mq.core.entry import Entry, HardState, RecordPlace
from mq.core.errors import DamageError, FormatError, StateError
from mq.core.ids import CommitLogPosition, LogIndex, Term
from mq.core.ports import Create, Operation, Plan, Read, Remove, Steps, Sync, Write

__all__ = ["Appended", "Checkpoint", "CommitLog", "Damage", "Recovery", "SegmentView", "StoredEntry", "TornTail"]

_SEGMENT_BYTES = 64 << 20


class StoredEntry(NamedTuple):
    """An entry, and where it lies."""

    entry: Entry
    place: RecordPlace


@dataclass(frozen=True, slots=True)
class Appended:
    """What `append` came to. plan: to be carried out; places: of the entries' records; sequence: for `synced`."""

    plan: Plan
    places: tuple[RecordPlace, ...]
    sequence: int


@dataclass(frozen=True, slots=True)
class SegmentView:
    """One segment file. first_index: of the entry that comes first in it; last_index: first_index - 1 when it has none."""

    file: str
    base_position: int
    size_bytes: int
    first_index: int
    last_index: int
    is_sealed: bool
    written_bytes: int


@dataclass(frozen=True, slots=True)
class TornTail:
    """What a crash left of a write that was never synced. size_bytes: from `at` to the last byte that is not zero."""

    file: str
    at: int
    size_bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Damage:
    """Synced bytes that are not what was written.

    first_index: of the first entry that is affected. resumes_at: position of the next group that is whole, or None.
    """

    file: str
    at: int
    position: int
    reason: str
    first_index: int
    resumes_at: int | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening a log came to. repairs: to be carried out before anything else."""

    first_index: int
    last_index: int
    last_term: int
    hard_state: HardState
    end_position: int
    durable_end: int
    torn: TornTail | None
    damage: tuple[Damage, ...]
    repairs: Plan
    scanned_bytes: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place from which a later recovery may begin: everything before `position` is durable.

    terms: (first index, term) of each run of entries with one term. heads: (base position, index) of each segment
    and the lowest entry that it holds, which is below the one it began with where entries were superseded.
    """

    position: int
    next_index: int
    hard_state: HardState
    terms: tuple[tuple[int, int], ...]
    heads: tuple[tuple[int, int], ...]

    def to_bytes(self) -> bytes:
        """With version and checksum."""
        state = self.hard_state
        numbers = [self.position, self.next_index, state.term, 0 if state.vote is None else state.vote + 1, len(self.terms)]
        numbers += [number for pair in self.terms + self.heads for number in pair]
        body = Struct(f"<B{len(numbers)}Q").pack(1, *numbers)
        return body + crc32(body).to_bytes(4, "little")

    @classmethod
    def from_bytes(cls, data: bytes) -> "Checkpoint":
        """Raises: DamageError, FormatError."""
        body, checksum = data[:-4], int.from_bytes(data[-4:], "little")
        if len(body) < 41 or (len(body) - 1) % 8 or crc32(body) != checksum:
            raise DamageError("checkpoint", 0, "the checkpoint of the commit log is damaged")
        try:
            version, position, next_index, term, vote, runs, *rest = Struct(f"<B{(len(body) - 1) // 8}Q").unpack(body)
        except struct_error as error:
            raise DamageError("checkpoint", 0, f"the checkpoint of the commit log is damaged: {error}") from error
        if version != 1:
            raise FormatError(f"checkpoint version {version} is not known to this program (it knows 1)")
        pairs = tuple(zip(rest[::2], rest[1::2], strict=True))
        return cls(position, next_index, HardState(Term(term), vote - 1 if vote else None), pairs[:runs], pairs[runs:])


@dataclass(slots=True)
class _Waiting:
    """An append that is not durable yet. end_position, last_index: of the log behind it."""

    sequence: int
    end_position: int
    last_index: int


@dataclass(slots=True)
class _Before:
    """The log as it was before an append, for `abandon`."""

    sequence: int
    last_index: int
    durable_index: int
    hard_state: HardState
    segments: list[Segment]
    end_positions: list[int]
    log_map: LogMap | None
    points: int
    runs: int
    last_indexes: list[int] = field(default_factory=list)


class CommitLog:
    """Entries by index, records by place.

    Invariants (`check`): segments follow each other without a gap; first_index <= last_index + 1;
    durable_index <= last_index; durable_end <= end_position; each append's group lies in one segment.
    """

    def __init__(self, *, segment_bytes: int = _SEGMENT_BYTES) -> None:
        self._segment_bytes = segment_bytes
        self._segments: list[Segment] = []
        self._map = LogMap()
        self.first_index, self.last_index = LogIndex(1), LogIndex(0)
        self.durable_index = LogIndex(0)
        self.durable_end = CommitLogPosition(0)
        self.hard_state = HardState(Term(0), None)
        self.damage: tuple[Damage, ...] = ()
        self._noted_end = 0
        self._sequence = 0
        self._waiting: list[_Waiting] = []
        self._undo: _Before | None = None

    # --- what is there

    @property
    def is_damaged(self) -> bool:
        """Whether synced bytes were found damaged; nothing is appended then."""
        return bool(self.damage)

    @property
    def end_position(self) -> CommitLogPosition:
        """Behind the last group."""
        return CommitLogPosition(self._segments[-1].end_position if self._segments else 0)

    @property
    def first_position(self) -> CommitLogPosition:
        """Where the oldest segment begins."""
        return CommitLogPosition(self._segments[0].base_position if self._segments else 0)

    @property
    def last_term(self) -> Term:
        """Of the last entry; 0 with an empty log."""
        return self.term_at(self.last_index) or Term(0)

    def term_at(self, index: LogIndex) -> Term | None:
        """The term of an entry or of the one before the first; None for what is not there."""
        if index == 0:
            return Term(0)
        if not self.first_index - 1 <= index <= self.last_index:
            return None
        term = self._map.term_at(index)
        return None if term is None else Term(term)

    def segments(self) -> tuple[SegmentView, ...]:
        """The segment files, the oldest first."""
        views = []
        for number, s in enumerate(self._segments):
            following = self._segments[number + 1] if number + 1 < len(self._segments) else None
            last = min(following.next_index - 1, self.last_index) if following else self.last_index
            views.append(
                SegmentView(
                    s.file,
                    s.base_position,
                    s.size_bytes,
                    s.next_index,
                    last,
                    following is not None,
                    s.end_position - s.base_position,
                )
            )
        return tuple(views)

    # --- writing

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        """Add entries behind `after_index` as one group, superseding what follows it; durable after `synced`.

        hard_state: saved in the same step; entries may be empty then.
        Raises: StateError when the entries do not fit, or supersede without a higher term; DamageError.
        """
        self._check_append(after_index, entries, hard_state)
        is_supersede = after_index < self.last_index and bool(entries)
        size = sum(RECORD_HEADER_BYTES + len(e.payload) for e in entries) + 128
        is_roll = not self._segments or not self._segments[-1].has_room(size)
        self._remember(is_costly=is_supersede or is_roll)
        plan: list[Operation] = []
        if is_roll:
            self._roll(size, plan)
        segment = self._segments[-1]
        position = segment.end_position
        data, sizes = encode_group(position, self.durable_end, entries, hard_state)
        plan += (Write(segment.file, position - segment.base_position, data), Sync(segment.file))
        places = []
        at = position + GROUP_HEADER_BYTES
        for record_bytes in sizes:
            places.append(RecordPlace(CommitLogPosition(at), record_bytes))
            at += record_bytes
        segment.end_position = position + len(data)
        self._noted_end = self.durable_end
        if entries:
            self._enter(after_index, entries, position, segment, is_supersede=is_supersede)
        if hard_state is not None:
            self.hard_state = hard_state
        self._sequence += 1
        self._waiting.append(_Waiting(self._sequence, segment.end_position, self.last_index))
        return Appended(tuple(plan), tuple(places), self._sequence)

    def _check_append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None) -> None:
        if self.damage:
            first = self.damage[0]
            raise DamageError(first.file, first.at, f"nothing is appended to a damaged log: {first.reason}", first.position)
        if not entries and hard_state is None:
            raise StateError("an append without entries and without hard state")
        if not entries:
            return
        if not self.first_index - 1 <= after_index <= self.last_index:
            raise StateError(f"entries behind index {after_index}: the log holds {self.first_index} to {self.last_index}")
        term = self.term_at(after_index) or 0
        for number, entry in enumerate(entries):
            if entry.index != after_index + 1 + number or entry.term < term:
                raise StateError(
                    f"entry {entry.index} of term {entry.term} cannot stand behind {after_index + number} of term {term}"
                )
            term = entry.term
        if after_index < self.last_index and entries[0].term <= (self.term_at(LogIndex(after_index + 1)) or 0):
            raise StateError(f"entry {entries[0].index} of term {entries[0].term} supersedes one of the same or a higher term")

    def _enter(self, after_index: int, entries: Sequence[Entry], position: int, segment: Segment, *, is_supersede: bool) -> None:
        if is_supersede:
            self._map.cut(after_index + 1, is_supersede=True)
            self.durable_index = LogIndex(min(self.durable_index, after_index))
            for waiting in self._waiting:
                waiting.last_index = min(waiting.last_index, after_index)
            for later in self._segments:
                later.next_index = min(later.next_index, after_index + 1)
        self._map.add_group(entries[0].index, position, is_segment_head=position == segment.base_position + SEGMENT_HEADER_BYTES)
        for entry in entries:
            self._map.add_term(entry.index, entry.term)
        self.last_index = entries[-1].index

    def _roll(self, group_bytes: int, plan: list[Operation]) -> None:
        """Begin a new segment. Everything in the old one is durable before the new one exists."""
        base = 0
        if self._segments:
            old = self._segments[-1]
            data, _ = encode_group(old.end_position, self.durable_end, (), ends_segment=True)
            plan += (Write(old.file, old.end_position - old.base_position, data), Sync(old.file))
            base = old.base_position + old.size_bytes
            durable_end = old.end_position + len(data)
            old.end_position = durable_end
        else:
            durable_end = 0
        size_bytes = max(self._segment_bytes, SEGMENT_HEADER_BYTES + group_bytes + 2 * GROUP_HEADER_BYTES)
        size_bytes += -size_bytes % 8
        segment = Segment(base, size_bytes, self.last_index + 1, base + SEGMENT_HEADER_BYTES)
        header = SegmentHeader(base, size_bytes, self.last_index + 1, self.last_term, durable_end, self.hard_state)
        plan += (Create(segment.file, size_bytes), Write(segment.file, 0, encode_segment_header(header)))
        self._segments.append(segment)

    def synced(self, sequence: int) -> None:
        """The plans up to this one are carried out: what they hold is durable."""
        while self._waiting and self._waiting[0].sequence <= sequence:
            waiting = self._waiting.pop(0)
            self.durable_end = CommitLogPosition(max(self.durable_end, waiting.end_position))
            self.durable_index = LogIndex(waiting.last_index)
        self._undo = None if self._undo is not None and self._undo.sequence <= sequence else self._undo

    def note_durable(self) -> Plan:
        """A mark that says how far everything is durable, so that damage can be told from a torn write also at the very end.

        Need not be synced itself. Empty when the newest group says so already, or while something waits.
        """
        if self._waiting or not self._segments or self._noted_end >= self.durable_end or self.damage:
            return ()
        segment = self._segments[-1]
        if not segment.has_room(0):
            return ()
        data, _ = encode_group(segment.end_position, self.durable_end, ())
        write = Write(segment.file, segment.end_position - segment.base_position, data)
        segment.end_position += len(data)
        self._noted_end = self.durable_end
        return (write,)

    # --- taking back

    def _remember(self, *, is_costly: bool) -> None:
        self._undo = _Before(
            self._sequence + 1, self.last_index, self.durable_index, self.hard_state, list(self._segments),
            [s.end_position for s in self._segments[-1:]], self._map.copy() if is_costly else None, len(self._map.indexes),
            len(self._map.run_indexes), [w.last_index for w in self._waiting],
        )  # fmt: skip
        if is_costly:
            self._undo.segments = [s.copy() for s in self._segments]

    def abandon(self, sequence: int) -> None:
        """The host could not begin with the newest append (the disk is full): the log is as it was before it.

        Raises: StateError for any other than the newest.
        """
        before = self._undo
        if before is None or sequence != before.sequence or sequence != self._sequence:
            raise StateError(f"append {sequence} cannot be taken back: it is not the newest, or it is durable")
        self._waiting.pop()
        for waiting, last_index in zip(self._waiting, before.last_indexes, strict=True):
            waiting.last_index = last_index
        self.last_index, self.durable_index, self.hard_state = (
            LogIndex(before.last_index),
            LogIndex(before.durable_index),
            before.hard_state,
        )
        self._segments = before.segments
        if before.log_map is not None:
            self._map = before.log_map
        else:
            self._segments[-1].end_position = before.end_positions[0]
            del self._map.indexes[before.points :], self._map.positions[before.points :]
            del self._map.run_indexes[before.runs :], self._map.run_terms[before.runs :]
        self._undo = None

    # --- reading

    def _find_segment(self, position: int) -> Segment | None:
        low, high = 0, len(self._segments)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._segments[middle].base_position <= position else (low, middle)
        found = self._segments[low] if self._segments else None
        return found if found and found.base_position <= position < found.base_position + found.size_bytes else None

    def segment_at(self, position: int) -> Segment:
        """The segment that holds a position. Raises: StateError."""
        segment = self._find_segment(position)
        if segment is None:
            raise StateError(f"position {position} is not in the log: it begins at {self.first_position}")
        return segment

    def segment_behind(self, segment: Segment) -> Segment:
        """The segment that follows another. Raises: StateError."""
        return self.segment_at(segment.base_position + segment.size_bytes)

    def locate(self, index: LogIndex) -> tuple[int, int | None]:
        """(position of a group at or before an entry, index up to which that way leads; None = to the end)."""
        return self._map.find(index)

    def learn(self, segment: Segment, points: list[tuple[int, int]]) -> None:
        """(index, position) of groups in a segment that recovery passed over."""
        segment.is_mapped = True
        self._map.replace(segment.base_position, segment.base_position + segment.size_bytes, points)

    def read(self, place: RecordPlace) -> Read:
        """What to read for the record at a place. Raises: StateError when it is not in the log (any more)."""
        segment = self.segment_at(place.position)
        return Read(segment.file, place.position - segment.base_position, place.size_bytes)

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        """Verify a record that was read, and decode it. Raises: DamageError naming file and byte; FormatError."""
        entry = decode_record(data)
        if entry is None:
            read = self.read(place)
            what = "cut short" if len(data) < place.size_bytes else "damaged: its checksum is wrong"
            raise DamageError(read.file, read.at, f"the record is {what}", place.position)
        return entry

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        """Entries `first` to `last` in order, about `bytes_max` bytes of them but at least one; verified.

        Raises: StateError when `first` is not kept any more or not yet there; DamageError.
        """
        if not self.first_index <= first <= last <= self.last_index:
            raise StateError(f"entries {first} to {last}: the log holds {self.first_index} to {self.last_index}")
        from mq.broker.store.scan import read_entries  # noqa: PLC0415 - scan needs this module's words

        return (yield from read_entries(self, first, last, bytes_max))

    # --- checkpoints and retention

    def checkpoint(self) -> Checkpoint:
        """Where a later recovery may begin: behind everything that is durable now."""
        terms = tuple(zip(self._map.run_indexes, self._map.run_terms, strict=True))
        position, next_index = self.durable_end, self.durable_index + 1
        if position == 0 and self._segments:
            position = CommitLogPosition(self._segments[0].base_position)
        kept = tuple((index, term) for index, term in terms if index < next_index)
        heads = tuple((s.base_position, s.next_index) for s in self._segments if s.base_position <= position)
        return Checkpoint(position, next_index, self.hard_state, kept, heads)

    def drop_before(self, index: LogIndex) -> Plan:
        """Remove whole segments all of whose entries are below `index`; never the last one."""
        plan: list[Operation] = []
        while (
            len(self._segments) > 1
            and self._segments[1].next_index <= index
            and self._segments[1].base_position <= self.durable_end
        ):
            gone = self._segments.pop(0)
            plan.append(Remove(gone.file))
            self.first_index = LogIndex(self._segments[0].next_index)
        if plan:
            self._map.drop_before(self.first_index, self._segments[0].base_position)
        return tuple(plan)

    # --- opening

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        """Find out what is there. Call it once, before anything else, and carry out `Recovery.repairs`.

        files: of the data folder, with sizes. checkpoint: the part before it is not read.
        Raises: FormatError when something was written by a newer program; nothing is touched then.
        """
        from mq.broker.store.recovery import recover_log  # noqa: PLC0415 - recovery needs this module's words

        return (yield from recover_log(self, files, checkpoint))

    def check(self) -> None:
        """Raises: StateError when an invariant is broken."""
        for one, two in zip(self._segments, self._segments[1:], strict=False):
            if one.base_position + one.size_bytes != two.base_position or one.next_index > two.next_index:
                raise StateError(f"segments {one.file} and {two.file} do not follow each other")
        if (
            not self.first_index <= self.last_index + 1
            or self.durable_index > self.last_index
            or self.durable_end > self.end_position
        ):
            raise StateError("the ends of the log are out of order")
        for rising in (self._map.indexes, self._map.positions, self._map.run_indexes):
            if any(a >= b for a, b in zip(rising, rising[1:], strict=False)):
                raise StateError("the map of the log is out of order")
