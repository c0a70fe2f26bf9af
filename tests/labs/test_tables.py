"""The commands that make the tables of a lab, in short."""

import json
import os
from pathlib import Path

import pytest

from labs.grader.box import ROOT
from labs.grader.lab import Lab, all_labs, find_lab
from labs.grader.submission import Submission
from tests.labs.helpers import LAB1A, skeleton, zoo
from tools import false_fails, lab_nights
from tools.false_fails import Graded, graded, subjects, table_of
from tools.lab_kills import hole_of
from tools.lab_nights import code_mark, places_of, played


@pytest.mark.parametrize("lab", [lab for lab in all_labs() if lab.runs is None], ids=lambda lab: lab.short)
def test_the_kill_table_is_of_the_solutions_that_there_are(lab: Lab) -> None:
    table = (lab.folder / "KILLS.md").read_text(encoding="utf-8")
    for kind in ("wrong", "right"):
        files = zoo(kind, lab)
        assert [file.stem for file in files if f"[`{file.stem}`]({os.path.relpath(file, lab.folder)})" not in table] == []
    assert len(zoo("wrong", lab)) >= 10
    assert len(zoo("right", lab)) >= 3
    kills = json.loads((lab.folder / "kills.json").read_text(encoding="utf-8"))
    dead = {kill["name"] for kill in kills if kill["test"]}
    assert dead == {file.stem for file in zoo("wrong", lab)}


def test_a_function_that_is_taken_out_is_missed_across_the_border() -> None:
    hole = hole_of(LAB1A, "CommitLog.drop_before")
    assert (hole.test.split()[0], hole.failed, hole.is_named) == ("1.28", 3, True)


def test_the_table_of_false_fails_says_who_lost_points_and_why() -> None:
    table = table_of(LAB1A, {"one": [Graded(100, 100, 9.0, 3.0, ())] * 2, "other": [Graded(93, 100, 8.0, 2.0, ("3.3: late",))]})
    assert "| one | 2 | 2 | 9 to 9 | 3 to 3 | nothing |" in table
    assert "| other | 1 | 0 | 8 to 8 | 2 to 2 | 3.3: late |" in table


def test_what_is_graded_are_the_reference_and_all_right_ones() -> None:
    found = subjects(LAB1A)
    assert set(found) == {"the reference", *(file.stem for file in (LAB1A.folder / "right").glob("*.py"))}
    assert all("kills.txt" in submission.files for submission in found.values())


def test_right_ones_that_lie_elsewhere_are_graded_too() -> None:
    blind = ROOT / "tests/labs/from_the_texts/plain_lab3a.txt"
    found = subjects(find_lab("lab3a"), [blind])
    assert list(found)[-1] == "plain_lab3a"
    assert found["plain_lab3a"].files == {"raft.py": blind.read_bytes()}


def test_a_wrong_one_among_the_right_ones_ends_it_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []

    def one(_lab: object, _name: str, _submission: Submission, number: int) -> Graded:
        asked.append(number)
        return Graded(100 - number, 100, 1.0, 1.0, ("2.1: why",) if number else ())

    monkeypatch.setattr(false_fails, "subjects", lambda *_: {"skeleton": skeleton()})
    monkeypatch.setattr(false_fails, "graded", one)
    arguments = ["lab1a", "--resume", str(tmp_path / "known.json"), "--out", str(tmp_path / "table.md")]
    assert false_fails.main([*arguments, "--times", "1"]) == 0
    assert false_fails.main([*arguments, "--times", "2"]) == 1
    assert asked == [0, 1], "what was known is not graded again"
    assert "| skeleton | 2 | 1 |" in (tmp_path / "table.md").read_text()
    assert "2.1: why" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_right_solution_of_another_make_gets_full_marks() -> None:
    found = graded(LAB1A, "whole_copies", subjects(LAB1A)["whole_copies"], 1)
    assert found.score == found.max_score, found.failed


def test_a_night_finds_a_wrong_one_and_goes_on_where_it_stopped_while_the_code_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"right": LAB1A.folder / "right" / "whole_copies.py", "wrong": LAB1A.folder / "wrong" / "acks_before_sync.py"}
    monkeypatch.setattr(lab_nights, "places_of", lambda _lab, _scratch: places)
    monkeypatch.setattr(lab_nights, "_BLOCK", 1)
    keep, out = tmp_path / "night.json", tmp_path / "NIGHTS.md"

    def run(schedules: int) -> int:
        arguments = ["lab1a", "--schedules", str(schedules), "--jobs", "1", "--resume", str(keep), "--out", str(out)]
        return lab_nights.main(arguments)

    assert run(40) == 1
    right, wrong = out.read_text(encoding="utf-8").splitlines()[-2:]
    assert right.startswith("| right | 40 | ")
    assert " | 0 | " in right
    assert wrong.startswith("| wrong | 40 | ")
    assert "2.1, seed " in wrong
    monkeypatch.setattr(lab_nights, "_run", lambda *_: iter(()))
    assert run(40) == 1
    assert out.read_text(encoding="utf-8").splitlines()[-2:] == [right, wrong], "nothing was run again"
    monkeypatch.setattr(lab_nights, "code_mark", lambda _lab, _place: "other")
    assert run(40) == 0
    assert "| right | 0 | 0 |" in out.read_text(encoding="utf-8"), "runs of other code prove nothing"


def test_the_reference_goes_through_a_night_as_a_student_has_it(tmp_path: Path) -> None:
    places = places_of(LAB1A, tmp_path)
    assert set(places) == {"the reference", *(file.stem for file in zoo("right", LAB1A))}
    night = played("lab1a", places["the reference"], 0)
    assert night.failures == []
    assert night.steps > night.schedules > 0
    assert len({code_mark(LAB1A, place) for place in places.values()}) == len(places)
