"""What the Raft labs cost: seconds of the processor, which a busy machine makes half as long again, not ten times."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bench import raft_labs
from labs.grader.box import ROOT
from labs.grader.skeleton import skeleton_of, write_all
from tests.labs.raft_drafts import DRAFTS

_LAB3A = DRAFTS[0].lab


def test_the_first_check_of_a_skeleton_takes_less_than_three_seconds_of_the_processor(tmp_path: Path) -> None:
    write_all(tmp_path / "work", skeleton_of(_LAB3A))
    command = [
        sys.executable,
        "-c",
        "import sys; from mq.cli.main import main; sys.exit(main(sys.argv[1:]))",
        "lab",
        "check",
        "lab3a",
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*command, str(tmp_path / "work")], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "`Raft._restart_timer` is not written yet" in done.stdout
    assert "lab3a: 0 of 100 points so far" in done.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3.0


def test_the_bench_tells_what_each_part_of_a_grade_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert raft_labs.main(["--cores", "0", "--labs", "lab3a", "--skeleton"]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row[:2] for row in rows[1:]] == [["| lab 3a", "sentences"], ["| all", "together"]]
    worker_s = float(rows[1][-1].removesuffix(" |"))
    assert 0 < worker_s < 5, "the student's process did something"


def test_where_no_limit_can_be_set_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(raft_labs, "_ROOT", tmp_path / "none")
    assert raft_labs.main(["--labs", "lab3a", "--skeleton"]) == 2
    assert "no limit can be set here" in capsys.readouterr().err


def test_a_limit_is_written_where_processes_enter_it_and_is_gone_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In folders that look like those of the system; the system makes their files by itself."""
    monkeypatch.setattr(raft_labs, "_ROOT", tmp_path)
    monkeypatch.setattr(raft_labs, "_leave", lambda _folder: None)
    for kind in ("cpu", "memory"):
        (tmp_path / kind).mkdir()
    with raft_labs.limited(0.5) as entries:
        assert [entry.name for entry in entries] == ["cgroup.procs"] * 2
        cpu, memory = (entry.parent for entry in entries)
        assert (cpu / "cpu.cfs_quota_us").read_text() == "50000"
        assert (memory / "memory.limit_in_bytes").read_text() == "768000000"
        assert str(os.getpid()) in cpu.name
