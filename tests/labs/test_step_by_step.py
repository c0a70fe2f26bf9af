"""A lab is done one method after the other: each makes a test pass, and the lack of each is told by a test about it.

A lab joins by its name in `LABS`. What is looked at are its sentences (ring 1), in this process.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from labs.grader.explaining import explain
from labs.grader.lab import Lab, find_lab
from labs.grader.loading import organ_in
from labs.grader.result import Failure
from labs.grader.seeds import Seeds
from labs.grader.skeleton import skeleton_of, write_all, written_up_to
from labs.grader.suite import Check, Run

LABS = ("lab0", "lab1a", "lab1b", "lab1c", "lab1d")
STEPS = [(lab, number) for lab in LABS for number in range(1, len(find_lab(lab).blanks) + 1)]
NAMES = [f"{lab}-{find_lab(lab).blanks[number - 1].name}" for lab, number in STEPS]


def sentences(lab: Lab) -> list[Check]:
    """Ring 1, in the order in which it is run."""
    return [check for check in lab.suite.checks if check.ring == 1]


def failed(lab: Lab, files: dict[str, str]) -> dict[str, Failure]:
    """Which of the sentences fail for a student's folder, and why."""
    found = {}
    with TemporaryDirectory() as folder:
        write_all(Path(folder), files)
        make = organ_in(Path(folder), lab.organ_file, lab.seam.name)
        for check in sentences(lab):
            for case in check.cases(Seeds()):
                run = Run()
                try:
                    case.play(make, case.steps, run)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is no pass
                    found[check.number] = explain(error, run)
                    break
    return found


@cache
def passed_with(name: str, count: int) -> frozenset[str]:
    """The sentences that pass when the first so many methods are written."""
    lab = find_lab(name)
    return frozenset(check.number for check in sentences(lab)) - set(failed(lab, written_up_to(lab, count)))


def points(lab: Lab, numbers: frozenset[str]) -> int:
    """What these tests are worth."""
    return sum(check.points for check in sentences(lab) if check.number in numbers)


@pytest.mark.parametrize("name", LABS)
def test_an_empty_skeleton_has_no_points_and_the_last_method_makes_all_sentences_pass(name: str) -> None:
    lab = find_lab(name)
    assert passed_with(name, 0) == frozenset()
    assert passed_with(name, len(lab.blanks)) == {check.number for check in sentences(lab)}


@pytest.mark.parametrize(("name", "number"), STEPS, ids=NAMES)
def test_each_method_written_in_order_moves_the_score_up(name: str, number: int) -> None:
    lab = find_lab(name)
    before, after = passed_with(name, number - 1), passed_with(name, number)
    assert before < after, "it makes no test pass, or lets one fail that passed"
    assert points(lab, after) >= points(lab, before) + 1


@pytest.mark.parametrize(("name", "number"), STEPS, ids=NAMES)
def test_a_method_that_alone_is_missing_is_told_by_a_test_that_it_makes_pass(name: str, number: int) -> None:
    lab, blank = find_lab(name), find_lab(name).blanks[number - 1]
    found = failed(lab, skeleton_of(lab, only=blank.name))
    first = next(iter(found), None)
    own = passed_with(name, number) - passed_with(name, number - 1)
    assert first in own, "the first test that fails is about another method"
    assert own <= set(found)
    assert {failure.promise for failure in found.values()} == {f"`{blank.name}` is not written yet"}


@pytest.mark.parametrize("name", LABS)
def test_the_sentences_are_numbered_in_the_order_in_which_they_are_run(name: str) -> None:
    numbers = [check.number for check in sentences(find_lab(name))]
    assert numbers == [f"1.{number}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("name", LABS)
def test_the_readme_says_which_sentences_each_method_makes_pass(name: str) -> None:
    lab = find_lab(name)
    text = (lab.folder / "README.md").read_text(encoding="utf-8")
    for number, blank in enumerate(lab.blanks, 1):
        before, after = passed_with(name, number - 1), passed_with(name, number)
        new = [check.number for check in sentences(lab) if check.number in after - before]
        row = f"| {number} | `{blank.name}` | {', '.join(new)} | {points(lab, after)} |"
        assert row in text.split("\n"), f"the README must say: {row}"
