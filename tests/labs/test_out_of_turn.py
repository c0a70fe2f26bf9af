"""A run that comes to a method which its test has no need of yet: what was written before it is wrong, and that is told."""

import pytest

from labs.grader.grading import in_a_process
from labs.grader.lab import Lab, find_lab
from labs.grader.out_of_turn import _rows_of
from labs.grader.result import Outcome
from labs.grader.running import Runner
from labs.grader.seeds import Seeds
from labs.grader.skeleton import written_up_to
from labs.grader.submission import Submission
from tests.labs.helpers import labs_with_code

LAB3A = find_lab("lab3a")


def outcome_of(lab: Lab, files: dict[str, str], number: str) -> Outcome:
    submission = Submission({name: text.encode() for name, text in files.items() if name != "__init__.py"})
    check = lab.suite.check(number)
    assert check is not None
    with Runner(lab, submission, Seeds(), in_a_process()) as runner:
        return runner.outcome(check)


def test_a_leader_that_is_not_protected_is_told_by_the_row_that_protects_it() -> None:
    files = written_up_to(LAB3A, 3)
    right = "not message.is_transfer and self._is_leader_well()"
    assert right in files["raft.py"]
    outcome = outcome_of(LAB3A, {**files, "raft.py": files["raft.py"].replace(right, "False")}, "1.5")
    assert outcome.failure is not None
    assert not outcome.failure.is_lack
    assert outcome.failure.promise == "The story of this test does not come to `Raft.on_vote_request`"
    assert "rows 1 to 3 are about is enough" in outcome.failure.expected
    assert "the method of row 7" in outcome.failure.found
    assert outcome.failure.figure is not None


def test_what_a_test_needs_and_is_not_there_is_told_as_before() -> None:
    outcome = outcome_of(LAB3A, written_up_to(LAB3A, 3), "1.6")
    assert outcome.failure is not None
    assert outcome.failure.is_lack
    assert outcome.failure.promise.startswith("`Raft.on_pre_vote_request` is not written yet")


@pytest.mark.parametrize("lab", labs_with_code(), ids=lambda lab: str(lab.short))
def test_the_row_of_every_sentence_and_of_every_method_is_known(lab: Lab) -> None:
    rows, methods = _rows_of(lab.folder / "README.md")
    assert {check.number for check in lab.suite.checks if check.ring == 1} <= {*rows}
    assert sorted(methods.values()) == [*range(1, len(methods) + 1)]
    assert len(methods) == len(lab.blanks)
