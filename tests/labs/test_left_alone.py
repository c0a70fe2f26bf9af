"""A helper's file that was handed in and not taken: whoever imports it is told so, and the rule."""

import zipfile
from pathlib import Path

import pytest

from labs.grader.grading import in_a_process
from labs.grader.lab import find_lab
from labs.grader.result import NOT_IMPORTED
from labs.grader.running import Runner
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of
from labs.grader.submission import Submission, read_submission

LAB0 = find_lab("lab0")
HELPER = "def helper():\n    return 1\n"


def handed_in(folder: Path, helper: str, line: str) -> Path:
    """The reference, with a helper that it imports first of all."""
    for name, text in solution_of(LAB0).items():
        (folder / name).write_text(text, encoding="utf-8")
    organ = folder / LAB0.organ_file
    organ.write_text(organ.read_text(encoding="utf-8") + f"\n\n{line}\n", encoding="utf-8")
    (folder / helper).parent.mkdir(exist_ok=True)
    (folder / helper).write_text(HELPER, encoding="utf-8")
    return folder


def told_of(submission: Submission) -> tuple[str, str, str]:
    """Promise, expected and found of the first test."""
    with Runner(LAB0, submission, Seeds(), in_a_process()) as runner:
        failure = runner.outcome(LAB0.suite.checks[0]).failure
    return ("", "", "") if failure is None else (failure.promise, failure.expected, failure.found)


@pytest.mark.parametrize(
    ("helper", "line"),
    [
        ("Util.py", "from lab0_tools.Util import helper"),
        ("test_util.py", "from lab0_tools import test_util"),
        ("sub/util.py", "from lab0_tools.sub.util import helper"),
        ("sub/util.py", "from .util import helper"),
    ],
)
def test_who_imports_a_file_that_was_left_alone_is_told_so(tmp_path: Path, helper: str, line: str) -> None:
    folder = tmp_path / LAB0.id
    folder.mkdir()
    submission = read_submission(handed_in(folder, helper, line), LAB0.organ_file, LAB0.texts)
    assert helper in submission.left_alone
    promise, expected, found = told_of(submission)
    assert promise == NOT_IMPORTED
    assert "small letters, digits and _" in expected
    assert f"`{LAB0.organ_file}`" in expected
    assert found.endswith(f": `{helper}` is there, and was left alone")
    assert "line " in found, "where it is imported is still said"


def test_a_zip_file_tells_the_same(tmp_path: Path) -> None:
    folder = tmp_path / LAB0.id
    folder.mkdir()
    handed_in(folder, "sub/util.py", "from lab0_tools.sub import util")
    (folder / "Other.py").write_text(HELPER)
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(folder.rglob("*.py")):
            archive.write(file, f"mine/{file.relative_to(folder).as_posix()}")
        archive.writestr("elsewhere/far.py", HELPER)
    from_zip, from_folder = (read_submission(place, LAB0.organ_file, LAB0.texts) for place in (packed, folder))
    assert from_zip.left_alone == from_folder.left_alone == ("Other.py", "sub/util.py")
    assert told_of(from_zip)[2].endswith(": `sub/util.py` is there, and was left alone")


def test_a_module_that_is_nowhere_is_missed_as_before(tmp_path: Path) -> None:
    folder = tmp_path / LAB0.id
    folder.mkdir()
    submission = read_submission(handed_in(folder, "Other.py", "from lab0_tools.util import helper"), LAB0.organ_file, LAB0.texts)
    promise, expected, found = told_of(submission)
    assert (promise, expected) == (NOT_IMPORTED, "")
    assert "lab0_tools.util" in found
    assert "left alone" not in found
