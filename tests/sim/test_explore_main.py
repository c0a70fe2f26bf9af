"""`run.py sim explore`: a story on stdout, the promise and the facts that conflict on stderr, a status that says which."""

from pathlib import Path

import pytest

from mq.sim.__main__ import main

pytestmark = pytest.mark.sim

SMALL = ["explore", "--goal", "small-scope", "--tiny", "--core", "votes-for-any-log"]


def test_a_broken_promise_is_told_with_facts_and_source_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "found.svg"
    assert main([*SMALL, "--draw", str(picture)]) == 1
    trace, said = capsys.readouterr()
    assert trace.startswith("# 1. time-out n")
    assert "broken: an entry that was committed in a term is in the logs of the leaders of all later terms" in said
    assert "fact 1: entry 1 of term 1 (noop) was committed in term 1" in said
    assert "fact 2: n" in said
    assert "source: Leader Completeness; Paper: Raft, section 5.4" in said
    assert "again:   python3 run.py sim explore --goal small-scope --core votes-for-any-log --tiny" in said
    assert picture.read_text(encoding="utf-8").startswith("<svg")


def test_a_story_is_replayed_from_its_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SMALL) == 1
    trace, told = capsys.readouterr()
    file = tmp_path / "story.txt"
    file.write_text(trace, encoding="utf-8")
    assert main([*SMALL, "--replay", str(file)]) == 1
    again, said = capsys.readouterr()
    assert again == trace
    assert said.partition("at once")[0] in told
    assert main([*SMALL[:4], "--core", "right", "--replay", str(file)]) == 2
    assert "cannot happen there" in capsys.readouterr().err


def test_a_story_without_a_broken_promise_ends_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "story.txt"
    file.write_text("# 1. time-out n2\nnot a step\n", encoding="utf-8")
    assert main([*SMALL, "--replay", str(file)]) == 0
    trace, said = capsys.readouterr()
    assert "no promise is broken by these steps" in said
    assert "role=candidate term=1" in trace


def test_a_budget_that_is_spent_is_no_success_of_a_complete_search(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL[:4], "--core", "right", "--budget", "0.2"]) == 1
    assert "no promise was broken within this budget" in capsys.readouterr().err
    assert main(["explore", "--goal", "figure8", "--core", "right", "--budget", "0.2"]) == 0
    assert "seed 1: no promise was broken within this budget" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--goal", "figure9"],
        ["--goal", "figure8", "--budget", "0"],
        ["--goal", "figure8", "--core", "nobody"],
        ["--goal", "figure8", "--draw", "x.txt"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explore", *arguments])
    assert ended.value.code == 2
    assert "usage: run.py sim explore" in capsys.readouterr().err
    assert main([*SMALL, "--replay", "no-such-file"]) == 2
