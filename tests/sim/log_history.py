"""A commit log on a simulated disk, and what may be found of it after a crash."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mq.broker.store.commit_log import Appended, Checkpoint, CommitLog, Recovery
from mq.broker.store.snapshot import Snapshot, decode_snapshot, encode_snapshot, snapshot_file, snapshots_in
from mq.core.entry import Entry, EntryKind, HardState
from mq.core.errors import DiskFullError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan, Read, Replace, drive, perform
from mq.sim.crash import CrashPoint, CrashPoints
from mq.sim.disk import SimDisk

LogClass = Callable[..., CommitLog]
NO_HARD_STATE = HardState(Term(0), None)


@dataclass(frozen=True)
class LogState:
    """What a log holds. entries: all that ever counted, also those that `drop_before` removed since.

    reset_to: index of the entry behind which the last reset began the log.
    """

    entries: tuple[tuple[int, bytes], ...] = ()  # (term, payload); the first has index 1
    hard_state: HardState = NO_HARD_STATE
    reset_to: int = 0


@dataclass
class LogHistory:
    """Verbs over a log; with `on_state`, each state that a power loss can leave on the way is handed over."""

    segment_bytes: int = 2048
    log_class: LogClass = CommitLog
    disk: SimDisk = field(default_factory=SimDisk)
    points: CrashPoints | None = None
    on_state: Callable[["LogHistory", CrashPoint], None] | None = None

    def __post_init__(self) -> None:
        self.log = self.log_class(segment_bytes=self.segment_bytes)
        self.states = [LogState()]
        """What the log holds as of each append; the last one is what it holds now."""
        self.durable = 0
        """Number of the state that is durable."""
        self.first_index = 1
        self.waiting: list[tuple[Appended, int]] = []

    # --- verbs

    def plan_append(
        self, *payloads: bytes, after: int | None = None, term: int | None = None, hard_state: HardState | None = None
    ) -> Appended:
        """Append, without carrying anything out."""
        state = self.states[-1]
        behind = len(state.entries) if after is None else after
        in_term = term if term is not None else (state.entries[-1][0] if state.entries else 0)
        entries = [Entry(LogIndex(behind + 1 + i), Term(in_term), EntryKind.COMMAND, p) for i, p in enumerate(payloads)]
        appended = self.log.append(LogIndex(behind), entries, hard_state)
        kept = state.entries[:behind] + tuple((in_term, p) for p in payloads) if payloads else state.entries
        self.states.append(LogState(kept, hard_state or state.hard_state, state.reset_to))
        self.waiting.append((appended, len(self.states) - 1))
        return appended

    def plan_reset(self, index: int, term: int, hard_state: HardState) -> Appended:
        """Forget all entries up to one that a snapshot stands for, without carrying anything out."""
        appended = self.log.reset(EntryId(Term(term), LogIndex(index)), hard_state)
        self.states.append(LogState(((0, b""),) * (index - 1) + ((term, b""),), hard_state, index))
        self.waiting.append((appended, len(self.states) - 1))
        self.first_index = max(self.first_index, index + 1)
        return appended

    def reset(self, index: int, term: int, hard_state: HardState) -> None:
        """Forget all entries, and wait until that is durable."""
        self.carry_out(self.plan_reset(index, term, hard_state))

    def reset_on_full_disk(self, index: int, term: int, hard_state: HardState) -> None:
        """A reset that gets no segment: it is taken back."""
        self.disk.capacity_bytes, first_index = self.disk.used_bytes, self.first_index
        appended = self.plan_reset(index, term, hard_state)
        with suppress(DiskFullError):
            self.perform(appended.plan)
            raise AssertionError("the reset needed no room")
        self.log.abandon(appended.sequence)
        self.waiting.pop()
        self.states.pop()
        self.first_index, self.disk.capacity_bytes = first_index, None

    def carry_out(self, appended: Appended) -> None:
        """Carry out the oldest waiting append and tell the log."""
        waiting, number = self.waiting.pop(0)
        assert waiting is appended
        self.perform(appended.plan)
        self.log.synced(appended.sequence)
        self.durable = number
        if self.points is not None:
            self.points.forget()

    def append(
        self, *payloads: bytes, after: int | None = None, term: int | None = None, hard_state: HardState | None = None
    ) -> None:
        """Append, and wait until it is durable."""
        self.carry_out(self.plan_append(*payloads, after=after, term=term, hard_state=hard_state))

    def append_on_full_disk(self, *payloads: bytes) -> None:
        """An append that needs a new segment and gets none: it is taken back."""
        self.disk.capacity_bytes = self.disk.used_bytes
        appended = self.plan_append(*payloads)
        try:
            self.perform(appended.plan)
        except DiskFullError:
            self.log.abandon(appended.sequence)
            self.waiting.pop()
            self.states.pop()
        else:
            raise AssertionError("the append needed no room")
        self.disk.capacity_bytes = None

    def note_durable(self) -> None:
        self.perform(self.log.note_durable())

    def snapshot(self) -> None:
        """A snapshot as of the last durable entry, from which recovery may begin."""
        index = self.log.durable_index
        data = encode_snapshot(Snapshot(index, 0, self.log.checkpoint().to_bytes(), b"state"))
        self.perform((Replace(snapshot_file(index), data),))

    def drop_before(self, index: int) -> None:
        plan = self.log.drop_before(LogIndex(index))
        self.first_index = int(self.log.first_index)
        self.perform(plan)

    def perform(self, plan: Plan) -> None:
        if self.points is None or self.on_state is None:
            perform(self.disk, plan)
            return
        for point in self.points.during(self.disk, plan):
            self.on_state(self, point)

    # --- what is found

    def possible(self) -> Sequence[LogState]:
        """What may be found after a crash now: what is durable, or any that was under way."""
        return self.states[self.durable :]


@dataclass(frozen=True)
class Found:
    """A log that was opened: its state from `first_index` on, and how that went."""

    log: CommitLog
    recovery: Recovery
    entries: tuple[tuple[int, bytes], ...]

    @property
    def term_before(self) -> int | None:
        """The term of the entry before the first."""
        return self.log.term_at(LogIndex(self.recovery.first_index - 1))

    def agrees_with(self, state: LogState) -> bool:
        first = self.recovery.first_index
        return (
            self.recovery.last_index == len(state.entries)
            and first > state.reset_to
            and (first == 1 or self.term_before == state.entries[first - 2][0])
            and self.entries == state.entries[first - 1 :]
            and self.recovery.hard_state == state.hard_state
        )


def open_log(
    disk: SimDisk, *, segment_bytes: int = 2048, checkpoint: Checkpoint | None = None, log_class: LogClass = CommitLog
) -> Found:
    """Open what lies on a disk, carry out the repairs, read everything. Raises: what the log raises."""
    log = log_class(segment_bytes=segment_bytes)
    recovery = drive(log.recover(disk.files(), checkpoint), disk)
    if recovery.damage:
        return Found(log, recovery, ())
    perform(disk, recovery.repairs)
    log.check()
    return Found(log, recovery, tuple((int(e.term), e.payload) for e in all_entries(log, disk)))


def all_entries(log: CommitLog, disk: SimDisk) -> Iterator[Entry]:
    wanted = int(log.first_index)
    while wanted <= log.last_index:
        for entry, place in drive(log.entries(LogIndex(wanted), log.last_index, 1 << 20), disk):
            assert entry.index == wanted
            assert log.decode(place, disk.read(log.read(place))) == entry
            yield entry
            wanted += 1


def newest_checkpoint(disk: SimDisk) -> Checkpoint | None:
    files = disk.files()
    for _, file in snapshots_in(files):
        return Checkpoint.from_bytes(decode_snapshot(file, disk.read(Read(file, 0, files[file]))).checkpoint)
    return None
