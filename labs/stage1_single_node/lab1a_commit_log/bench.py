"""A log on a simulated disk, driven by verbs and held against a plain list of what it must hold.

Everything here asks for nothing but the port of the log. After each verb what the log shows of itself is checked; after
each opening all that it holds is read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labs.grader.plans import disk_bytes
from labs.grader.seams import Make, drive_on
from labs.grader.suite import Run
from labs.stage1_single_node.lab1a_commit_log.contents import body, check_stored, kind_of
from labs.stage1_single_node.lab1a_commit_log.promises import broken
from labs.stage1_single_node.lab1a_commit_log.tails import LEFT_TORN, Opening, left_torn, no_damage
from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.log_view import Recovery, SegmentView, StoredEntry
from mq.broker.store.write_queue import WriteQueue
from mq.core.entry import Appended, Entry, HardState
from mq.core.errors import DamageError, FormatError, StateError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Plan, Remove, Sync, Write
from mq.sim.disk import SimDisk

if TYPE_CHECKING:
    from mq.broker.store.commit_log import CommitLog

__all__ = [
    "SEGMENT_BYTES", "Bench", "Found", "State", "Waiting", "body", "checked_plan", "open_log", "plans_of", "read_all",
]  # fmt: skip

SEGMENT_BYTES = 1024
_OPERATIONS_MAX, _REPAIRS_MAX = 256, 10_000
_BYTES_MAX = 1 << 21
"""Of all files that one plan makes or writes to."""
_ENTRIES_MAX = 10_000
_READ_BYTES = 1 << 20
NO_HARD_STATE = HardState(Term(0), None)
_WHO_SAYS_WHAT_IS_BEFORE = ", and methods `CommitLog.append` and `_Recovery._enter`"


@dataclass(frozen=True, slots=True)
class State:
    """What a log holds. entries: (term, payload) from index 1 on, also those that were dropped since."""

    entries: tuple[tuple[int, bytes], ...] = ()
    hard_state: HardState = NO_HARD_STATE


@dataclass(frozen=True, slots=True)
class Waiting:
    """An append whose plan is not carried out yet. kept: entries that it leaves in place; number: of the state behind it.

    proves: the state that is durable for sure when this group is found.
    """

    appended: Appended
    kept: int | None
    number: int
    proves: int


@dataclass(frozen=True, slots=True)
class Found:
    """A log that was opened. stored: its entries, from its first index on."""

    log: "CommitLog"
    recovery: Recovery
    stored: tuple[StoredEntry, ...]

    @property
    def entries(self) -> tuple[tuple[int, bytes], ...]:
        """(term, payload) of each."""
        return tuple((int(stored.entry.term), stored.entry.payload) for stored in self.stored)

    def agrees_with(self, state: State) -> bool:
        """Whether that is what it holds."""
        first = self.recovery.first_index
        return (
            self.recovery.last_index == len(state.entries)
            and self.entries == state.entries[first - 1 :]
            and self.recovery.hard_state == state.hard_state
        )

    def __str__(self) -> str:
        state = self.recovery.hard_state
        return f"entries {self.recovery.first_index} to {self.recovery.last_index}, term {state.term}, vote {state.vote}"


def checked_plan(plan: Plan, verb: str) -> Plan:
    """A plan that can be carried out: files of the log alone, and within reason. Raises: PromiseBrokenError."""
    expected = "every operation is on a file of the folder `log`, at a byte that a segment can have"
    if len(plan) > (_REPAIRS_MAX if verb == "recover" else _OPERATIONS_MAX):
        raise broken(1, expected="a plan is a handful of operations", found=f"`{verb}` returned {len(plan)}")
    for operation in plan:
        is_inside = operation.file.startswith("log/") and ".." not in operation.file
        if not (is_inside and 0 <= disk_bytes((operation,)) <= _BYTES_MAX):
            raise broken(1, expected=expected, found=f"`{verb}` returned {type(operation).__name__} of {operation.file[:60]!r}")
    if (total := disk_bytes(plan)) > _BYTES_MAX:
        raise broken(1, expected=f"a plan needs {_BYTES_MAX:,} bytes at most", found=f"`{verb}` returned one of {total:,}")
    return plan


def read_all(log: "CommitLog", disk: SimDisk) -> Iterator[StoredEntry]:
    """All entries, in order. Raises: PromiseBrokenError when one is missing or comes twice."""
    wanted = int(log.first_index)
    last = log.last_index
    if last - wanted > _ENTRIES_MAX:
        raise broken(6, expected="nothing is invented", found=f"the log says that it holds entries {wanted} to {last}")
    while wanted <= last:
        found: tuple[StoredEntry, ...] = drive_on(log, "entries", disk, LogIndex(wanted), last, _READ_BYTES)
        if not found:
            raise broken(5, expected=f"entry {wanted} is in the log", found="`entries` returned nothing")
        for stored in found:
            if stored.entry.index != wanted:
                raise broken(5, expected=f"entry {wanted} comes next", found=f"`entries` returned entry {stored.entry.index}")
            wanted += 1
            yield stored


def open_log(make: Make, disk: SimDisk, segment_bytes: int = SEGMENT_BYTES, checkpoint: Checkpoint | None = None) -> Found:
    """Open what lies on a disk, carry out the repairs, read everything. Raises: PromiseBrokenError, and what the log raises."""
    log: CommitLog = make(segment_bytes=segment_bytes)
    recovery: Recovery = drive_on(log, "recover", disk, disk.files(), checkpoint)
    if recovery.damage:
        if recovery.repairs:
            raise broken(8, expected="a damaged log has no repairs", found=f"`recover` returned {len(recovery.repairs)}")
        return Found(log, recovery, ())
    for operation in checked_plan(recovery.repairs, "recover"):
        disk.perform(operation)
    told = (recovery.first_index, recovery.last_index, recovery.hard_state)
    shown = (log.first_index, log.last_index, log.hard_state)
    if told != shown or log.durable_index != recovery.last_index:
        raise broken(
            6,
            expected=f"`recover` says {told}, and all that it found is durable now",
            found=f"the log shows {shown}, durable up to {log.durable_index}",
        )
    return Found(log, recovery, tuple(read_all(log, disk)))


def plans_of(waiting: Sequence[Waiting]) -> Iterator[Plan]:
    """As a host carries them out: appends to one file share a sync."""
    queue = WriteQueue()
    for each in waiting:
        queue.put(each.appended)
    while plan := queue.take():
        yield plan
        queue.done()


class Bench:
    """A log, its disk, and a list of states: what is durable, and one for each append that waits."""

    def __init__(self, make: Make, run: Run, segment_bytes: int = SEGMENT_BYTES, disk: SimDisk | None = None) -> None:
        self.make, self.run, self.segment_bytes = make, run, segment_bytes
        self.disk = disk or SimDisk()
        self.log: CommitLog = make(segment_bytes=segment_bytes)
        self.states = [State()]
        self.durable = 0
        self.proven: int | None = 0
        """The state that the log on the disk can prove to be durable; None when nobody knows, behind an opening."""
        self.first_index = 1
        self.waiting: list[Waiting] = []
        self.taken_back: list[State] = []
        """What a crash may bring back of appends that found no room: until something is written over their groups."""
        self.is_covered = False
        self.openings: list[Opening] = []
        self.show_disk()

    def show_disk(self) -> None:
        """From now on this log's disk is what is shown when something else than a promise breaks."""
        self.run.disks[:] = [("what is on the disk", self.disk)]

    # --- what must be

    @property
    def now(self) -> State:
        """What the log holds, durable or not."""
        return self.states[-1]

    def possible(self) -> list[State]:
        """What may be found after a crash: what is durable, or any state that was under way."""
        return [*self.states[self.durable :], *self.taken_back]

    @property
    def durable_index(self) -> int:
        """The last entry that is durable and that nothing that waits supersedes."""
        cuts = [waiting.kept for waiting in self.waiting if waiting.kept is not None]
        return min([len(self.states[self.durable].entries), *cuts])

    def check(self) -> None:
        """What the log shows of itself is what it must be."""
        last, state = len(self.now.entries), self.now
        if self.log.last_index != last:
            raise broken(4, expected=f"the last entry is {last}", found=f"`last_index` is {self.log.last_index}")
        if self.log.hard_state != state.hard_state:
            raise broken(4, expected=f"the newest hard state is {state.hard_state}", found=f"the log shows {self.log.hard_state}")
        if self.log.durable_index != self.durable_index:
            raise broken(
                4,
                expected=f"entries up to {self.durable_index} are durable",
                found=f"`durable_index` is {self.log.durable_index}",
            )
        if self.log.first_index != self.first_index:
            raise broken(13, expected=f"the log begins at {self.first_index}", found=f"`first_index` is {self.log.first_index}")

    def check_term(self, index: int, of_rule: int = 4, read: str = "") -> None:
        """One of the terms that the log knows."""
        term = self.now.entries[index - 1][0] if index else 0
        if index >= self.first_index - 1 and (shown := self.log.term_at(LogIndex(index))) != term:
            raise broken(of_rule, expected=f"entry {index} is of term {term}", found=f"`term_at` says {shown}", read=read)

    def segments(self, count: int = 1) -> Sequence[SegmentView]:
        """What the log shows of its files: so many of them at least, after what was appended."""
        views = self.log.segments()
        if len(views) < count:
            raise broken(3, expected=f"`segments` shows {count} or more", found=f"it shows {len(views)}")
        return views

    # --- verbs

    def plan(
        self, *payloads: bytes, after: int | None = None, term: int | None = None, hard_state: HardState | None = None
    ) -> Appended:
        """Append, and carry nothing out yet."""
        state = self.now
        behind = len(state.entries) if after is None else after
        in_term = term if term is not None else (state.entries[-1][0] if state.entries else 0)
        entries = [Entry(LogIndex(behind + 1 + n), Term(in_term), kind_of(p), p) for n, p in enumerate(payloads)]
        appended = self.log.append(LogIndex(behind), entries, hard_state)
        checked_plan(appended.plan, "append")
        kept = state.entries[:behind] + tuple((in_term, payload) for payload in payloads) if payloads else state.entries
        self.states.append(State(kept, hard_state or state.hard_state))
        is_superseding = bool(payloads) and behind < len(state.entries)
        self.waiting.append(Waiting(appended, behind if is_superseding else None, len(self.states) - 1, self.durable))
        if len(appended.places) != len(payloads):
            raise broken(
                2, expected=f"{len(payloads)} places for {len(payloads)} entries", found=f"there are {len(appended.places)}"
            )
        return appended

    def carry_out(self, count: int = 1) -> None:
        """The oldest appends become durable."""
        done = self.waiting[:count]
        for plan in plans_of(done):
            self.perform(plan)
        del self.waiting[:count]
        self.log.synced(done[-1].appended.sequence)
        self.durable, self.taken_back = done[-1].number, []
        self.proven = max([self.proven or 0, *(waiting.proves for waiting in done)])

    def append(
        self, *payloads: bytes, after: int | None = None, term: int | None = None, hard_state: HardState | None = None
    ) -> Appended:
        """Append, and wait until it is durable."""
        appended = self.plan(*payloads, after=after, term=term, hard_state=hard_state)
        self.carry_out(len(self.waiting))
        return appended

    def perform(self, plan: Plan) -> None:
        """Carry out a plan that is known to be one."""
        for operation in plan:
            self.disk.perform(operation)

    def mark(self) -> Plan:
        """The host has nothing to do."""
        plan = checked_plan(self.log.note_durable(), "note_durable")
        if any(not isinstance(operation, Write | Sync) for operation in plan):
            raise broken(11, expected="a mark is a write", found=f"`note_durable` returned {plan}")
        self.perform(plan)
        self.is_covered = not self.waiting
        if plan:
            self.proven = self.durable
        return plan

    def abandon_all(self) -> None:
        """There was no room: what waits is taken back, the newest first."""
        self.is_covered = False
        while self.waiting:
            self.log.abandon(self.waiting.pop().appended.sequence)
            self.states.pop()

    def refuse(self, operations: int) -> int:
        """Some operations of the oldest append are done, then all that waits is taken back. Returns how many were done."""
        plan, state = self.waiting[0].appended.plan, self.states[self.waiting[0].number]
        done = plan[: min(operations, len(plan) - 1)]
        self.perform(done)
        self.abandon_all()
        self.taken_back = [state] if done else []
        return len(done)

    def drop_before(self, index: int) -> Plan:
        """Retention. What goes are files; how many is looked at by those who know the segments."""
        durable = self.durable_index
        plan = checked_plan(self.log.drop_before(LogIndex(index)), "drop_before")
        if any(not isinstance(operation, Remove) for operation in plan):
            raise broken(13, expected="whole segments are removed", found=f"`drop_before` returned {plan}")
        first = int(self.log.first_index)
        if not self.first_index <= first <= max(self.first_index, min(index, durable + 1)):
            raise broken(
                13, expected=f"entries from {min(index, durable + 1)} on are kept", found=f"the log begins at {first} now"
            )
        if first > self.first_index and not plan:
            raise broken(13, expected="what is forgotten is removed", found="`drop_before` returned an empty plan")
        self.first_index = first
        self.perform(plan)
        return plan

    # --- crashes

    def reopened(self, disk: SimDisk, *, checkpoint: Checkpoint | None = None, why: str = "") -> State:
        """The process is started anew on this disk, and goes on there. Returns what it holds: all of that is durable now."""
        before = disk.copy()
        pictures = [("what the crash left on the disk", before)]
        try:
            found = open_log(self.make, disk, self.segment_bytes, checkpoint)
        except (DamageError, StateError, FormatError) as error:
            raise broken(
                6,
                expected=f"the log opens{why}",
                found=f"`recover` or `entries` raised {type(error).__name__}: {error}",
                disks=pictures,
            ) from error
        pictures.append(("after it was opened", disk.copy()))
        if found.recovery.damage:
            raise no_damage(found.recovery.damage[0], why, pictures, self.openings)
        state = self._agreeing(found, pictures, why)
        self.openings.append(Opening(before, pictures[-1][1]))
        check_stored(found.stored, disk)
        self.log, self.disk = found.log, disk
        self.states, self.durable, self.proven, self.waiting, self.taken_back = [state], 0, None, [], []
        self.first_index = found.recovery.first_index
        self.show_disk()
        self.check()
        self.check_term(len(state.entries), of_rule=6)
        self.check_term(self.first_index - 1, of_rule=13, read=_WHO_SAYS_WHAT_IS_BEFORE)
        return state

    def _agreeing(self, found: Found, pictures: Sequence[tuple[str, SimDisk]], why: str) -> State:
        for state in self.possible():
            if found.agrees_with(state) and found.recovery.first_index <= self.first_index:
                return state
        durable, newest = self.possible()[0], self.now
        first = f"from {self.first_index} " if self.first_index > 1 else ""
        facts = f"entries {first}up to {len(durable.entries)} and {_state(durable.hard_state)} were synced"
        if newest is not durable:
            facts += f", up to {len(newest.entries)} were under way"
        left = left_torn(self.openings)
        raise broken(
            6,
            expected=facts + why,
            found=f"the log that was opened holds {found}{_first_difference(found, self.possible())}",
            disks=[*left, *pictures],
            read=" and rule 13" if found.recovery.first_index > self.first_index else LEFT_TORN if left else "",
        )

    def copy_of_disk(self) -> SimDisk:
        """As it is, with all that is not durable."""
        return self.disk.copy()

    def fail_sync(self) -> None:
        """The next sync fails."""
        self.disk.failing_syncs = 1


def _state(state: HardState) -> str:
    return f"term {state.term}, vote {state.vote}"


def _first_difference(found: Found, possible: Sequence[State]) -> str:
    """Where the content differs although the ends agree."""
    for state in possible:
        first = found.recovery.first_index
        wanted = state.entries[first - 1 :]
        if len(wanted) == len(found.entries):
            for number, (here, there) in enumerate(zip(found.entries, wanted, strict=True)):
                if here != there:
                    is_there = f"entry {first + number} is {here[1][:24]!r} of term {here[0]}"
                    return f"; {is_there}, not {there[1][:24]!r} of term {there[0]}"
    return ""
