"""`run.py sim`: seeds in, promises or sentences out."""

import re
from pathlib import Path

import pytest

from mq.sim.__main__ import main
from mq.sim.checkers import BrokenPromiseError
from mq.sim.world import World

BROKER = ("--profile", "broker")


def test_many_seeds_end_in_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BROKER, "--seeds", "1..3", "--steps", "1000"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("3 seeds, ")
    assert ": 0 broken\n" in said
    assert " power-loss, " in said


def test_one_seed_prints_the_same_trace_each_time_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "loss.png"
    assert main([*BROKER, "--seed", "2", "--steps", "1000", "--draw", str(picture)]) == 0
    first, said = capsys.readouterr()
    assert "seed 2: all 8 checks held over " in said
    assert " power-loss, " in said
    assert re.search(r"drawn: .*loss\.png, the power loss at \d+ ms, of \d+ the one that shows most", said)
    assert main([*BROKER, "--seed", "2", "--steps", "1000"]) == 0
    assert capsys.readouterr().out == first
    assert first.startswith("time          node  event           details\n")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_broken_promise_and_a_vacuous_run_end_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*BROKER, "--seeds", "7..7", "--steps", "1"]) == 1
    assert "seed 7: the run proves nothing" in capsys.readouterr().err

    def break_it(world: World) -> None:
        raise BrokenPromiseError("nothing is invented", "message p1-1 was delivered, and nobody ever sent it")

    monkeypatch.setattr(World, "run", break_it)
    assert main([*BROKER, "--seed", "7"]) == 1
    assert "seed 7: nothing is invented: message p1-1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--seeds", "5"],
        ["--seeds", "9..3"],
        ["--seed", "-1"],
        ["--seed", "1.5"],
        ["--seeds=-3..2"],
        ["--seeds", "1..2", "--draw", "x.png"],
        ["--seed", "a"],
        ["--seed", "1", "--steps", "0"],
        ["--seed", "1", "--steps=-5"],
        ["--seed", "1", "--resume", "notes.txt"],
        ["--seed", "1", "--jobs", "2"],
        ["--seed", "1", "--profile", "none"],
        [*BROKER, "--seeds", "1..2", "--resume", "notes.txt"],
        [*BROKER, "--seeds", "1..2", "--jobs", "2"],
        [*BROKER, "--seeds", "1..2", "--raft", "raft.py:Raft"],
    ],
)
def test_a_wrong_call_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "run.py sim" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "ends in .png or .svg"),
        ("x.txt", "ends in .png or .svg"),
        ("d.png", "is a folder"),
        ("no/x.png", "there is no folder"),
    ],
)
def test_a_picture_that_cannot_be_written_is_refused_before_the_run(
    name: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.png").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main([*BROKER, "--seed", "2", "--draw", name])
    said = capsys.readouterr()
    assert (stopped.value.code, said.out) == (2, "")
    assert complaint in said.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--seeds", "5..1"], "argument --seeds: the first must not be above the second, as it is in 5..1"),
        (["--seeds", "5-9"], "argument --seeds: two numbers from 0 on are wanted, such as 1..500, not '5-9'"),
        (["--seeds", "-3..2"], "argument --seeds: two numbers from 0 on are wanted, such as 1..500, not '-3..2'"),
        (["--seed", "1", "--raft", ""], "argument --raft: nothing is named: '' is empty"),
        (["--seeds", "1..2", "--resume", ""], "argument --resume: nothing is named: '' is empty"),
        (["--seed", "-1"], "argument --seed: '-1' is not a number from 0 on"),
        (["--seeds", "1..2", "--report", "no/such/r.md"], "argument --report: there is no folder no/such"),
        (["--seeds", "1..2", "--report", "."], "argument --report: . is a folder"),
        (["--seeds", "1..2", "--resume", "no/such/r.txt"], "argument --resume: there is no folder no/such"),
    ],
)
def test_what_is_wrong_with_a_call_is_said_before_anything_is_run(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    said = capsys.readouterr()
    assert (stopped.value.code, said.out) == (2, "")
    assert said.err.endswith(f"error: {complaint}\n")
