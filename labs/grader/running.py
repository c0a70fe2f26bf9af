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
from itertools import groupby
from types import TracebackType

from labs.grader.box import Box
from labs.grader.boxed import files_for
from labs.grader.explaining import explain
from labs.grader.lab import Lab
from labs.grader.left_alone import with_left_alone
from labs.grader.met import not_met, poorest
from labs.grader.orphans import adopting
from labs.grader.out_of_turn import out_of_turn
from labs.grader.process import LIMITS, NotStartedError, ProcessGoneError, WorkerProcess
from labs.grader.remote import Answered, NotImportedError, RemoteMaker, opening_of
from labs.grader.result import Failure, Outcome
from labs.grader.same_answers import SAME_ANSWERS, SAME_END, how_they_differ, not_the_same
from labs.grader.seeds import Seeds
from labs.grader.shrinking import shrunk
from labs.grader.skeleton import given_hollow
from labs.grader.submission import Submission, no_text_among
from labs.grader.suite import Case, Check, Run
from labs.grader.tried import Sampled, Tried

__all__ = ["Runner", "Start", "patience", "token_of"]

_GONE_MAX = 3
_NOT_RUN = Failure("This test was not run", found=f"your code hung, ended its process or ran out of memory {_GONE_MAX} times")
_WORKERS = 2
_SWEEP_AT_ONCE = 10
_CHECK_SECONDS_MAX = 240.0
"""For one test, by the clock on the wall: some fifty times of what a right solution needs on a quiet machine."""
_PATIENCE_MAX = 10.0
Start = Callable[[Box, dict[str, object]], WorkerProcess]
"""Starts a worker in a box."""


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
        return (outcome for _, outcome in self.parts() if outcome is not None)

    def parts(self) -> Iterator[tuple[Check, Outcome | None]]:
        """As `outcomes`, with a pair also for a test that has passed its cases and is swept later: None stands for its outcome.

        The tests of a ring have one set of workers, and a sweep ends it: so all cases of a ring are run before its first sweep.
        """
        for _, some in groupby(self.lab.suite.checks, lambda check: check.ring):
            held: list[Sampled] = []
            for check in some:
                sampled = self._sampled(check)
                if held or (sampled.failed is None and self._is_swept(check)):
                    held.append(sampled)
                    yield check, None
                else:
                    yield check, self._end_of(sampled)
            for sampled in held:
                yield sampled.check, self._end_of(sampled)

    def outcome(self, check: Check) -> Outcome:
        """Of one test."""
        return self._end_of(self._sampled(check))

    def _begin(self, check: Check) -> float:
        self.section = check.section
        self._until = time.monotonic() + _CHECK_SECONDS_MAX * patience()
        return time.perf_counter()

    def _sampled(self, check: Check) -> Sampled:
        """Its cases, up to the first that fails."""
        begun, blank = self._begin(check), _blank(check)
        met = list[tuple[Case, Counter[str]]]()
        cases = check.cases(self.seeds)
        if self._gone >= _GONE_MAX and not all(case.is_apart for case in cases):
            return Sampled(check, replace(blank, failure=_NOT_RUN), met, 0.0)
        if check.ring != self._ring:
            self.close()
            self._ring = check.ring
        for number, case in enumerate(cases, 1):
            failed, counted = self._case(check, case, blank)
            met.append((case, counted))
            if failed is not None:
                return Sampled(check, replace(failed, schedules=number, seconds=_since(begun)), met, 0.0)
        return Sampled(check, None, met, _since(begun))

    def _case(self, check: Check, case: Case, blank: Outcome) -> tuple[Outcome | None, Counter[str]]:
        """What came of it when it failed, and what it met."""
        tried = self._tried(case)
        if tried.failure is not None:
            self._gone += tried.failure.is_gone
            told = self._failed(check, case, tried, blank)
            return replace(told, failure=out_of_turn(told.failure, self.lab, check.number, tried.run)), tried.run.met
        if check.ring == 2 and (differs := self.differs(case, tried)) is not None:
            again = token_of(self.lab, check, case.key)
            return replace(blank, failure=differs, seed=case.key, replay=again), tried.run.met
        return None, tried.run.met

    def _end_of(self, sampled: Sampled) -> Outcome:
        """What comes of a test whose cases were run: the sweep may fail it, and that it never met what it is about."""
        if sampled.failed is not None:
            return sampled.failed
        check, met, blank = sampled.check, sampled.met, _blank(sampled.check)
        begun = self._begin(check) - sampled.seconds
        swept = self._swept(check, blank) if self._is_swept(check) else None
        if swept is not None:
            return replace(swept, seconds=_since(begun))
        if (lacking := not_met(check, sum((one for _, one in met), Counter()), len(met))) is not None:
            least = poorest(check, met)
            again = token_of(self.lab, check, least.key) if least is not None else ""
            return replace(blank, failure=lacking, schedules=len(met), seconds=_since(begun), replay=again)
        count = len(met) + (0 if self.is_brief else check.sweep)
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
                promise=SAME_END,
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

    def _is_swept(self, check: Check) -> bool:
        return bool(check.sweep and self.lab.suite.sweep_module) and check.by_seed is not None and not self.is_brief

    def _swept(self, check: Check, blank: Outcome) -> Outcome | None:
        """Many more seeds, inside of another process of the student's: they can only fail it. What fails is tried from here."""
        module = self.lab.suite.sweep_module
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
                why = Failure(SAME_END, expected, "it failed inside of your process", SAME_ANSWERS)
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
            return not_the_same("a second run passes, as the first one did", found, second.run)
        return how_they_differ(first.record, second.record, first.run)

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


def _blank(check: Check) -> Outcome:
    return Outcome(check.number, check.name, check.points)


def _nothing(**_named: object) -> object:
    raise AssertionError("this case is apart: it asks nothing of the student's code")


def _some_of(case: Case, kept: tuple[int, ...]) -> Case:
    return replace(case, steps=tuple(case.steps[number] for number in kept))


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 3)
