"""Names that submissions may have: none takes the place of the table, and none is a formula in it."""

import csv
import re
from pathlib import Path

import pytest

from labs.grader.class_run import ClassRun, Done, entries_in
from labs.grader.class_table import write_class
from labs.grader.policy import NO_POLICY
from labs.grader.skeleton import solution_of, write_all
from tests.labs.helpers import LAB1A

TAKEN = ("class.csv", "Class.HTML", "similarity.csv")
FORMULAS = (" =1+1", "\u00a0@SUM(A1)", "\t-2", "=1+1", "+1", "  +1")
PLAIN = ("ada", " ada", "a=b", "1 - 2")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Of a class in which each name is somebody's folder, with nothing in it that can be graded."""
    folder = tmp_path / "handed_in"
    for name in (*TAKEN, *FORMULAS, *PLAIN):
        (folder / name).mkdir(parents=True)
    entries = entries_in(folder, LAB1A)
    run, told = ClassRun(LAB1A, tmp_path / "out", "a key"), list[Done]()
    run.grade_all(entries, told.append)
    assert {done.name for done in told} == {*TAKEN, *FORMULAS, *PLAIN}
    write_class(run, entries, NO_POLICY)
    return run.results


def table(results: Path) -> dict[str, dict[str, str]]:
    with (results / "class.csv").open(newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_who_is_called_as_a_file_of_the_table_is_a_row_with_the_reason(results: Path) -> None:
    rows = table(results)
    for name in TAKEN:
        assert (rows[name]["score"], rows[name]["mark"]) == ("", "")
        assert f"{name} is what a file of the table is called" in rows[name]["reason"]
    assert {each.name for each in results.iterdir() if each.is_file()} == {"class.csv", "class.html", "similarity.csv"}
    assert not (results / "Class.HTML").is_dir()
    page = (results / "class.html").read_text(encoding="utf-8")
    assert 'href="ada/report.html"' in page
    assert "Class.HTML/report.html" not in page


def test_no_name_is_a_formula_in_a_spreadsheet(results: Path) -> None:
    assert set(table(results)) == {*TAKEN, *PLAIN, *(f"'{name}" for name in FORMULAS)}


def test_what_python_could_not_read_is_told_beside_the_score_and_all_tests_are_in_view(tmp_path: Path) -> None:
    files = solution_of(LAB1A)
    write_all(tmp_path / "in" / "dora", {**files, "commit_log.py": files["commit_log.py"] + "\ndef broken(:\n"})
    write_all(tmp_path / "in" / "emil", {"commit_log.py": "class CommitLog:\n    pass\n"})
    entries = entries_in(tmp_path / "in", LAB1A)
    run = ClassRun(LAB1A, tmp_path / "out", "a key")
    run.grade_all(entries, lambda _done: None)
    rows, _ = write_class(run, entries, NO_POLICY)
    why = f"SyntaxError: invalid syntax (commit_log.py, line {files['commit_log.py'].count(chr(10)) + 2})"
    assert [(row.name, row.score, row.reason, row.note) for row in rows] == [("dora", 10, "", why), ("emil", 0, "", "")]
    assert [table(run.results)[name]["reason"] for name in ("dora", "emil")] == [why, ""]
    page = (run.results / "class.html").read_text(encoding="utf-8")
    assert f'<span class="why">{why}</span>' in page
    assert "2 submissions, 2 graded: median 5 points. All in practice mode, not for marks." in page
    heads = re.findall(r"<th[^>]*>(?:<span>)?([\w.]+)", page)
    assert heads == ["submission", "score", "late", "mark", *(check.number for check in LAB1A.suite.checks), "alike"]
    assert "max-width: 96rem" not in page
    assert re.search(r"\.who \{[^}]*position: sticky", page), "the names stay when the rest is moved"
