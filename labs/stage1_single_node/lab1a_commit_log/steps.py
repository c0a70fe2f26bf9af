"""What can befall a log: the steps that schedules are made of.

A step is plain data and speaks of the log as it is when its turn comes ("append two entries behind the last", "supersede
the last three"), so
that a schedule stays one when any of its steps are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from labs.grader.seams import drive_on
from labs.stage1_single_node.lab1a_commit_log.bench import Bench, body, open_log, plans_of
from labs.stage1_single_node.lab1a_commit_log.contents import check_stored
from labs.stage1_single_node.lab1a_commit_log.promises import broken
from mq.core.entry import HardState
from mq.core.errors import DamageError, DiskError, DiskFullError, FormatError, StateError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Create, Operation, Sync
from mq.sim.crash import after_power_loss, draw_survival
from mq.sim.disk import SimDisk

__all__ = [
    "Append", "CarryOut", "Crash", "Drop", "FailedSync", "Flip", "FullDisk", "Mark", "NoRoom", "Read", "Step", "Supersede",
    "Vote",
]  # fmt: skip

_WAITING_MAX = 6


def _payloads(bench: Bench, sizes: Sequence[int]) -> list[bytes]:
    """Numbered over all of a schedule."""
    made = []
    for size in sizes:
        bench.run.met["payloads"] += 1
        made.append(body(bench.run.met["payloads"], size))
    return made


def _entries(first: int, count: int) -> str:
    return f"entry {first}" if count == 1 else f"entries {first} to {first + count - 1}"


def _short(file: str) -> str:
    """A file's name as pictures have it."""
    name = file.removeprefix("log/").lstrip("0")
    return name if name != ".log" else "0.log"


@dataclass(frozen=True, slots=True)
class Append:
    """Behind the last entry; carried out later. term_step: a new leader's first entries are of a later term."""

    sizes: tuple[int, ...]
    term_step: int = 0

    def do(self, bench: Bench) -> None:
        if len(bench.waiting) >= _WAITING_MAX:
            return
        state = bench.now
        term = (state.entries[-1][0] if state.entries else 0) + self.term_step
        hard_state = HardState(Term(max(term, state.hard_state.term)), None) if self.term_step else None
        first, had = len(state.entries) + 1, len(bench.states) > 1 or len(state.entries) > 0
        bench.run.tell(f"append {_entries(first, len(self.sizes))}, of {_sizes(self.sizes)} bytes, term {term}")
        plan = bench.plan(*_payloads(bench, self.sizes), term=term, hard_state=hard_state).plan
        bench.run.met["segments"] += had and any(isinstance(operation, Create) for operation in plan)


def _sizes(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))


@dataclass(frozen=True, slots=True)
class Supersede:
    """Another leader's entries take the place of the last `back` ones. is_low: they are of a lower term."""

    sizes: tuple[int, ...]
    back: int
    is_low: bool = False

    def do(self, bench: Bench) -> None:
        entries, own = bench.now.entries, bench.now.hard_state.term
        after = max(bench.first_index - 1, len(entries) - self.back)
        if after >= len(entries) or len(bench.waiting) >= _WAITING_MAX or (after == bench.first_index - 1 and after > 0):
            return
        replaced = {term for term, _ in entries[after:]}
        lowest = entries[after - 1][0] if after else 0
        possible = [term for term in range(lowest, own + 1) if term not in replaced]
        new = max(own, *replaced, lowest) + 1
        term = possible[0] if possible and self.is_low else new
        last = after + len(self.sizes)
        bench.run.tell(f"append another {_entries(after + 1, last - after)}, of {_sizes(self.sizes)} bytes, term {term}")
        hard_state = HardState(Term(term), None) if term == new else None
        bench.plan(*_payloads(bench, self.sizes), after=after, term=term, hard_state=hard_state)
        bench.check_term(last)
        bench.check_term(after)
        bench.run.met["superseded"] += 1


@dataclass(frozen=True, slots=True)
class Vote:
    """Term and vote are saved, without an entry."""

    vote: int

    def do(self, bench: Bench) -> None:
        if len(bench.waiting) < _WAITING_MAX:
            term = max(bench.now.hard_state.term, bench.now.entries[-1][0] if bench.now.entries else 0)
            bench.run.tell(f"save the vote for node {self.vote} in term {term}")
            bench.plan(hard_state=HardState(Term(term), self.vote))


@dataclass(frozen=True, slots=True)
class CarryOut:
    """The oldest appends that wait become durable, so many at once."""

    count: int

    def do(self, bench: Bench) -> None:
        if bench.waiting:
            count = min(self.count, len(bench.waiting))
            bench.carry_out(count)
            bench.run.tell(f"carried out and synced: {count} append(s); entries up to {bench.durable_index} are durable")


@dataclass(frozen=True, slots=True)
class Mark:
    """The host has nothing to do."""

    def do(self, bench: Bench) -> None:
        if bench.mark():
            bench.run.tell("a mark is written")
            bench.run.met["marks"] += 1


@dataclass(frozen=True, slots=True)
class Drop:
    """Retention, up to some of the entries. share: of those that are kept, in percent."""

    share: int

    def do(self, bench: Bench) -> None:
        index = bench.first_index + (bench.log.last_index + 1 - bench.first_index) * self.share // 100
        before, what = bench.first_index, f"drop what is before entry {index}"
        try:
            plan = bench.drop_before(index)
        except Exception:
            bench.run.tell(what)
            raise
        # Also when the log begins where it began: the step that took a file away must be in the story.
        gone = ", ".join(_short(operation.file) for operation in plan)
        told = f"{gone} removed, the log begins at {bench.first_index}" if gone else "nothing goes"
        bench.run.tell(f"{what}: {told}")
        bench.run.met["dropped"] += bench.first_index > before


@dataclass(frozen=True, slots=True)
class Read:
    """A run of entries that are on the disk is read and compared. from_share, to_share: where, in percent."""

    from_share: int
    to_share: int
    bytes_max: int

    def do(self, bench: Bench) -> None:
        first, last = bench.first_index, bench.durable_index
        if last < first:
            return
        begin = first + (last - first) * min(self.from_share, self.to_share) // 100
        end = first + (last - first) * max(self.from_share, self.to_share) // 100
        bench.run.tell(f"read entries {begin} to {end}, about {self.bytes_max} bytes")
        found = drive_on(bench.log, "entries", bench.disk, LogIndex(begin), LogIndex(end), self.bytes_max)
        wanted = [(begin + n, *one) for n, one in enumerate(bench.now.entries[begin - 1 : begin - 1 + len(found)])]
        got = [(int(stored.entry.index), int(stored.entry.term), stored.entry.payload) for stored in found]
        if got != wanted or not 0 < len(got) <= end - begin + 1:
            raise broken(5, expected=f"entries from {begin} on", found=f"`entries` returned {_shown(got, wanted)}")
        check_stored(found, bench.disk)


def _shown(got: Sequence[tuple[int, int, bytes]], wanted: Sequence[tuple[int, int, bytes]]) -> str:
    for here, there in zip(got, wanted, strict=False):
        if here != there:
            return f"{here[2][:16]!r} of term {here[1]} as entry {here[0]}, not {there[2][:16]!r} of term {there[1]}"
    return f"{len(got)} entries"


@dataclass(frozen=True, slots=True)
class FullDisk:
    """There is no room for a new file: the append that needs one, and what waits behind it, are taken back."""

    sizes: tuple[int, ...]

    def do(self, bench: Bench) -> None:
        if bench.waiting:
            bench.carry_out(len(bench.waiting))
        bench.disk.capacity_bytes = bench.disk.used_bytes
        bench.run.tell(f"the disk is full; append {len(self.sizes)} group(s) of {_sizes(self.sizes)} bytes")
        for payload in _payloads(bench, self.sizes):
            bench.plan(payload)
        try:
            while bench.waiting:
                bench.carry_out()
        except DiskFullError:
            bench.run.tell(f"no room: {len(bench.waiting)} append(s) are taken back")
            bench.abandon_all()
            bench.run.met["full"] += 1
        bench.disk.capacity_bytes = None


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The oldest append that waits is begun, and finds no room half way. operations: of its plan, so many are done."""

    operations: int

    def do(self, bench: Bench) -> None:
        if not bench.waiting:
            return
        count = len(bench.waiting)
        done = bench.refuse(self.operations)
        bench.run.tell(f"the disk is full after {done} operation(s); {count} append(s) are taken back, the newest first")
        bench.run.met["full"] += 1


@dataclass(frozen=True, slots=True)
class Crash:
    """The power is lost (or the process killed) after some operations of what waits. chance: draws what is left."""

    chance: int
    operations: int
    is_kill: bool = False

    def do(self, bench: Bench) -> None:
        plans: list[Operation] = [operation for plan in plans_of(bench.waiting) for operation in plan]
        done = plans[: self.operations]
        bench.perform(tuple(done))
        what = "the process is killed" if self.is_kill else "the power is lost"
        bench.run.tell(f"{what} after {len(done)} of {len(plans)} operations that wait; the log is opened")
        bench.run.met["crashes"] += 1
        if self.is_kill and bench.is_covered:
            bench.taken_back = []  # the mark stands where they stood, and a kill loses nothing that was written
        left = bench.disk if self.is_kill else after_power_loss(bench.disk, draw_survival(bench.disk, Random(self.chance)))
        durable = bench.states[bench.durable]
        bench.run.met["crashes that left more than was durable"] += bench.reopened(left) is not durable
        bench.run.met["crashes in a plan"] += 0 < len(done) < len(plans)


@dataclass(frozen=True, slots=True)
class FailedSync:
    """A sync fails; the process ends and is started anew, and builds on what it reads. number: which one of the append's."""

    number: int = 1

    def do(self, bench: Bench) -> None:
        if not bench.waiting:
            return
        which = "" if self.number == 1 else f"{self.number}. "
        bench.run.tell(f"the {which}sync of the oldest append fails; the process ends, and the log is opened")
        plan = bench.waiting[0].appended.plan
        syncs = [number for number, operation in enumerate(plan) if isinstance(operation, Sync)]
        at = syncs[min(self.number, len(syncs)) - 1] if syncs else len(plan)
        bench.perform(plan[:at])
        bench.fail_sync()
        try:
            bench.perform(plan[at:])
        except DiskError:
            bench.run.met["failed syncs"] += 1
        bench.disk.failing_syncs = 0
        bench.reopened(bench.disk)


@dataclass(frozen=True, slots=True)
class Flip:
    """On a copy of the disk one bit of what was written changes. where: a number that chooses it."""

    where: int

    def do(self, bench: Bench) -> None:
        disk = bench.copy_of_disk()
        sizes = {file: len(content.rstrip(b"\0")) for file, content in disk.contents().items()}
        total = sum(sizes.values())
        if not total or bench.waiting or bench.taken_back or bench.proven is None:
            return
        at = self.where % total
        for file, size in sizes.items():
            if at < size:
                bench.run.tell(f"on a copy of the disk, bit {self.where % 8} of byte {at} of {file} changes; the copy is opened")
                bench.run.met[f"flips {judge_flip(bench, disk, file, at, self.where % 8)}"] += 1
                bench.run.met["flips"] += 1
                return
            at -= size


def judge_flip(bench: Bench, disk: SimDisk, file: str, at: int, bit: int) -> str:
    """One bit changes on a disk at rest: that is harmless, or reported near the place, or it was the last group and is cut.

    Returns what came of it.
    """
    disk.flip_bit(file, at, bit)
    before = disk.contents()
    pictures = [(f"bit {bit} of byte {at} has changed", disk.copy())]
    try:
        found = open_log(bench.make, disk, bench.segment_bytes)
    except (DamageError, StateError, FormatError) as error:
        raise broken(
            8,
            expected=f"byte {at} of {file} has changed: that is reported, or harmless",
            disks=pictures,
            found=f"`recover` or `entries` raised {type(error).__name__}: {error}",
        ) from error
    if found.recovery.damage:
        damage = found.recovery.damage[0]
        if damage.file != file or not damage.at <= at:
            raise broken(
                8,
                expected=f"byte {at} of {file} has changed",
                disks=pictures,
                found=f"`recover` reports {damage.file}, byte {damage.at}",
            )
        if disk.contents() != before:
            raise broken(8, expected="a damaged log is left as it is", found="a file has changed", disks=pictures)
        return "reported"
    if found.agrees_with(bench.now):
        return "harmless"
    # What nothing behind it proves to have been synced may be taken for a torn write.
    if any(found.agrees_with(state) for state in bench.states[bench.proven : bench.durable]):
        return "cut"
    raise broken(
        8,
        expected=f"byte {at} of {file} has changed: that is reported, or harmless",
        disks=pictures,
        found=f"the log was opened with {found}, {len(bench.now.entries)} entries were durable",
    )


Step = Append | Supersede | Vote | CarryOut | Mark | Drop | Read | FullDisk | NoRoom | Crash | FailedSync | Flip
