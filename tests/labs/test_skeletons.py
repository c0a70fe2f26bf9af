"""Skeletons are what is made of the reference; `test_step_by_step.py` says that everything that is blanked is needed."""

import ast
import sys
from pathlib import Path

import pytest

from labs.grader.box import ROOT, BoxError, needed_by
from labs.grader.boxed import files_for
from labs.grader.lab import Blank, Lab, LabError, all_labs, find_lab
from labs.grader.seeds import Seeds
from labs.grader.skeleton import blanked, skeleton_of, solution_of
from tests.labs.helpers import LAB1A, class_in, failures, rings
from tools.make_skeletons import differences

SOURCE = '''class Log:
    def append(self) -> int:
        """Adds."""
        first = 1
        return first + 1

    @property
    def end(self) -> int:
        return 3


def places() -> None:
    """None."""
'''


@pytest.mark.parametrize("lab", all_labs(), ids=lambda lab: lab.short)
def test_a_committed_skeleton_is_what_the_reference_makes_of_it(lab: Lab) -> None:
    assert differences(lab) == [], "make them anew: .venv/bin/python -m tools.make_skeletons"


def test_a_blank_keeps_signature_decorator_and_docstring() -> None:
    made = blanked(SOURCE, [Blank("Log.append"), Blank("Log.end")], "lab 9z")
    assert '        """Adds."""\n        raise NotImplementedError("lab 9z: Log.append")\n' in made
    assert '    @property\n    def end(self) -> int:\n        raise NotImplementedError("lab 9z: Log.end")\n' in made
    assert "first" not in made
    ast.parse(made)


def test_a_blank_may_keep_the_beginning_of_a_body() -> None:
    made = blanked(SOURCE, [Blank("Log.append", "return")], "lab 9z")
    assert '        first = 1\n        raise NotImplementedError("lab 9z: Log.append")\n' in made


@pytest.mark.parametrize(
    ("blank", "complaint"), [(Blank("Log.sync"), "no function Log.sync"), (Blank("Log.append", "x = 1"), "no statement")]
)
def test_a_blank_that_is_not_there_is_refused(blank: Blank, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        blanked(SOURCE, [blank], "lab 9z")


def test_an_unknown_lab_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(LabError, match=r"there is no lab 'lab9'; there are: lab0 .*lab1a"):
        find_lab("lab9")


# ---------------------------------------------------------------- what the box holds


def test_the_box_holds_nothing_of_what_the_lab_asks_for() -> None:
    files = files_for(LAB1A)
    assert set(LAB1A.files.values()).isdisjoint(files)
    assert "mq/broker/store/record.py" in files
    assert "labs/grader/running.py" not in files, "what gives marks stays outside"
    assert not [file for file in files if file.startswith("labs/") and "sentences" in file]


def test_a_lab_whose_given_modules_need_the_reference_is_refused() -> None:
    with pytest.raises(BoxError, match=r"recovery.py is what the lab asks for, and mq/broker/store/commit_log.py imports it"):
        needed_by(["mq.broker.store.commit_log"], ["mq/broker/store/recovery.py"])


# ---------------------------------------------------------------- a student's folder


def test_the_reference_as_a_students_folder_passes_every_sentence_wherever_it_lies(tmp_path: Path) -> None:
    make = class_in(tmp_path / "my_log", solution_of(LAB1A))
    assert list(failures(make, rings(1), Seeds())) == []
    assert sys.modules["lab1a_commit_log.recovery"].__file__ == str(tmp_path / "my_log" / "recovery.py")


def test_two_folders_one_after_the_other_are_not_mixed(tmp_path: Path) -> None:
    class_in(tmp_path / "one", skeleton_of(LAB1A))
    make = class_in(tmp_path / "two", solution_of(LAB1A))
    assert list(failures(make, rings(1), Seeds())) == []


# ---------------------------------------------------------------- the README


def test_the_readme_has_a_ladder_of_three_hints_for_each_blank_in_order() -> None:
    text = (LAB1A.folder / "README.md").read_text(encoding="utf-8")
    parts = text.split("\n### ")[1:]
    assert len(parts) == len(LAB1A.blanks)
    for number, (blank, part) in enumerate(zip(LAB1A.blanks, parts, strict=True), 1):
        assert part.startswith(f"{number}. `{blank.name}` in `"), part[:60]
        assert [part.count(f"<summary>Hint {hint}</summary>") for hint in (1, 2, 3)] == [1, 1, 1]


def test_the_readme_has_every_rule_that_a_failure_can_name() -> None:
    text = (LAB1A.folder / "README.md").read_text(encoding="utf-8")
    for check in LAB1A.suite.checks:
        number = check.section.removeprefix("README, rule ")
        assert f"\n{number}. **" in text, check.section
    assert (ROOT / "labs" / "grader").is_dir()
