"""One grade from begin to end: what is taken in, run, and written."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from labs.grader.files import write_files
from labs.grader.harmless import harmless
from labs.grader.lab import Lab
from labs.grader.process import WorkerProcess
from labs.grader.result import Grade, Outcome
from labs.grader.running import Runner, Start, patience
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission
from labs.grader.told import ToldError

__all__ = ["PRACTICE", "NoContainersError", "OwnRuns", "grade_of", "how_to_run", "in_a_process", "until_it_fails"]

PRACTICE = WorkerProcess.mode


class NoContainersError(ToldError):
    """Marks need containers, and there are none to be had."""


class OwnRuns(Protocol):
    """What a lab brings whose tests are not cases for a worker: RUNS of its suite's module. Lab 3f runs a whole cluster."""

    def start(self, *, is_container: bool) -> tuple[Any, str]:
        """What the runner is given, and the mode's name. Raises: Exception when there are no containers to be had."""

    def runner(self, lab: Lab, submission: Submission, start: Any, folder: Path | None, *, with_reference: bool) -> Any:
        """In the place of a `Runner`: a context with `outcomes`, `close` and `printed`. folder: where the results go."""


def how_to_run(lab: Lab, *, is_container: bool) -> tuple[Any, str]:
    """For `start` and `mode` of `grade_of`: practice, or marks. Raises: NoContainersError."""
    own: OwnRuns | None = lab.runs
    try:
        if own is not None:
            return own.start(is_container=is_container)
        if not is_container:
            return in_a_process(), PRACTICE
        from labs.grader.container import image_id, in_a_container, mode_in  # noqa: PLC0415 - not needed else

        found = image_id()
        return in_a_container(found), mode_in(found)
    except Exception as error:
        raise NoContainersError(str(error)) from error


def in_a_process() -> Start:
    """Practice mode: a plain subprocess."""
    return lambda box, opening: WorkerProcess(box.folder, opening, patience)


def until_it_fails(lab: Lab) -> Callable[[Outcome], bool]:
    """For `tell` of `grade_of`: runs the whole first ring, then the rest up to the first failure; nothing behind one that hangs.

    The first ring are the sentences, where there are any.
    """
    first_ring = lab.suite.checks[0].ring
    last_sentence = [check.number for check in lab.suite.checks if check.ring == first_ring][-1]
    failed: list[Outcome] = []

    def goes_on(outcome: Outcome) -> bool:
        if not outcome.is_passed:
            failed.append(outcome)
        is_hanging = outcome.failure is not None and outcome.failure.is_gone
        is_ring_over = outcome.number == last_sentence or not outcome.number.startswith(f"{first_ring}.")
        return not (failed and (is_ring_over or is_hanging))

    return goes_on


def grade_of(  # noqa: PLR0913 - what may be chosen has a name each
    lab: Lab,
    submission: Submission,
    seeds: Seeds,
    *,
    folder: Path | None = None,
    tell: Callable[[Outcome], bool] = lambda _outcome: True,
    start: Any = None,
    mode: str = PRACTICE,
    path: str = "",
    with_reference: bool = False,
) -> Grade:
    """Run all tests. folder: where the files of the result go; they say "0, did not finish" until it has.

    path: see `Grade`. start: a `Start`, or what a lab with runs of its own has for one. tell: is told each outcome as it comes;
    when it returns False no more tests are run, and the grade says so.
    """
    begun = time.perf_counter()
    points_max = sum(check.points for check in lab.suite.checks)
    grade = Grade(lab.id, lab.title, mode, mark=submission.mark, points_max=points_max, path=path)
    if folder is not None:
        write_files(folder, grade)
    reason, printed, outcomes = "", "", list[Outcome]()
    try:
        with _runner(lab, submission, seeds, start, folder, with_reference=with_reference) as runner:
            for outcome in runner.outcomes():
                outcomes.append(outcome)
                if not tell(outcome):
                    break
            runner.close()
            printed = runner.printed
    except Exception as error:  # noqa: BLE001 - a grade that breaks off is 0 with its reason
        reason = f"the grader itself stopped: {type(error).__name__}: {error}"
    if not reason and len(outcomes) < len(lab.suite.checks):
        reason = "not all tests were run"
    seconds = round(time.perf_counter() - begun, 2)
    grade = replace(grade, outcomes=tuple(outcomes), reason=reason, seconds=seconds, printed=printed)
    return grade if folder is None else _written(folder, grade)


def _runner(lab: Lab, submission: Submission, seeds: Seeds, start: Any, folder: Path | None, *, with_reference: bool) -> Any:
    own: OwnRuns | None = lab.runs
    if own is not None:
        return own.runner(lab, submission, start, folder, with_reference=with_reference)
    return Runner(lab, submission, seeds, start or in_a_process(), with_reference=with_reference)


def _written(folder: Path, grade: Grade) -> Grade:
    """The grade, when it could be written; else one without what may be at fault, which is 0 and says why."""
    try:
        write_files(folder, grade)
    except Exception as error:  # noqa: BLE001 - as above: what a student's code sent is in it
        reason = f"the grade could not be written: {type(error).__name__}: {error}"
        grade = replace(grade, outcomes=(), reason=harmless(reason), printed="")
        write_files(folder, grade)
    return grade
