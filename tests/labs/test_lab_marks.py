"""A lab's tables say what code they are of, and the tool tells which are of the code that is here."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from labs.grader.lab import every_lab
from tests.labs.helpers import LAB1A
from tools import false_fails, lab_marks
from tools.false_fails import table_of
from tools.lab_marks import NO_TABLE, OF_OTHER_CODE, OF_THIS_CODE, UNMARKED, main, mark_of, stamp, stamped, state_of


@pytest.fixture
def lab_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab with one source, in a root of its own."""
    folder = tmp_path / "labs" / "stage" / LAB1A.id
    (folder / "wrong").mkdir(parents=True)
    (folder / "suite.py").write_text("one = 1\n")
    (folder / "wrong" / "bad.py").write_text('"""Bad."""\n')
    (folder / "lab.toml").write_text('title = "of a test"\n')
    (folder / "README.md").write_text("read\n")
    for source in LAB1A.sources:
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / source).write_text("of the reference\n")
    monkeypatch.setattr(lab_marks, "ROOT", tmp_path)
    return folder


def test_the_mark_changes_with_code_texts_and_the_reference_and_with_nothing_else(lab_folder: Path) -> None:
    lab = replace(LAB1A, folder=lab_folder)
    seen = [mark_of(lab)]
    for file in (
        lab_folder / "suite.py",
        lab_folder / "lab.toml",
        lab_folder / "wrong" / "bad.py",
        lab_folder.parents[2] / lab.sources[-1],
        lab_folder / "wrong" / "new.txt",
    ):
        with file.open("a") as more:
            more.write("more\n")
        seen.append(mark_of(lab))
    assert len({*seen}) == len(seen)
    assert all(len(mark) == 8 and int(mark, 16) >= 0 for mark in seen)
    (lab_folder / "README.md").write_text("other words\n")
    (lab_folder / "KILLS.md").write_text("a table\n")
    (lab_folder / "suite.py").write_bytes((lab_folder / "suite.py").read_bytes().replace(b"\n", b"\r\n"))
    assert mark_of(lab) == seen[-1]
    (lab_folder / "suite.py").rename(lab_folder / "suites.py")
    assert mark_of(lab) != seen[-1]


def test_a_table_is_of_this_code_until_that_changes(lab_folder: Path) -> None:
    lab, table = replace(LAB1A, folder=lab_folder), lab_folder / "FALSE_FAILS.md"
    assert state_of(lab, "FALSE_FAILS.md") == NO_TABLE
    table.write_text("# Lab\n\nMade by `it` at c4fe2f9, Python 3.11.7.\n")
    assert state_of(lab, "FALSE_FAILS.md") == UNMARKED
    table.write_text(table_of(lab, {}, mark_of(lab)))
    assert state_of(lab, "FALSE_FAILS.md") == OF_THIS_CODE
    assert stamped(table.read_text()) == mark_of(lab)
    (lab_folder / "suite.py").write_text("one = 2\n")
    assert state_of(lab, "FALSE_FAILS.md") == OF_OTHER_CODE


@pytest.mark.parametrize("other", ["01234567", ""])
def test_a_table_that_holds_what_was_found_with_other_code_is_not_of_this_one(lab_folder: Path, other: str) -> None:
    lab = replace(LAB1A, folder=lab_folder)
    for marks, wanted in (((), OF_THIS_CODE), ((mark_of(lab),), OF_THIS_CODE), ((mark_of(lab), other), OF_OTHER_CODE)):
        (lab_folder / "KILLS.md").write_text(f"Made at {stamp(lab, *marks)}, Python\n")
        assert state_of(lab, "KILLS.md") == wanted


def test_grades_that_were_kept_from_other_code_take_the_mark_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep, out = tmp_path / "kept.json", tmp_path / "table.md"
    monkeypatch.setattr(false_fails, "subjects", lambda *_: {"one": None})
    monkeypatch.setattr(false_fails, "graded", lambda *_: false_fails.Graded(100, 100, 1.0, 1.0, ()))

    def made(times: int) -> str:
        false_fails.main(["lab1a", "--times", str(times), "--resume", str(keep), "--out", str(out)])
        return stamped(out.read_text(encoding="utf-8"))

    mark = mark_of(LAB1A)
    assert [made(1), made(2)] == [mark, mark]
    monkeypatch.setattr(false_fails, "mark_of", lambda _lab: "01234567")
    assert [made(3), made(4)] == ["", ""], "and they stay of other code"


def test_the_tool_tells_of_each_lab(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [[lab.short, mark_of(lab)] for lab in every_lab()]
    assert all(line.count(".md ") == 3 for line in lines)
    assert main(["lab1a"]) == 0
    assert capsys.readouterr().out.startswith("lab1a  ")
    assert shutil.which("git") is None or stamp(LAB1A).endswith(f"(code {mark_of(LAB1A)})")
