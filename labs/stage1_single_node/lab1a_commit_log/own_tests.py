"""Ring 4: the schedules that a student wrote. Each wrong log of `to_kill` must fail in one of them, where no right one fails.

Nothing is checked here but what a schedule itself expects: whoever writes the test says what must hold.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from labs.grader.lab import has_reference, is_for_students
from labs.grader.seams import Make
from labs.grader.suite import Case, Check, PromiseBrokenError, Run
from labs.stage1_single_node.lab1a_commit_log.bench import checked_plan, open_log, rule
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


class _Stage:
    """One log on one disk. durable: payloads that must be there; found: by the last opening; before: durable then."""

    def __init__(self, make: Make) -> None:
        self.make, self.disk = make, SimDisk()
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
        if step.verb == "lose power":
            self.disk = after_power_loss(self.disk, survival_of(self.disk, step.keep))
        self.before, self.waiting = self.durable, []
        self._open(step)
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
    step = schedule.steps[0]
    try:
        stage = _Stage(make)
        for step in schedule.steps:
            stage.do(step)
    except ExpectationError as error:
        return str(error)
    except (PromiseBrokenError, MqError) as error:
        return f"line {step.number}, `{step.text}`: {type(error).__name__}: {error}"
    return None


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
        base = next(iter(rights.values()))
        told = []
        for schedule in schedules:
            deaths = ((name, died_at(right, schedule)) for name, right in rights.items())
            unfair = next((f"{name} fails in it, {why}" for name, why in deaths if why is not None), None)
            killed = None if unfair else died_at(over(base, kind), schedule)
            run.tell(f"schedule {schedule.name!r}: {unfair or killed or 'the wrong log lives through it'}")
            if killed is not None:
                run.met["killed"] += 1
                return
            told.append(f"{schedule.name!r}: {unfair or 'it lives'}")
        found = "; ".join(told) or f"there is no schedule in {FILE}"
        raise _failed(number, "one of your schedules fails on this log, and on no right one", found)

    return Case("", (), play, is_apart=has_reference())


def _failed(number: str, expected: str, found: str) -> PromiseBrokenError:
    return PromiseBrokenError(
        _PROMISE, expected=expected, found=found, section=f'README, "Write the test", and rule {_RULES[number]}'
    )


def _check(number: str, kind: type) -> Check:
    name = f"your schedules kill a log: {(kind.__doc__ or '').strip().rstrip('.').lower()}"
    cases = (_judged(number),)
    return Check(number, name, rule(_RULES[number]), lambda _seeds: cases, points=_POINTS[number], must_meet={"killed": 1})


OWN_TESTS = tuple(_check(number, kind) for number, kind in TO_KILL.items())
