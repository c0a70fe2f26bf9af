"""Running a suite against a submission: the trusted side.

It fails closed: a test passes when all its cases came to their end, met what they are about, and broke no promise; whatever else
happens is a failure with its reason. Seeded cases are run twice, in two processes, and must leave the same answers.
"""

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple

from labs.grader.box import Box, imports_of_files, needed_by
from labs.grader.explaining import explain
from labs.grader.harmless import harmless
from labs.grader.lab import Lab
from labs.grader.left_alone import with_left_alone
from labs.grader.met import not_met, poorest
from labs.grader.orphans import adopting
from labs.grader.out_of_turn import out_of_turn
from labs.grader.process import LIMITS, NotStartedError, ProcessGoneError, WorkerProcess
from labs.grader.remote import Answered, Asked, NotImportedError, RemoteMaker, opening_of
from labs.grader.result import Failure, Outcome
from labs.grader.seeds import Seeds
from labs.grader.shrinking import shrunk
from labs.grader.skeleton import given_hollow
from labs.grader.submission import Submission, no_text_among
from labs.grader.suite import Case, Check, Run

__all__ = ["SAME_ANSWERS", "Runner", "Start", "files_for", "patience", "token_of"]

_GONE_MAX = 3
_NOT_RUN = Failure("This test was not run", found=f"your code hung, ended its process or ran out of memory {_GONE_MAX} times")
_WORKERS = 2
_SWEEP_AT_ONCE = 10
_SAME_END = "The same schedule always comes to the same end"
SAME_ANSWERS = 'README, "The same answers"'
"""Where every lab says that what it asks for is deterministic."""
_AROUND_CHARS = 30
"""So much is shown on both sides of the place where two answers begin to differ."""
_CHECK_SECONDS_MAX = 240.0
"""For one test, by the clock on the wall: some fifty times of what a right solution needs on a quiet machine."""
_PATIENCE_MAX = 10.0
Start = Callable[[Box, dict[str, object]], WorkerProcess]
"""Starts a worker in a box."""


class Tried(NamedTuple):
    """One case that was run. asked: what its answers are to; not all of it when that is too much to be kept."""

    failure: Failure | None
    run: Run
    record: list[Answered]
    asked: Asked = []  # noqa: RUF012 - nobody puts anything into it


def files_for(lab: Lab, *, with_reference: bool = False, with_sweep: bool = False) -> tuple[str, ...]:
    """What of ours lies in the box. with_reference: for our own right and wrong solutions, which are made of it.

    with_sweep: also the tests that run beside the student's code, and the model that they compare it with. Such a model does
    much of what the lab asks for; where marks are earned it is not. Raises: BoxError when what the lab gives needs what it
    asks for.
    """
    modules = {f"mq.core.{name}" for name in ("entry", "errors", "ids", "limits", "ports")}
    modules |= (
        {kind.__module__ for kind in lab.seam.classes}
        | {lab.seam.inside.partition(":")[0]}
        | ({lab.suite.sweep_module} if with_sweep else set())
    )
    if with_reference or lab.gather is not None:
        return needed_by(modules | {name.removesuffix(".py").replace("/", ".") for name in lab.files.values()}, ())
    return needed_by(modules | imports_of_files((lab.folder / "skeleton").glob("*.py")), lab.files.values())


def token_of(lab: Lab, check: Check, key: str, kept: tuple[int, ...] | None = None) -> str:
    """The word that repeats a case: lab, test, case, and the steps that are left of it."""
    words = [lab.short, check.number, *([key] if key else [])]
    if kept is not None:
        words.append(".".join(map(str, kept)) or "-")
    return ":".join(words)


class Runner:
    """One submission and its worker processes. with_reference: see `files_for`.

    is_brief: a failure is told as it came, it is not made short.
    """

    is_brief = False

    def __init__(self, lab: Lab, submission: Submission, seeds: Seeds, start: Start, *, with_reference: bool = False) -> None:
        self.lab, self.seeds, self._start = lab, seeds, start
        self._seam, self._texts = lab.seam, submission.texts
        self._submission, self._with_reference = submission, with_reference
        self._instead = {} if with_reference else given_hollow(lab)
        self.box = Box(lab.id, submission, files_for(lab, with_reference=with_reference), self._instead)
        self._sweep_box: Box | None = None
        self._ends = ExitStack()
        self._maker: RemoteMaker | None = None
        self._sweeper: RemoteMaker | None = None
        self._gone = 0
        self._is_hanging = False
        self._until = math.inf
        self._ring = 1
        self.printed = ""
        self.section = ""
        """Of the test that is run: where its rule stands."""

    def __enter__(self) -> "Runner":
        self._ends.enter_context(adopting(LIMITS))
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        with self._ends:  # whatever a worker left behind is ended here
            self.close()
        self.box.remove()
        if self._sweep_box is not None:
            self._sweep_box.remove()

    def outcomes(self) -> Iterator[Outcome]:
        """Of all tests, in order, each as soon as it is there."""
        for check in self.lab.suite.checks:
            yield self.outcome(check)

    def outcome(self, check: Check) -> Outcome:
        """Of one test."""
        begun = time.perf_counter()
        blank = Outcome(check.number, check.name, check.points)
        self.section = check.section
        self._until = time.monotonic() + _CHECK_SECONDS_MAX * patience()
        cases = check.cases(self.seeds)
        if self._gone >= _GONE_MAX and not all(case.is_apart for case in cases):
            return replace(blank, failure=_NOT_RUN)
        if check.ring != self._ring:
            self.close()
            self._ring = check.ring
        met = list[tuple[Case, Counter[str]]]()
        for number, case in enumerate(cases, 1):
            tried = self._tried(case)
            met.append((case, tried.run.met))
            if tried.failure is not None:
                self._gone += tried.failure.is_gone
                told = self._failed(check, case, tried, blank)
                where = out_of_turn(told.failure, self.lab, check.number, tried.run)
                return replace(told, failure=where, schedules=number, seconds=_since(begun))
            if check.ring == 2 and (differs := self.differs(case, tried)) is not None:
                return replace(
                    blank,
                    failure=differs,
                    schedules=number,
                    seconds=_since(begun),
                    seed=case.key,
                    replay=token_of(self.lab, check, case.key),
                )
        swept = None if self.is_brief else self._swept(check, blank)
        if swept is not None:
            return replace(swept, seconds=_since(begun))
        if (lacking := not_met(check, sum((one for _, one in met), Counter()), len(met))) is not None:
            least = poorest(check, met)
            again = token_of(self.lab, check, least.key) if least is not None else ""
            return replace(blank, failure=lacking, schedules=len(cases), seconds=_since(begun), replay=again)
        count = len(cases) + (0 if self.is_brief else check.sweep)
        return replace(blank, is_passed=True, schedules=count, seconds=_since(begun))

    def replayed(self, case: Case) -> Tried:
        """One case, in a fresh process."""
        self.close()
        return self._tried(case)

    # --- cases

    def _tried(self, case: Case) -> Tried:
        run = Run(texts=self._texts)
        try:
            if case.is_apart:
                case.play(_nothing, case.steps, run)
                return Tried(None, run, [])
            maker = self._a_maker()
            maker.begin()
            case.play(maker.make, case.steps, run)
        except NotStartedError:
            raise  # nothing of the student's has run
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no pass
            failure = with_left_alone(explain(error, run, self.section), self.lab, self._submission)
            if failure.is_gone:
                self.close()
            return Tried(failure, run, [])
        return Tried(None, run, list(maker.record), list(maker.asked))

    def _failed(self, check: Check, case: Case, tried: Tried, blank: Outcome) -> Outcome:
        """The failure, as short as it can be made."""
        assert tried.failure is not None
        first = tried.failure
        if first.is_of_all:
            return replace(blank, failure=first, seed=case.key)
        if self.is_brief or first.is_gone or first.is_lack:
            return replace(blank, failure=first, seed=case.key, replay=token_of(self.lab, check, case.key))
        again = self.replayed(case)
        if again.failure is None:
            failure = replace(
                first,
                promise=_SAME_END,
                expected="it passes in a fresh process",
                found=f"after other schedules it does not ({first.sentence})",
                section=SAME_ANSWERS,
            )
            return replace(blank, failure=failure, seed=case.key, replay=token_of(self.lab, check, case.key))
        first = again.failure
        kept = None
        if len(case.steps) > 1 and not first.is_gone:
            self._is_hanging = False
            kept = shrunk(len(case.steps), lambda some: self._fails_so(case, some, first))
            shorter = self._tried(_some_of(case, kept)).failure
            if shorter is not None and not shorter.is_gone:
                first = shorter
            else:
                kept = None
        return replace(blank, failure=first, seed=case.key, replay=token_of(self.lab, check, case.key, kept))

    def _fails_so(self, case: Case, some: tuple[int, ...], like: Failure) -> bool:
        """Whether some of the steps are enough. Where a shorter run hangs, or time is up, it is short enough as it is."""
        if self._is_hanging:
            return False
        failure = self._tried(_some_of(case, some)).failure
        self._is_hanging = failure is not None and failure.is_gone
        return failure is not None and failure.promise == like.promise

    def _swept(self, check: Check, blank: Outcome) -> Outcome | None:
        """Many more seeds, inside of another process of the student's: they can only fail it. What fails is tried from here."""
        module = self.lab.suite.sweep_module
        if not (check.sweep and module and check.by_seed is not None):
            return None
        seeds = self.seeds.draw(f"{self.lab.short}/{check.number}/sweep", check.sweep)
        self.close()  # nothing that earns marks lives beside the model that lies where the sweep runs
        try:
            return self._swept_seeds(check, blank, module, seeds)
        finally:
            self.close()

    def _swept_seeds(self, check: Check, blank: Outcome, module: str, seeds: Sequence[int]) -> Outcome | None:
        assert check.by_seed is not None
        for begin in range(0, len(seeds), _SWEEP_AT_ONCE):
            some = seeds[begin : begin + _SWEEP_AT_ONCE]
            try:
                failed = self._a_sweeper().sweep(module, check.number, some)
            except NotStartedError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no pass
                failure = explain(error, Run(), self.section)
                self._gone += failure.is_gone
                return self._told_by_seed(check, blank, some) or replace(blank, failure=failure, schedules=begin)
            if failed:
                case = check.by_seed(failed[0])
                tried = self.replayed(case)
                if tried.failure is not None:
                    return replace(self._failed(check, case, tried, blank), schedules=begin + len(some))
                expected = f"seed {failed[0]} passes when it is run from outside"
                why = Failure(_SAME_END, expected, "it failed inside of your process", SAME_ANSWERS)
                return replace(blank, failure=why, seed=case.key, replay=token_of(self.lab, check, case.key))
        return None

    def _told_by_seed(self, check: Check, blank: Outcome, seeds: Sequence[int]) -> Outcome | None:
        """One of these ended its process, or hung: which one is found out from outside."""
        assert check.by_seed is not None
        for seed in seeds:
            case = check.by_seed(seed)
            tried = self.replayed(case)
            if tried.failure is not None:
                return self._failed(check, case, tried, blank)
        return None

    def differs(self, case: Case, first: Tried) -> Failure | None:
        """A second run of a case that passed, in another process, in which the student's code must say the same."""
        mine, self._maker = self._maker, self._second
        try:
            second = self._repeated(first) if len(first.asked) == len(first.record) else self._tried(case)
        finally:
            self._second, self._maker = self._maker, mine
        if second.failure is not None:
            if second.failure.is_gone:
                self.close()  # as another user's, the first process was ended with it
            found = f"it fails ({second.failure.sentence})"
            return _not_the_same("a second run passes, as the first one did", found, second.run)
        if second.record == first.record:
            return None
        pairs = list(zip(first.record, second.record, strict=False))
        at = next((number for number, (here, there) in enumerate(pairs) if here != there), len(pairs))
        name = first.record[at].name if at < len(first.record) else "the end"
        shown = _difference(*pairs[at]) if at < len(pairs) else ""
        return _not_the_same("two runs give the same answers", f"not deterministic at event {at + 1}, `{name}`{shown}", first.run)

    def _repeated(self, first: Tried) -> Tried:
        """What a run asked, asked again in the same order, up to the first answer that is another one.

        As long as the answers are the same, a run of the same case would ask for the same.
        """
        if not first.record:
            return first
        record = list[Answered]()
        try:
            maker = self._a_maker()
            for said, before in zip(maker.repeated(first.asked), first.record, strict=True):
                record.append(Answered.of(before.name, said))
                if record[-1] != before:
                    self.close()  # more was asked, and the answers to that are still to come
                    break
        except NotStartedError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no pass
            named = f"`{first.record[len(record)].name}`: {error}" if isinstance(error, ProcessGoneError) else ""
            failure = explain(ProcessGoneError(named) if named else error, first.run, self.section)
            if failure.is_gone:
                self.close()
            return Tried(failure, first.run, record)
        return Tried(None, first.run, record)

    # --- processes

    _second: RemoteMaker | None = None
    _not_imported: tuple[Box, NotImportedError] | None = None

    def _a_maker(self) -> RemoteMaker:
        if self._maker is None:
            self._maker = self._begun(self.box, _WORKERS)
        self._maker.until = self._until
        return self._maker

    def _a_sweeper(self) -> RemoteMaker:
        if self._sweep_box is None:
            self._sweep_box = Box(
                self.lab.id,
                self._submission,
                files_for(self.lab, with_reference=self._with_reference, with_sweep=True),
                self._instead,
            )
        if self._sweeper is None:
            self._sweeper = self._begun(self._sweep_box, 1)
        self._sweeper.until = self._until
        return self._sweeper

    def _begun(self, box: Box, count: int) -> RemoteMaker:
        if self._not_imported is not None and self._not_imported[0] is box:
            raise self._not_imported[1]  # it says the same each time, and a test costs nothing more
        workers: list[WorkerProcess] = []
        try:
            workers.extend(self._start(box, opening_of(self._seam, self.lab.id)) for _ in range(count))
            return RemoteMaker(self._seam, *workers)
        except Exception as error:
            if isinstance(error, NotImportedError):
                error.place = no_text_among(self._submission, error.text) or error.place
                self._not_imported = box, error
            for worker in workers:
                worker.end()
                self.printed = worker.printed or self.printed
            raise

    def close(self) -> None:
        """Its processes are gone; the next case gets fresh ones."""
        for maker in (self._sweeper, self._maker, self._second):
            if maker is not None:
                maker.end()
                self.printed = maker.printed or self.printed
        self._maker = self._second = self._sweeper = None


def patience() -> float:
    """How much longer than on a quiet machine a test may take: by how many processes want each processor."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return min(_PATIENCE_MAX, 1 + load / (os.cpu_count() or 1))


def _nothing(**_named: object) -> object:
    raise AssertionError("this case is apart: it asks nothing of the student's code")


def _not_the_same(expected: str, found: str, run: Run) -> Failure:
    return Failure(_SAME_END, expected, harmless(found), SAME_ANSWERS, tuple(map(harmless, run.story)))


def _difference(here: Answered, there: Answered) -> str:
    """Both answers, as they crossed, around the place where they begin to differ; empty when that is too far behind."""
    one, other = (answer.beginning.decode("utf-8", "replace") for answer in (here, there))
    if one == other or here.name != there.name:
        return ""
    at = next((at for at, (mine, its) in enumerate(zip(one, other, strict=False)) if mine != its), min(len(one), len(other)))
    cuts = [text[max(0, at - _AROUND_CHARS) : at + _AROUND_CHARS] for text in (one, other)]
    return f": …{cuts[0]}… the first time, …{cuts[1]}… the second time"


def _some_of(case: Case, kept: tuple[int, ...]) -> Case:
    return replace(case, steps=tuple(case.steps[number] for number in kept))


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 3)
