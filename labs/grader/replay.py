"""One case again, by the word that a failure ends with: `lab1a:2.1:8142:0.3.7` is steps 0, 3 and 7 of seed 8142 of test 2.1."""

from dataclasses import replace

from labs.grader.grading import in_a_process
from labs.grader.lab import Lab
from labs.grader.met import counted
from labs.grader.result import REPLAY, Grade, Outcome
from labs.grader.running import Runner
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission
from labs.grader.suite import Case, Check, Run
from labs.grader.told import ToldError

__all__ = ["ReplayError", "case_of", "replayed", "replayed_grade", "with_prints_of"]


_OWN_TESTS = 4
"""The ring of a student's own tests: what they meet is told by what they kill."""


class ReplayError(ToldError):
    """The word is none of ours."""


def case_of(lab: Lab, token: str) -> tuple[Check, Case]:
    """The test, and the case with the steps that are meant. Raises: ReplayError."""
    _, number, *rest = [*token.split(":"), ""]
    check = lab.suite.check(number)
    if check is None:
        raise ReplayError(
            f"{token!r}: {lab.short} has no test {number!r}; a word reads like {lab.short}:1.1 or {lab.short}:2.1:8142"
        )
    if lab.runs is not None:
        raise ReplayError(
            f"{token!r}: {lab.short} has nothing to replay, because one run of real nodes decides all its tests; "
            f"mq lab check {lab.short} makes another run"
        )
    key = rest[0]
    case = check.case(key)
    if case is None:
        named = [f"{lab.short}:{number}:{one.key}" for one in check.cases(Seeds()) if one.key][:1]
        hint = f"; it is run by a word such as {named[0]}" if named and not key else ""
        raise ReplayError(f"{token!r}: test {number} has no case {key!r}{hint}")
    if len(rest) > 2 and rest[1]:
        try:
            kept = [] if rest[1] == "-" else [int(step) for step in rest[1].split(".")]
            case = replace(case, steps=tuple(case.steps[step] for step in kept))
        except (ValueError, IndexError) as error:
            raise ReplayError(f"{token!r}: {rest[1]!r} are no steps of that case") from error
    return check, case


def replayed(lab: Lab, token: str, submission: Submission) -> tuple[Outcome, Run]:
    """Run it in practice mode, a schedule twice as the grader does: what came of it, and its story. Raises: ReplayError."""
    check, case = case_of(lab, token)
    with Runner(lab, submission, Seeds(), in_a_process()) as runner:
        runner.section = check.section
        tried = runner.replayed(case)
        failure = tried.failure
        if failure is None and check.ring == 2:
            failure = runner.differs(case, tried)
        runner.close()  # all that was printed is known then
        tried.run.printed = runner.printed
        if failure is None and check.must_meet and check.ring < _OWN_TESTS:
            tried.run.tell(f"counted in this case: {counted(tried.run.met, [*check.must_meet])}")
    outcome = Outcome(
        check.number, check.name, check.points, is_passed=failure is None, failure=failure, schedules=1, replay=token
    )
    return outcome, tried.run


def replayed_grade(lab: Lab, outcome: Outcome, run: Run, path: str = "") -> Grade:
    """What came of it, as a grade that is no mark. path: see `Grade`."""
    reason, points_max = "one case alone", outcome.points_max
    return Grade(lab.id, lab.title, REPLAY, (outcome,), reason=reason, printed=run.printed, points_max=points_max, path=path)


def with_prints_of(lab: Lab, submission: Submission, grade: Grade, outcome: Outcome) -> Grade:
    """The grade with what the code prints in one failure alone, and not in all tests that were run.

    The failure is run once more for that, where anything was printed at all. One that hangs is not: its prints are the last ones.
    """
    is_gone = outcome.failure is not None and outcome.failure.is_gone
    if not grade.printed.strip() or not outcome.replay or is_gone:
        return grade
    return replace(grade, printed=replayed(lab, outcome.replay, submission)[1].printed, printed_in=outcome.number)
