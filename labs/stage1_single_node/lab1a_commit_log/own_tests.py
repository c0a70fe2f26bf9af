"""Ring 4: the schedules that a student wrote. Each wrong log of `to_kill` must fail in one of them, where no right one fails.

Nothing is checked here but what a schedule itself expects: whoever writes the test says what must hold.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from labs.grader.lab import has_reference, is_for_students
from labs.grader.seams import Make
from labs.grader.suite import Case, Check, PromiseBrokenError, Run, rule
from labs.stage1_single_node.lab1a_commit_log.bench import checked_plan, open_log
from labs.stage1_single_node.lab1a_commit_log.own_language import LineError, Schedule, Step, parsed
from labs.stage1_single_node.lab1a_commit_log.to_kill import TO_KILL, over
from mq.broker.store.write_queue import WriteQueue
from mq.core.entry import Appended, Entry, EntryKind
from mq.core.errors import MqError
from mq.core.ids import LogIndex, Term
from mq.core.ports import Operation, Plan
from mq.parts import load_parts
from mq.sim.crash import SectorId, Survival, after_power_loss, unsynced_files
from mq.sim.disk import SimDisk
from mq.sim.disk_layout import layout_of

__all__ = ["FILE", "OWN_TESTS", "ExpectationError", "died_at", "right_logs"]

FILE = "kills.txt"
_SEGMENT_BYTES = 1024
_PROMISE = "A test tells a wrong log from a right one"
_RULES = {"4.1": 6, "4.2": 3, "4.3": 7}
_POINTS = {"4.1": 3, "4.2": 3, "4.3": 4}


class ExpectationError(Exception):
    """What a schedule expects is not so. step: where."""

    def __init__(self, step: Step, found: str) -> None:
        super().__init__(f"line {step.number}, `{step.text}`: {found}")


class _Moment(NamedTuple):
    """What was on the disk, just before a crash and when the log had been opened."""

    when: str
    disk: SimDisk


class _Life(NamedTuple):
    """A log's way through a schedule. died: where it failed, in a sentence, or None. moments: two for each crash."""

    died: str | None
    moments: tuple[_Moment, ...]


class _Stage:
    """One log on one disk. durable: payloads that must be there; found: by the last opening; before: durable then."""

    def __init__(self, make: Make) -> None:
        self.make, self.disk = make, SimDisk()
        self.moments: list[_Moment] = []
        self.waiting: list[tuple[Appended, str]] = []
        self.sizes: dict[str, int] = {}
        self.durable: list[bytes] = []
        self.before: list[bytes] = []
        self.found: list[bytes] = []
        self._open(Step(0, "begin", "kill"))

    def do(self, step: Step) -> None:
        """Raises: ExpectationError, and what a log raises."""
        match step.verb:
            case "append":
                self._append(step)
            case "carry out":
                self._carry_out(len(self.waiting) if step.amount is None else step.amount)
            case "mark":
                self._perform(checked_plan(self.log.note_durable(), "note_durable"))
            case "kill" | "lose power":
                self._crash(step)
            case _:
                self._expect(step)

    def _payload(self, label: str) -> bytes:
        return f"<{label}>".encode().ljust(self.sizes[label], b".")

    def _append(self, step: Step) -> None:
        self.sizes[step.label] = step.size_bytes
        last = self.log.last_index
        entry = Entry(LogIndex(last + 1), Term(0), EntryKind.COMMAND, self._payload(step.label))
        appended = self.log.append(last, (entry,))
        checked_plan(appended.plan, "append")
        self.waiting.append((appended, step.label))

    def _perform(self, plan: Plan) -> None:
        for operation in plan:
            self.disk.perform(operation)

    def _carry_out(self, count: int) -> None:
        done, self.waiting = self.waiting[:count], self.waiting[count:]
        self._perform(tuple(_operations(done)))
        if done:
            self.log.synced(done[-1][0].sequence)
            self.durable += [self._payload(label) for _, label in done]

    def _crash(self, step: Step) -> None:
        self._perform(tuple(_operations(self.waiting))[: step.amount or 0])
        self.moments.append(_Moment(f"line {step.number}, just before `{step.text}`", self.disk.copy()))
        if step.verb == "lose power":
            self.disk = after_power_loss(self.disk, survival_of(self.disk, step.keep))
        self.before, self.waiting = self.durable, []
        try:
            self._open(step)
        finally:
            self.moments.append(_Moment(f"line {step.number}, when it was opened again", self.disk.copy()))
        self.durable = list(self.found)

    def _open(self, step: Step) -> None:
        opened = open_log(self.make, self.disk, _SEGMENT_BYTES)
        if opened.recovery.damage:
            damage = opened.recovery.damage[0]
            raise ExpectationError(step, f"the log reports damage in {damage.file}, byte {damage.at}: {damage.reason}")
        self.log, self.found = opened.log, [payload for _, payload in opened.entries]

    def _expect(self, step: Step) -> None:
        if step.verb == "expect the same":
            if self.found != self.before:
                raise ExpectationError(step, f"durable was {_shown(self.before)}, found was {_shown(self.found)}")
        elif (self._payload(step.label) in self.found) == (step.verb == "expect not"):
            raise ExpectationError(step, f"found was {_shown(self.found)}")


def _operations(waiting: list[tuple[Appended, str]]) -> Iterator[Operation]:
    """As a host carries them out: appends to one file share a sync."""
    queue = WriteQueue()
    for appended, _ in waiting:
        queue.put(appended)
    while plan := queue.take():
        yield from plan
        queue.done()


def _shown(payloads: list[bytes]) -> str:
    return ", ".join(payload.rstrip(b".").decode("utf-8", "replace") for payload in payloads) or "nothing"


def survival_of(disk: SimDisk, keep: str) -> Survival:
    """What a power loss leaves of what was not synced, by the words of a schedule."""
    if keep == "nothing":
        return Survival()
    pieces = [((file.number, piece.sector), len(piece.data)) for file, found in unsynced_files(disk) for piece in found]
    names = {folder: len(changes) for folder, changes in disk.name_changes.items()}
    words = keep.split()
    left = int(words[1]) if words[0] == "first" else 0
    order = list(dict.fromkeys(sector for sector, _ in pieces))
    chosen = (
        {order[int(word) - 1] for word in words[1:] if int(word) in range(1, len(order) + 1)} if words[0] == "sectors" else set()
    )
    sectors: dict[SectorId, int] = {}
    for sector, size_bytes in pieces:
        if words[0] == "first" and left < size_bytes:
            return Survival(sectors, (sector, left) if left else None, names)
        left -= size_bytes
        if words[0] != "sectors" or sector in chosen:
            sectors[sector] = sectors.get(sector, 0) + 1
    return Survival(sectors, None, names)


# --- who lives, who dies


def died_at(make: Make, schedule: Schedule) -> str | None:
    """Where a log of this kind fails in a schedule, in a sentence; None when it lives."""
    return _life_of(make, schedule).died


def _life_of(make: Make, schedule: Schedule) -> _Life:
    step, died, moments = schedule.steps[0], None, list[_Moment]()
    try:
        stage = _Stage(make)
        moments = stage.moments
        for step in schedule.steps:
            stage.do(step)
    except ExpectationError as error:
        died = str(error)
    except (PromiseBrokenError, MqError) as error:
        died = f"line {step.number}, `{step.text}`: {type(error).__name__}: {error}"
    return _Life(died, tuple(moments))


def _larger(make: Make) -> Make:
    """The same log with segments of twice the size: all lies elsewhere."""
    return lambda **named: make(**{**named, "segment_bytes": 2 * named["segment_bytes"]})


@cache
def _kept_back() -> Mapping[str, Make]:
    """Other right logs, which are not in a repository for students."""
    folder = Path(__file__).parent / "right"
    files = [] if is_for_students() else sorted(folder.glob("*.py"))
    return {f"a right log that works differently ({file.stem})": load_parts(str(file)).commit_log for file in files}


def right_logs(make: Make) -> Mapping[str, Make]:
    """By name. make: the student's own, which takes the place of the reference where that is left out."""
    base = _reference() if has_reference() else make
    return {"a right log": base, "a right log with larger segments": _larger(base), **_kept_back()}


def _reference() -> Make:
    from mq.broker.store.commit_log import CommitLog  # noqa: PLC0415 - it is not there where students' code runs

    return CommitLog


def _judged(number: str) -> Case:
    kind = TO_KILL[number]

    def play(make: Make, _steps: tuple[object, ...], run: Run) -> None:
        run.tell(f"the wrong log: {(kind.__doc__ or '').strip()}")
        try:
            schedules = parsed(run.texts.get(FILE, ""))
        except LineError as error:
            raise _failed(number, f"{FILE} can be read", str(error)) from error
        rights = right_logs(make)
        wrong = over(next(iter(rights.values())), kind)
        misses = list[_Miss]()
        for schedule in schedules:
            lives = ((name, _life_of(right, schedule)) for name, right in rights.items())
            unfair = next((_unfair(schedule, name, life) for name, life in lives if life.died is not None), None)
            mine = None if unfair is not None else _life_of(wrong, schedule)
            if mine is not None and mine.died is not None:
                run.tell(f"schedule {schedule.name!r}: {mine.died}")
                run.met["killed"] += 1
                return
            misses.append(unfair or _lives(schedule, mine or _Life(None, ()), _life_of(next(iter(rights.values())), schedule)))
            run.tell(f"schedule {schedule.name!r}: {misses[-1].why}")
        found = "; ".join(f"{schedule.name!r}: {miss.why}" for schedule, miss in zip(schedules, misses, strict=True))
        shown = min(reversed(misses), key=lambda miss: miss.rank).disks if misses else ()
        expected = "one of your schedules fails on this log, and on no right one"
        raise _failed(number, expected, found or f"there is no schedule in {FILE}", shown)

    return Case("", (), play, is_apart=has_reference())


class _Miss(NamedTuple):
    """Why a schedule kills nobody. disks: to be looked at; rank: of several schedules the disks of the lowest are shown."""

    rank: int
    why: str
    disks: Sequence[tuple[str, SimDisk]]


def _unfair(schedule: Schedule, name: str, life: _Life) -> _Miss:
    """A right log fails in it."""
    return _Miss(1, f"{name} fails in it, {life.died}", _headed(schedule, name, life.moments[-2:]))


def _lives(schedule: Schedule, wrong: _Life, right: _Life) -> _Miss:
    """The wrong log lives through it: beside a right one's, its disk says if the schedule meets what is wrong with it."""
    pairs = list(zip(wrong.moments, right.moments, strict=False))
    at = next((n for n, (one, other) in enumerate(pairs) if layout_of(one.disk) != layout_of(other.disk)), None)
    if at is None:
        why = "it lives, and at no crash does its disk differ from a right log's"
        return _Miss(2, why, _headed(schedule, "the wrong log, and a right one as well", wrong.moments[-2:]))
    crash = slice(at - at % 2, at - at % 2 + 2)
    why = f"it lives, although its disk differs from a right log's ({pairs[at][0].when})"
    ours = _headed(schedule, "a right log", right.moments[crash])
    return _Miss(0, why, (*_headed(schedule, "the wrong log", wrong.moments[crash]), *ours))


def _headed(schedule: Schedule, who: str, moments: Sequence[_Moment]) -> tuple[tuple[str, SimDisk], ...]:
    return tuple((f"schedule {schedule.name!r}, {who}: {moment.when}", moment.disk) for moment in moments)


def _failed(number: str, expected: str, found: str, disks: Sequence[tuple[str, SimDisk]] = ()) -> PromiseBrokenError:
    section = f'README, "Write the test", and rule {_RULES[number]}'
    return PromiseBrokenError(_PROMISE, expected=expected, found=found, section=section, disks=disks)


def _check(number: str, kind: type) -> Check:
    name = f"your schedules kill a log: {(kind.__doc__ or '').strip().rstrip('.').lower()}"
    cases = (_judged(number),)
    return Check(number, name, rule(_RULES[number]), lambda _seeds: cases, points=_POINTS[number], must_meet={"killed": 1})


OWN_TESTS = tuple(_check(number, kind) for number, kind in TO_KILL.items())
