"""Schedules of lab 3e on their way: taken in, told with pictures, by the command line, released, and at Gradescope."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from labs.grader.archive import write_zip
from labs.grader.class_run import entries_in
from labs.grader.page import page_of
from labs.grader.release import Kind, release
from labs.grader.replay import replayed
from labs.grader.report import failure_lines
from labs.grader.shared import shared_by
from labs.grader.skeleton import solution_of, write_all
from labs.grader.submission import SubmissionError, read_submission
from labs.stage3_raft.lab3e_write_the_test.rafts import RIGHT, TO_KILL
from tests.labs.helpers import ROOT
from tests.labs.test_lab3e import KILLS, LAB3E, TWO_LEADERS, G, failed, graded, submission
from tests.labs.test_release import ask, environment
from tools.lab_kills import handed_in


def test_of_a_folder_the_texts_are_taken_and_no_python(tmp_path: Path) -> None:
    write_all(tmp_path / "mine", {**solution_of(LAB3E), "evil.py": "raise SystemExit", "notes.txt": "x", "figure8.py": ""})
    taken = read_submission(tmp_path / "mine", LAB3E.organ_file, LAB3E.texts)
    assert set(taken.files) == set(LAB3E.texts)
    assert graded(taken).score == 100
    (tmp_path / "mine" / "figure8.txt").unlink()
    (tmp_path / "mine" / "figure8.txt").symlink_to(tmp_path / "mine" / "notes.txt")
    with pytest.raises(SubmissionError, match=r"figure8\.txt is a link"):
        read_submission(tmp_path / "mine", LAB3E.organ_file, LAB3E.texts)


def test_one_text_alone_is_taken_for_what_it_is_called(tmp_path: Path) -> None:
    write_all(tmp_path, {"figure8.txt": solution_of(LAB3E)["figure8.txt"], "other.txt": "x", "raft.py": ""})
    grade = graded(read_submission(tmp_path / "figure8.txt", LAB3E.organ_file, LAB3E.texts))
    assert grade.score == sum(KILLS["figure8"].points)
    for name in ("other.txt", "raft.py"):
        with pytest.raises(
            SubmissionError, match=r"is neither a folder nor a zip file nor one of votes_for_everyone\.txt, no_log"
        ):
            read_submission(tmp_path / name, LAB3E.organ_file, LAB3E.texts)


def test_a_class_is_a_folder_of_folders(tmp_path: Path) -> None:
    for name in ("anna", "ben"):
        write_all(tmp_path / name, solution_of(LAB3E))
    (tmp_path / "raft.py").write_text("")
    assert {entry.name for entry in entries_in(tmp_path, LAB3E)} == {"anna", "ben", "raft.py"}
    assert entries_in(tmp_path / "anna", LAB3E) == []


def test_a_failure_shows_what_happened_as_lines_and_as_a_picture() -> None:
    grade = graded(handed_in(LAB3E, LAB3E.folder / "wrong" / "power_that_takes_nothing.txt"))
    first = failed(grade)[0]
    assert first.failure is not None
    assert "line 7: `crash 2`" in "\n".join(first.failure.story)
    told = "\n".join(failure_lines(first))
    assert re.search(r"\n +\d+ +\|---vote-request--->\|", told)
    assert not re.search(r"\n +\d+ +\| +\| +\|\n", told), "rows in which nothing is to be seen are left out"
    page = page_of(grade)
    assert page.count("data:image/svg+xml") == 2, "of the tests that look at the whole, not of those that count commands"


def test_a_replay_of_a_kill_shows_the_promise_that_broke() -> None:
    outcome, run = replayed(LAB3E, "lab3e:4.18", submission())
    assert outcome.is_passed
    assert run.story[-1].startswith(
        "a promise is broken: no two nodes ever apply different entries for the same index: entry 1 of term 2"
    )
    assert run.figure is not None
    assert "<== here" in run.figure.lines()[-3]


def test_long_stories_are_cut_in_front() -> None:
    _, run = replayed(
        LAB3E, "lab3e:4.1", submission(votes_for_everyone=f"{G}\ncampaign 1\nstabilize\n" + "tick 1 4\nstabilize\n" * 20)
    )
    assert len(run.story) == 71
    assert re.fullmatch(r"\(\d+ lines before this one are left out\)", run.story[0])
    assert not [line for line in run.story if "sends to" in line]


def test_a_group_in_which_somebody_is_never_heard_is_drawn() -> None:
    text = "group 1 2 3 4 5 pre-vote off check-quorum off\ncrash 5\ncampaign 1\nstabilize\n"
    outcome, run = replayed(LAB3E, "lab3e:4.1", submission(votes_for_everyone=text))
    assert not outcome.is_passed
    assert run.figure is not None
    assert "node 5" in run.figure.lines()[0]
    assert "href" not in run.figure.svg()


def test_a_student_goes_from_start_to_full_marks_by_the_command_line(tmp_path: Path) -> None:
    def mq(*arguments: str) -> str:
        command = [
            sys.executable,
            "-c",
            "import sys; from mq.cli.main import main; sys.exit(main(sys.argv[1:]))",
            "lab",
            *arguments,
        ]
        done = subprocess.run(command, cwd=tmp_path, env=environment(ROOT), capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert "5 files to write, 3 to 5 hours" in mq("start", "lab3e")
    told = mq("check", "lab3e")
    assert told.count("FAIL") == 20, "each schedule is told of, also behind one that lives"
    assert "0 of 100 points so far" in told
    (tmp_path / "work" / LAB3E.id / "votes_for_everyone.txt").write_text(TWO_LEADERS)
    assert "13 of 100 points so far" in mq("check", "lab3e")
    assert "in each term there is at most one leader" in mq("replay", "lab3e:4.2")
    write_all(tmp_path / "work" / LAB3E.id, solution_of(LAB3E))
    assert "100 of 100 points" in mq("grade", "lab3e", f"work/{LAB3E.id}")
    assert "the reference of lab3e" in mq("catch-up", "lab3e")


@pytest.mark.parametrize("kind", Kind)
def test_a_released_repository_judges_schedules_and_holds_none(kind: Kind, tmp_path: Path) -> None:
    folder = tmp_path / "students"
    release(folder, [LAB3E], kind)
    lab = folder / "labs" / "stage3_raft" / LAB3E.id
    assert {file.name for file in lab.iterdir() if file.is_dir()} == {"skeleton"}
    shared = [name for name in shared_by(LAB3E) if "/right/" in name or "/wrong/" in name]
    assert len(shared) == len(TO_KILL) + len(RIGHT) - 1
    for name in shared:
        assert "Seen in" not in (folder / name).read_text(encoding="utf-8")
        assert "def _" not in (folder / name).read_text(encoding="utf-8")
    texts = {file: file.read_text(encoding="utf-8", errors="replace") for file in folder.rglob("*.txt")}
    body = solution_of(LAB3E)["figure8.txt"].partition("cut 1 3\n")[2]
    assert [file for file, text in texts.items() if body in text or "crash 2 losing unsaved\nrestart 2" in text] == []
    write_all(tmp_path / "mine", solution_of(LAB3E))
    done = ask(folder, "grade", "lab3e", str(tmp_path / "mine"), "--out", str(tmp_path / "out"))
    assert "100 of 100 points" in done.stdout, done


def test_gradescopes_zip_judges_schedules_with_pythons_own_library_alone(tmp_path: Path) -> None:
    write_zip(LAB3E, tmp_path / "autograder.zip", b"key")
    with zipfile.ZipFile(tmp_path / "autograder.zip") as packed:
        packed.extractall(tmp_path / "root" / "source")
    write_all(
        tmp_path / "root" / "submission", solution_of(LAB3E) | {"figure8.txt": "import os\n", "evil.py": "raise SystemExit"}
    )
    command = [sys.executable, "-S", "-s", "-B", "-m", "labs.grader.gradescope", str(tmp_path / "root")]
    done = subprocess.run(command, cwd=tmp_path / "root" / "source", env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    found = json.loads((tmp_path / "root" / "results" / "results.json").read_text())
    assert sum(test["score"] for test in found["tests"]) == 100 - sum(KILLS["figure8"].points)
    assert {test["number"].partition(".")[0] for test in found["tests"]} == {"3e"}
