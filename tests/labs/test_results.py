"""What a grade is written as, and the commands that a student and a teacher type."""

import json
import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from labs.grader.explaining import explain
from labs.grader.files import as_data, as_gradescope, write_files
from labs.grader.grading import grade_of
from labs.grader.page import page_of
from labs.grader.replay import ReplayError, case_of
from labs.grader.report import failure_lines
from labs.grader.result import Failure, Grade, Outcome
from labs.grader.running import patience
from labs.grader.seeds import Seeds
from labs.grader.shrinking import shrunk
from labs.grader.skeleton import solution_of, write_all
from labs.grader.strips import strips_of
from labs.grader.suite import PromiseBrokenError, Run
from mq.cli.main import main
from mq.parts import load_parts
from mq.sim.disk import SimDisk
from tests.labs.helpers import LAB1A, NO_SYNC, check_of, outcomes_of, skeleton, solution, zoo

WHY = Failure("A promise", "one <fact>", "another", "README, rule 6", ("first", "second"))
FAILED = Outcome("2.1", "a test", 7, failure=WHY, seed="8142", replay="lab1a:2.1:8142:0.3", schedules=3)
PASSED = Outcome("1.1", "one", 2, is_passed=True)
GRADE = Grade("lab1a_commit_log", "A commit log", "practice mode, not for marks", (PASSED, FAILED), reason="", seconds=3.2)
NOT_THERE = ["lab1a", "lab1a:9.9", "lab1a:2.1:no-such", "lab1a:2.1:8142:99", "lab1a:2.1:8142:x", "lab1a:1.1:7"]


def test_a_grade_that_did_not_finish_is_zero_and_says_so(tmp_path: Path) -> None:
    write_files(tmp_path, Grade("lab1a_commit_log", "A commit log", "practice mode", points_max=100))
    found = json.loads((tmp_path / "result.json").read_text())
    assert (found["score"], found["max_score"], found["reason"]) == (0, 100, "did not finish")
    assert json.loads((tmp_path / "results.json").read_text())["score"] == 0
    assert "No mark: did not finish" in (tmp_path / "report.html").read_text()


def test_points_of_a_grade_that_broke_off_do_not_count() -> None:
    broken_off = Grade("lab1a", "t", "m", (Outcome("1.1", "one", 2, is_passed=True),), reason="the grader itself stopped")
    assert broken_off.score == 0
    assert [test["score"] for test in as_gradescope(broken_off)["tests"]] == [0]


def test_the_keys_that_scripts_of_teachers_use() -> None:
    found = as_data(GRADE)
    assert {"lab", "score", "max_score", "tests"} <= set(found)
    assert (found["score"], found["max_score"]) == (2, 9)
    assert {"name", "passed", "points", "message", "seed", "schedules", "seconds", "replay"} <= set(found["tests"][1])
    assert found["tests"][1]["message"] == "A promise: one <fact>, but another"


def test_gradescope_gets_what_it_knows() -> None:
    found = as_gradescope(GRADE)
    assert "score" not in found, "it would override the sum of the tests"
    assert set(found) <= {"output", "output_format", "execution_time", "visibility", "tests"}
    known = {"score", "max_score", "status", "name", "number", "output", "output_format", "tags", "visibility"}
    assert all(set(test) <= known for test in found["tests"])
    assert [test["number"] for test in found["tests"]] == ["1a.1.1", "1a.2.1"]
    assert "mq lab replay lab1a:2.1:8142:0.3" in found["tests"][1]["output"]


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attributes if name in ("src", "href")]


def test_the_page_needs_nothing_from_outside_and_believes_no_text() -> None:
    page = page_of(GRADE)
    links = _Links()
    links.feed(page)
    assert all(link.startswith(("data:", "#")) for link in links.found)
    assert "one &lt;fact&gt;" in page
    assert "<fact>" not in page


def test_a_failure_with_disks_is_drawn() -> None:
    make = load_parts(str(LAB1A.folder / "wrong" / "acks_before_sync.py")).commit_log
    check = check_of("2.1")
    case = check.cases(Seeds())[0]
    with pytest.raises(PromiseBrokenError) as caught:
        case.play(make, case.steps, run := Run())
    failure = explain(caught.value, run)
    outcome = Outcome("2.1", "x", 7, failure=failure)
    page = page_of(Grade("lab1a", "t", "m", (outcome,)))
    assert 'src="data:image/svg+xml;base64,' in page
    assert any("|H|" in line for line in failure_lines(outcome))
    assert strips_of(SimDisk()) == ["no segment"]


@pytest.mark.parametrize("needed", [{3}, {0, 19}, {4, 5, 6}, set(range(20))])
def test_a_failing_run_is_made_as_short_as_can_be(needed: set[int]) -> None:
    tries: list[int] = []

    def still_fails(kept: tuple[int, ...]) -> bool:
        tries.append(1)
        return needed <= set(kept)

    assert set(shrunk(20, still_fails)) == needed
    assert len(tries) <= 160


# ---------------------------------------------------------------- across the border


def test_a_wrong_log_across_the_border_gets_a_short_story_that_can_be_repeated() -> None:
    submission = solution(commit_log=NO_SYNC)
    outcome = outcomes_of(submission, "2.1")["2.1"]
    assert outcome.failure is not None
    assert len(outcome.failure.story) <= 6, outcome.failure.story
    check, case = case_of(LAB1A, outcome.replay)
    assert check.number == "2.1"
    assert len(case.steps) <= 4
    assert outcome.failure.is_pictured


@pytest.mark.parametrize("token", NOT_THERE)
def test_a_word_that_is_none_of_ours_is_refused(token: str) -> None:
    with pytest.raises(ReplayError):
        case_of(LAB1A, token)


@pytest.mark.parametrize(("load", "times"), [(0.0, 1.0), (4.0, 3.0), (11.0, 6.5), (400.0, 10.0)])
def test_a_crowded_machine_is_given_more_time(load: float, times: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert patience() == times


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_reference_gets_full_marks_twice_and_the_skeleton_none(tmp_path: Path) -> None:
    for number in range(2):
        grade = grade_of(LAB1A, solution(), Seeds(b"course", solution().mark), folder=tmp_path / str(number))
        assert (grade.score, grade.max_score, grade.reason) == (100, 100, ""), grade.first_failure
    told = []
    for number in range(2):
        tests = json.loads((tmp_path / str(number) / "result.json").read_text())["tests"]
        told.append([{**test, "seconds": 0} for test in tests])
    assert told[0] == told[1]
    assert grade_of(LAB1A, skeleton(), Seeds()).score == 0


# ---------------------------------------------------------------- commands


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["lab", *arguments])
    said = capfd.readouterr()
    return code, said.out, said.err


def test_a_lab_is_started_once_and_checked(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "list")
    assert code == 0
    assert "lab1a" in out
    code, out, _ = run(capfd, "start", "lab1a")
    assert code == 0
    assert (folder / "work/lab1a_commit_log/README.md").exists()
    (folder / "work/lab1a_commit_log/commit_log.py").write_text("mine = True\n")
    code, _, err = run(capfd, "start", "LAB1A")
    assert code == 1
    assert "left as it is" in err
    assert (folder / "work/lab1a_commit_log/commit_log.py").read_text() == "mine = True\n"


def test_the_first_failure_of_a_skeleton_is_explained_and_can_be_repeated(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run(capfd, "start", "lab1a")
    code, out, _ = run(capfd, "check", "lab1a")
    assert code == 1
    so_far = json.loads((folder / "work/results/lab1a_commit_log/progress.json").read_text())
    assert (so_far["points"], so_far["max_points"], so_far["by"]) == (0, 100, "mq lab check")
    assert "`CommitLog._roll` is not written yet (commit_log.py, line" in out
    assert "README, method `CommitLog._roll`" in out
    assert "mq lab replay lab1a:1.1" in out
    code, again, _ = run(capfd, "replay", "lab1a:1.1")
    assert code == 1
    assert "`CommitLog._roll` is not written yet" in again
    assert json.loads((folder / "work/results/lab1a_commit_log/progress.json").read_text()) == so_far


def test_a_solution_to_go_on_with_lies_beside_ones_own_work(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "catch-up", "lab1a")
    assert run(capfd, "start", "lab1a")[0] == 0, "also when it came first"
    assert code == 0
    assert "lab1a_commit_log_reference" in out
    assert "run it: mq broker --data .mq/lab1a --parts work/lab1a_commit_log_reference\n" in out
    assert "its tests: mq lab check lab1d work/lab1d_idempotent_consumer_reference\n" in run(capfd, "catch-up", "lab1d")[1]
    code, out, _ = run(capfd, "replay", "lab1a:1.22", "work/lab1a_commit_log_reference")
    assert code == 0
    assert out.startswith("ok")
    assert "What happened:\n    1  " in out, "also of one that passes"
    assert run(capfd, "catch-up", "lab1a")[0] == 1
    assert (folder / "work/lab1a_commit_log_reference/recovery.py").exists()


def test_start_says_that_what_lies_there_is_the_reference(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_all(folder / "work/lab1a_commit_log", solution_of(LAB1A))
    code, _, err = run(capfd, "start", "lab1a")
    assert code == 1
    assert "work/lab1a_commit_log holds the reference of lab1a, and nothing of yours" in err
    (folder / "work/lab1a_commit_log/notes.txt").write_text("mine")
    assert "work/lab1a_commit_log is there already" in run(capfd, "start", "lab1a")[2]


def test_a_folder_in_a_folder_is_found_and_several_are_named(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_all(folder / "handed_in/gil/lab1a_commit_log", solution_of(LAB1A))
    assert run(capfd, "replay", "lab1a:1.1", "handed_in/gil")[0] == 0
    write_all(folder / "handed_in/gil/second", {"commit_log.py": "x = 1\n"})
    for command in (("replay", "lab1a:1.1"), ("check", "lab1a")):
        code, _, err = run(capfd, *command, "handed_in/gil")
        assert code == 2
        assert "there is no commit_log.py in handed_in/gil, but in folders inside of it" in " ".join(err.split())
        assert "lab1a_commit_log, second" in err
    (folder / "empty/notes").mkdir(parents=True)
    assert "there is no commit_log.py in empty" in run(capfd, "check", "lab1a", "empty")[2]


def test_a_grade_as_json(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "mine").mkdir()
    (folder / "mine/commit_log.py").write_text("class CommitLog:\n    pass\n")
    code, out, _ = run(capfd, "grade", "lab1a", "mine", "--seed", "7", "-o", "json", "--out", "results")
    found: dict[str, Any] = json.loads(out)
    assert code == 0
    assert (found["score"], found["max_score"]) == (0, 100)
    assert "CommitLog() takes no arguments" in found["tests"][0]["message"]
    assert json.loads((folder / "results/results.json").read_text())["tests"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("check", "lab1a"), "there is no work/lab1a_commit_log yet: mq lab start lab1a"),
        (("start", "lab9"), "there is no lab 'lab9'"),
        (("grade", "lab1a", "nowhere"), "there is no folder nowhere"),
        (("replay", "nonsense"), "there is no lab 'nonsense'"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(
    arguments: tuple[str, ...], complaint: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capfd, *arguments)
    assert code == 2
    assert complaint in err
    assert not list(folder.iterdir())


@pytest.mark.parametrize("out", ["taken", "taken/results", "nowhere"])
def test_a_place_for_the_results_that_is_no_folder_is_told_before_anything_is_graded(
    out: str, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labs.grader.cli_grade.grade_of", lambda *_, **__: pytest.fail("it was graded"))
    (folder / "mine").mkdir()
    (folder / "mine/commit_log.py").write_text("class CommitLog:\n    pass\n")
    (folder / "taken").write_text("my notes")
    (folder / "nowhere").symlink_to(folder / "gone")
    code, _, err = run(capfd, "grade", "lab1a", "mine", "--out", out)
    assert code == 2
    assert f"--out is for a folder, and {out.partition('/')[0]} is none" in err


def test_the_zoo_has_one_sentence_each() -> None:
    for file in [*zoo("wrong"), *zoo("right")]:
        first = file.read_text(encoding="utf-8").split("\n")[0]
        assert first.startswith('"""')
        assert len(first) > 40
