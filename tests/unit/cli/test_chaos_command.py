"""`mq chaos`: what it takes, and how it ends."""

from pathlib import Path

import pytest

from mq.chaos import run
from mq.chaos.run import ChaosPlan
from mq.cli.main import main
from mq.cluster import opening
from tests.unit.chaos.test_report import a_run, elect


def test_a_kept_folder_is_judged_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path, surprises=[], elections=1)
    elect(tmp_path, 1)
    assert main(["chaos", "judge", str(tmp_path), "--report", str(tmp_path / "report.txt")]) == 0
    told = capsys.readouterr().out
    assert told.startswith("chaos: of ")
    assert "ok      nothing acknowledged is lost" in told
    assert (tmp_path / "report.txt").read_text() == told


def test_what_did_not_hold_is_exit_code_1_with_the_command_that_judges_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_run(tmp_path, surprises=[], is_lost=True)
    assert main(["chaos", "judge", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "FAILED  nothing acknowledged is lost" in told
    assert told.splitlines()[-1] == f"1 things did not hold; again: mq chaos judge {tmp_path}"


def test_a_report_may_be_in_a_folder_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def play(plan: ChaosPlan) -> None:
        plan.folder.mkdir(exist_ok=True)
        a_run(plan.folder, surprises=[])

    monkeypatch.setattr(run, "run_chaos", play)
    folder = tmp_path / "new"
    arguments = ("chaos", "--dir", str(folder), "--report", str(folder / "report.txt"))
    assert main((*arguments, "--keep")) == 0
    assert (folder / "report.txt").read_text().startswith("chaos: seed")
    (folder / "report.txt").unlink()
    assert main(arguments) == 0, "it was there before"
    assert (folder / "report.txt").exists()


@pytest.mark.parametrize("command", [("chaos", "judge"), ("chaos", "judge", "--trace", "all.trace")])
def test_to_judge_a_run_that_never_began_is_refused_in_words(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    assert main((*command, str(tmp_path / "run"))) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"mq: {tmp_path / 'run'} holds no run of `mq chaos` that began: there is no history.jsonl in it\n"


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_folder_that_was_made_for_a_run_goes_when_all_held_and_that_is_said(
    is_lost: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def play(plan: ChaosPlan) -> None:
        plan.folder.mkdir(exist_ok=True)
        a_run(plan.folder, surprises=[], is_lost=is_lost)

    removed: list[Path] = []

    class StandIn:
        def __init__(self, folder: Path) -> None:
            self.folder = folder

        def remove(self) -> None:
            removed.append(self.folder)

    monkeypatch.setattr(run, "run_chaos", play)
    monkeypatch.setattr(opening, "cluster_in", StandIn)
    folder = tmp_path / "new"
    assert main(["chaos", "--dir", str(folder), "--seed", "1"]) == int(is_lost)
    told = f"all held, so {folder} was removed (--keep keeps it)"
    assert (capsys.readouterr().err.splitlines()[-1] == told) is not is_lost
    assert folder.exists() is is_lost
    assert removed == ([] if is_lost else [folder])
    (tmp_path / "old").mkdir()
    main(["chaos", "--dir", str(tmp_path / "old"), "--seed", "1"])
    assert "was removed" not in capsys.readouterr().err, "it was there before"


def test_a_folder_of_other_things_is_refused_and_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "syllabus.md").touch()
    assert main(["chaos", "--dir", str(tmp_path), "--seed", "1"]) == 1
    assert f"mq: {tmp_path} is neither empty nor of a cluster or a run of `mq chaos`" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["syllabus.md"]


def test_what_stays_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(run, "run_chaos", lambda plan: a_run(plan.folder, surprises=[]))
    assert main(["chaos", "--dir", str(tmp_path), "--seed", "1"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[-1] == f"what the run left stays in {tmp_path}: what was stored, the history, logs and traces"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--dir: a folder is needed"),
        (("--dir", "d", "--only", "kil"), "'kil' is not KIND or KIND=WEIGHT; there are kill, pause,"),
        (("--dir", "d", "--only", "kill=x"), "'kill=x' is not KIND or KIND=WEIGHT"),
        (("--dir", "d", "--only", "kill=0"), "--only: all weights are 0, so there is no fault to be played"),
        (("--dir", "d", "--seconds", "nan"), "'--seconds': 'nan' is not a number, such as 2 or 0.5"),
        (("--dir", "d", "--nodes", "1"), "Invalid value for '--nodes': 1 is not in the range 3<=x<=7"),
        (("--dir", "d", "--image", "bakery:1"), "--image: local processes are made from no image"),
        (("--dir", "d", "--report", "d/report.txt"), "--report: d/report.txt is in d, which is removed when all held; give"),
        (("--dir", "d", "--report", "nowhere/report.txt"), "--report: there is no folder"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    arguments: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "run_chaos", lambda _plan: pytest.fail("a run began"))
    assert main(["chaos", *arguments]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "variable", "parts"),
    [
        ((), "", {}),
        ((), "mine/raft.py", {"": "mine/raft.py"}),
        (("--parts", "2=mine/log.py"), "mine/raft.py", {"2": "mine/log.py"}),
    ],
    ids=["none", "by the variable", "by the flag, which goes before"],
)
def test_organs_of_ones_own_never_stay_out_unnoticed(
    flags: tuple[str, ...],
    variable: str,
    parts: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[ChaosPlan] = []

    def play(plan: ChaosPlan) -> None:
        asked.append(plan)
        a_run(plan.folder, surprises=[])

    monkeypatch.setattr(run, "run_chaos", play)
    monkeypatch.setenv("MQ_PARTS", variable)
    main(["chaos", "--dir", str(tmp_path), "--seed", "1", *flags])
    assert dict(asked[0].parts) == parts
    told = "all nodes have organs of MQ_PARTS, mine/raft.py" in capsys.readouterr().err
    assert told is ("" in parts)
