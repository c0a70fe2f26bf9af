"""Submissions made in memory, and what comes of them."""

from collections.abc import Iterator
from pathlib import Path

from labs.grader.box import ROOT
from labs.grader.explaining import explain
from labs.grader.grading import in_a_process
from labs.grader.lab import Lab, all_labs, find_lab
from labs.grader.result import Failure, Outcome
from labs.grader.running import Runner, Start
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.skeleton import skeleton_of, solution_of, write_all
from labs.grader.submission import Submission
from labs.grader.suite import Check, Run
from mq.parts import load_parts
from tools.lab_kills import solutions

LAB1A = find_lab("lab1a")
NO_SYNC = """
from dataclasses import replace
_right = CommitLog.append
def append(self, *arguments):
    done = _right(self, *arguments)
    return replace(done, plan=done.plan[:-1])
CommitLog.append = append
"""
"""Behind the reference's commit log: one that acknowledges what it never syncs."""


def solution(**changed: str) -> Submission:
    """The reference as a submission. changed: text that is added at the end of a file, by its name without suffix."""
    return _submission(solution_of(LAB1A), changed)


def skeleton(**changed: str) -> Submission:
    """A skeleton as a submission."""
    return _submission(skeleton_of(LAB1A), changed)


def _submission(files: dict[str, str], changed: dict[str, str]) -> Submission:
    made = {name: text.encode() for name, text in files.items() if name != "__init__.py"}
    for stem, text in changed.items():
        made[f"{stem}.py"] = made.get(f"{stem}.py", b"") + b"\n\n" + text.encode()
    return Submission(made)


def outcomes_of(submission: Submission, *numbers: str, start: Start | None = None) -> dict[str, Outcome]:
    """Some tests, in the processes of practice mode."""
    with Runner(LAB1A, submission, Seeds(b"tests", submission.mark, scale=10), start or in_a_process()) as runner:
        return {number: runner.outcome(check_of(number)) for number in numbers}


def check_of(number: str) -> Check:
    """A test of lab 1a."""
    found = LAB1A.suite.check(number)
    assert found is not None
    return found


def class_in(folder: Path, files: dict[str, str]) -> Make:
    """A folder of a student's, loaded as the broker does."""
    write_all(folder, files)
    return load_parts(str(folder)).commit_log


def zoo(kind: str, lab: Lab = LAB1A) -> list[Path]:
    """Our wrong or right solutions, a lab's own or those that labs share."""
    return solutions(lab, kind)


def labs_with_code() -> list[Lab]:
    """All that can be done and have cases: not those in which texts alone are judged, or one run of real nodes."""
    return [lab for lab in all_labs() if lab.files and lab.runs is None]


def failures(make: Make, checks: Iterator[Check], seeds: Seeds) -> Iterator[tuple[str, int, Failure]]:
    """In this process: (test, case number, why) of each test that fails."""
    for check in checks:
        for number, case in enumerate(check.cases(seeds), 1):
            run = Run()
            try:
                case.play(make, case.steps, run)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no pass
                yield check.number, number, explain(error, run)
                break


def rings(*wanted: int) -> Iterator[Check]:
    """The tests of some rings."""
    return (check for check in LAB1A.suite.checks if check.ring in wanted)


def label(file: Path) -> str:
    """For pytest."""
    return file.stem


__all__ = [
    "LAB1A", "ROOT", "check_of", "class_in", "failures", "label", "labs_with_code",
    "outcomes_of", "rings", "skeleton", "solution", "zoo",
]  # fmt: skip
