"""What comes behind a lab on the way through the course, and that a check which finds nothing wrong says so."""

from pathlib import Path

import pytest

from labs.grader.cli import _what_comes_next
from labs.grader.lab import all_labs, find_lab
from labs.grader.skeleton import solution_of, write_all
from labs.grader.way import behind, in_words, spoken, way
from mq.cli.main import main

IDS = [lab.id for lab in all_labs()]


def test_a_way_is_said_in_words() -> None:
    names = ["lab0_tools", "00_talk", "01_log", "lab1a_x", "lab1b_y", "02_z"]
    assert in_words(names) == "lab 0, lessons 0 and 1, labs 1a and 1b, lesson 2"
    assert in_words([]) == ""
    assert (spoken("lab1a_commit_log"), spoken("04_kill_your_broker")) == ("lab 1a", "lesson 4")


def test_of_the_labs_only_those_that_are_there_are_on_the_way() -> None:
    assert [name for name in way(IDS) if name.startswith("lab")] == [name for name in way(IDS) if name in IDS]
    assert [name for name in way([]) if name.startswith("lab")] == []
    assert len(way(IDS)) == len(way([])) + len([name for name in IDS if name in way(IDS)])


def test_behind_a_lab_comes_the_first_thing_that_follows_it() -> None:
    assert behind("lab0_tools", IDS) == "00_three_ways_to_talk"
    assert behind("lab1a_commit_log", IDS) == "02_finding_a_message"
    assert behind("lab1c_delivery", IDS) == "lab1d_idempotent_consumer"
    assert behind("lab1c_delivery", ["lab1c_delivery"]) == "04_kill_your_broker", "one that was not released is not named"
    assert behind("lab9_of_nobody", IDS) == ""
    assert [_what_comes_next(find_lab(name)) for name in ("lab1c", "lab1d")] == [
        "lab 1d: mq lab start lab1d",
        "lesson 4, in `python3 run.py course`",
    ]


def test_a_check_that_finds_nothing_wrong_says_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lab = find_lab("lab0")
    write_all(tmp_path / "work" / lab.id, solution_of(lab))
    assert main(["lab", "check", "lab0"]) == 0
    out = capfd.readouterr().out
    assert "lab0: 100 of 100 points so far" in out
    assert out.endswith("next:      lesson 0, in `python3 run.py course`\n")
    write_all(tmp_path / "elsewhere", solution_of(lab))
    assert main(["lab", "check", "lab0", "elsewhere"]) == 0
    assert "next:" not in capfd.readouterr().out, "who looks at somebody's work is not on the way"
