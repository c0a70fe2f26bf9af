"""One case again, by the word that a failure ends with: `lab1a:2.1:8142:0.3.7` is steps 0, 3 and 7 of seed 8142 of test 2.1."""

from dataclasses import replace

from labs.grader.grading import in_a_process
from labs.grader.lab import Lab
from labs.grader.result import Outcome
from labs.grader.running import Runner
from labs.grader.seeds import Seeds
from labs.grader.submission import Submission
from labs.grader.suite import Case, Check, Run

__all__ = ["ReplayError", "case_of", "replayed"]


class ReplayError(Exception):
    """The word is none of ours."""


def case_of(lab: Lab, token: str) -> tuple[Check, Case]:
    """The test, and the case with the steps that are meant. Raises: ReplayError."""
    _, number, *rest = [*token.split(":"), ""]
    check = lab.suite.check(number)
    if check is None:
        raise ReplayError(
            f"{token!r}: {lab.short} has no test {number!r}; a word reads like {lab.short}:1.1 or {lab.short}:2.1:8142"
        )
    key = rest[0]
    case = check.case(key)
    if case is None:
        raise ReplayError(f"{token!r}: test {number} has no case {key!r}")
    if len(rest) > 2 and rest[1]:
        try:
            kept = [] if rest[1] == "-" else [int(step) for step in rest[1].split(".")]
            case = replace(case, steps=tuple(case.steps[step] for step in kept))
        except (ValueError, IndexError) as error:
            raise ReplayError(f"{token!r}: {rest[1]!r} are no steps of that case") from error
    return check, case


def replayed(lab: Lab, token: str, submission: Submission) -> tuple[Outcome, Run]:
    """Run it in practice mode: what came of it, and its story. Raises: ReplayError."""
    check, case = case_of(lab, token)
    with Runner(lab, submission, Seeds(), in_a_process()) as runner:
        tried = runner.replayed(case)
    outcome = Outcome(
        check.number, check.name, check.points, is_passed=tried.failure is None, failure=tried.failure, schedules=1, replay=token
    )
    return outcome, tried.run
