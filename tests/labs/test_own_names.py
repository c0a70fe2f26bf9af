"""A student's helper methods may have any name, also one that the grader uses for itself."""

from pathlib import Path

import pytest

from labs.grader.grading import in_a_process
from labs.grader.lab import Lab, find_lab
from labs.grader.loading import organ_in
from labs.grader.remote import RemoteOrgan
from labs.grader.running import Runner
from labs.grader.seams import Elsewhere
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of, write_all
from labs.grader.submission import Submission
from tests.labs.helpers import failures, labs_with_code

HELPERS = """


def _helper(self, *_arguments, **_named):
    raise AssertionError("this is a helper of the student's: the grader must not ask for it")


for _name in {names!r}:
    setattr({organ}, _name, _helper)
"""
NAMES = sorted({name for kind in (Elsewhere, RemoteOrgan) for name in vars(kind) if not name.startswith("__")})


def files_with_helpers(lab: Lab) -> dict[str, str]:
    """The reference, with a method of each name that a proxy has."""
    files = solution_of(lab)
    files[lab.organ_file] += HELPERS.format(names=NAMES, organ=lab.seam.name)
    return files


def submission_with_helpers(lab: Lab) -> Submission:
    """The same, handed in."""
    return Submission({name: text.encode() for name, text in files_with_helpers(lab).items() if name != "__init__.py"})


@pytest.mark.parametrize("lab", labs_with_code(), ids=lambda lab: lab.short)
def test_a_method_called_as_one_of_the_graders_own_costs_nothing_in_the_students_process(lab: Lab, tmp_path: Path) -> None:
    assert {"at_once", "driven"} <= set(NAMES)
    write_all(tmp_path / lab.id, files_with_helpers(lab))
    make = organ_in(tmp_path / lab.id, lab.organ_file, lab.seam.name)
    checks = (check for check in lab.suite.checks if check.ring < 3)
    assert list(failures(make, checks, Seeds(b"tests", "names", scale=5))) == []


@pytest.mark.parametrize("lab", labs_with_code(), ids=lambda lab: lab.short)
def test_nor_across_the_border_and_no_lab_asks_for_such_a_method(lab: Lab) -> None:
    assert not {*lab.seam.methods, *lab.seam.observed} & set(NAMES), "a proxy has it for itself"
    submission = submission_with_helpers(lab)
    with Runner(lab, submission, Seeds(b"tests", submission.mark, scale=5), in_a_process()) as runner:
        outcomes = [runner.outcome(check) for check in lab.suite.checks if check.ring == 1]
    assert not [outcome.message for outcome in outcomes if not outcome.is_passed]


def test_nor_where_many_more_seeds_are_run_beside_it() -> None:
    lab = find_lab("lab1c")
    submission = submission_with_helpers(lab)
    check = next(check for check in lab.suite.checks if check.sweep)
    with Runner(lab, submission, Seeds(b"tests", submission.mark), in_a_process()) as runner:
        outcome = runner.outcome(check)
    assert outcome.is_passed, outcome.message
