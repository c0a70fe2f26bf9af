"""A disk in memory, and a commit log on it, driven by verbs."""

from collections.abc import Callable
from typing import TypeVar, cast

from mq.broker.store.commit_log import Appended, Checkpoint, CommitLog, Recovery
from mq.core.entry import Entry, EntryKind, HardState
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Create, Operation, Read, Remove, Replace, Steps, Sync, Write, drive, perform

_T = TypeVar("_T")
SMALL_BYTES = 1152
"""A segment with room for three groups of one entry with 200 bytes."""
NO_HARD_STATE = HardState(Term(0), None)
Plain = tuple[int, int, bytes]
"""(index, term, payload) of an entry."""


class MemoryDisk:
    """Files as byte arrays. Counts what is read, and notes what is done."""

    def __init__(self) -> None:
        self.data: dict[str, bytearray] = {}
        self.read_bytes = 0
        self.reads: list[Read] = []
        self.done: list[Operation] = []

    def perform(self, operation: Operation) -> None:
        self.done.append(operation)
        match operation:
            case Create(file, size_bytes):
                self.data[file] = bytearray(size_bytes)
            case Write(file, at, data):
                content = self.data.setdefault(file, bytearray())
                content.extend(bytes(max(0, at - len(content))))
                content[at : at + len(data)] = data
            case Replace(file, data):
                self.data[file] = bytearray(data)
            case Remove(file):
                self.data.pop(file, None)
            case Sync(file):
                assert file in self.data

    def read(self, read: Read) -> bytes:
        found = bytes(self.data.get(read.file, b"")[read.at : read.at + read.size_bytes])
        self.read_bytes += len(found)
        self.reads.append(read)
        return found

    def files(self) -> dict[str, int]:
        return {file: len(content) for file, content in self.data.items()}

    def copy(self) -> "MemoryDisk":
        other = MemoryDisk()
        other.data = {file: content[:] for file, content in self.data.items()}
        return other

    def flip(self, file: str, at: int, bit: int = 0) -> None:
        self.data[file][at] ^= 1 << bit


def drive_with(steps: Steps[_T], disk: MemoryDisk, before_read: Callable[[int], None]) -> _T:
    """Run a reading core to its end; before each read, something else happens. Reads are numbered from 0."""
    number = 0
    try:
        read = next(steps)
        while True:
            before_read(number)
            read = steps.send(disk.read(read))
            number += 1
    except StopIteration as done:
        return cast(_T, done.value)


def entry(index: int, payload: bytes = b"", term: int = 0) -> Entry:
    return Entry(LogIndex(index), Term(term), EntryKind.COMMAND, payload)


class LogOnDisk:
    """A commit log and its disk."""

    def __init__(
        self, disk: MemoryDisk | None = None, *, segment_bytes: int = 4096, checkpoint: Checkpoint | None = None
    ) -> None:
        self.disk = disk or MemoryDisk()
        self.segment_bytes = segment_bytes
        self.log = CommitLog(segment_bytes=segment_bytes)
        self.recovery: Recovery = drive(self.log.recover(self.disk.files(), checkpoint), self.disk)
        perform(self.disk, self.recovery.repairs)
        if not self.recovery.damage:
            self.log.check()

    def plan(
        self, *payloads: bytes, after: int | None = None, term: int | None = None, hard_state: HardState | None = None
    ) -> Appended:
        """Append, and carry nothing out."""
        behind = self.log.last_index if after is None else after
        in_term = term if term is not None else int(self.log.term_at(LogIndex(behind)) or 0)
        entries = [entry(behind + 1 + i, payload, in_term) for i, payload in enumerate(payloads)]
        appended = self.log.append(LogIndex(behind), entries, hard_state)
        self.log.check()
        return appended

    def save(self, appended: Appended) -> Appended:
        """Carry out a plan."""
        perform(self.disk, appended.plan)
        self.log.synced(appended.sequence)
        self.log.check()
        return appended

    def append(
        self, *payloads: bytes, after: int | None = None, term: int | None = None, hard_state: HardState | None = None
    ) -> Appended:
        return self.save(self.plan(*payloads, after=after, term=term, hard_state=hard_state))

    def plan_reset(self, index: int, term: int, *, own_term: int | None = None, vote: int | None = None) -> Appended:
        """Reset, and carry nothing out."""
        hard_state = HardState(Term(term if own_term is None else own_term), vote)
        appended = self.log.reset(EntryId(Term(term), LogIndex(index)), hard_state)
        self.log.check()
        return appended

    def reset(self, index: int, term: int, *, own_term: int | None = None, vote: int | None = None) -> Appended:
        return self.save(self.plan_reset(index, term, own_term=own_term, vote=vote))

    def mark(self) -> None:
        perform(self.disk, self.log.note_durable())

    def reopened(self, *, checkpoint: Checkpoint | None = None) -> "LogOnDisk":
        """Another life on a copy of the disk."""
        return LogOnDisk(self.disk.copy(), segment_bytes=self.segment_bytes, checkpoint=checkpoint)

    def drop_before(self, index: int) -> None:
        perform(self.disk, self.log.drop_before(LogIndex(index)))
        self.log.check()

    def entries(self, first: int, last: int, bytes_max: int = 1 << 20) -> list[Plain]:
        found = drive(self.log.entries(LogIndex(first), LogIndex(last), bytes_max), self.disk)
        return [(int(e.index), int(e.term), e.payload) for e, _ in found]

    def everything(self) -> list[Plain]:
        """All entries; each is read by its place, too."""
        found: list[Plain] = []
        wanted = int(self.log.first_index)
        while wanted <= self.log.last_index:
            for stored, place in drive(self.log.entries(LogIndex(wanted), self.log.last_index, 1 << 20), self.disk):
                assert self.log.decode(place, self.disk.read(self.log.read(place))) == stored
                assert stored.index == wanted
                assert self.log.term_at(stored.index) == stored.term
                found.append((int(stored.index), int(stored.term), stored.payload))
                wanted += 1
        return found

    def payloads(self) -> list[bytes]:
        return [payload for _, _, payload in self.everything()]

    def flip(self, position: int) -> None:
        """Change a bit of the byte at a position of the log."""
        (view,) = [v for v in self.log.segments() if v.base_position <= position < v.base_position + v.size_bytes]
        self.disk.flip(view.file, position - view.base_position)

    def outline(self) -> list[tuple[str, int, int, int, bool]]:
        """Of each segment what is known also when opening passed over it."""
        return [(v.file, v.size_bytes, v.first_index, v.last_index, v.is_sealed) for v in self.log.segments()]

    def last_file(self) -> str:
        return self.log.segments()[-1].file


def numbered(first: int, last: int, term: int = 0, size_bytes: int = 4) -> list[Plain]:
    return [(number, term, body(number, size_bytes)) for number in range(first, last + 1)]


def body(number: int, size_bytes: int = 4) -> bytes:
    return b"%04d" % number + b"." * (size_bytes - 4)


def bodies(first: int, last: int, size_bytes: int = 4) -> list[bytes]:
    return [body(number, size_bytes) for number in range(first, last + 1)]
