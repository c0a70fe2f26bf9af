"""`run.py sim` with a Raft group, as newcomers call it: short runs, prints, endless loops, moments that are none."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mq.sim.__main__ import main
from mq.sim.group.seeds import make_world, run_seed
from mq.sim.group.standstill import run_watched
from mq.sim.group.watch import ViolationError
from mq.sim.spacetime.__main__ import read_trace

ROOT = Path(__file__).resolve().parents[3]
HEAD = "from mq.raft.node import RaftNode\n\n\nclass Raft(RaftNode):\n"
PRINTS = HEAD + "    def _beat(self):\n        print('a beat')\n        super()._beat()\n"
LOOPS = (
    HEAD
    + """    def _beat(self):
        while True:
            try:
                self.term + 1
            except Exception:
                pass
"""
)


def a_raft(folder: Path, text: str) -> str:
    file = folder / "mine.py"
    file.write_text(text, encoding="utf-8")
    return f"{file}:Raft"


@pytest.mark.parametrize("seed", [54, 496])
def test_a_short_run_of_ours_does_not_drown(seed: int) -> None:
    """However few steps are asked for: faults last their time, and busy groups have many events in it."""
    result = run_seed(seed, 1)
    assert result.met["events"] > 14_000, "that is the busy seed that is wanted"
    assert result.promise == ""


def test_what_a_raft_prints_is_no_line_of_the_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raft = a_raft(tmp_path, "print('loaded')\n" + PRINTS)
    assert main(["--seed", "5", "--raft", raft]) == 0
    traced, said = capsys.readouterr()
    assert len(read_trace(traced)) > 3000
    assert "loaded\na beat\na beat\n" in said
    assert main(["--seeds", "5..6", "--raft", raft]) == 0
    assert capsys.readouterr().out.startswith("2 seeds: 0 broken\n")
    assert main(["explore", "--tiny", "--core", raft, "--budget", "0.5"]) == 1
    assert "a beat" not in capsys.readouterr().out


def test_a_node_that_never_comes_back_is_told_with_its_line(tmp_path: Path) -> None:
    world = make_world(3, 3000, a_raft(tmp_path, LOOPS))
    handler = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(ViolationError) as broken:
        run_watched(world, 0.2)
    told = broken.value.violation
    assert told.promise == "whatever a node is asked comes to an end"
    assert re.fullmatch(r"node \d is at work \(.*mine\.py, line \d+, in _beat\), and does not come back", told.facts[0])
    assert told.at_ms == world.agenda.now_ms > 0
    assert "repeat: python3 run.py sim --seed 3 --raft" in str(broken.value)
    assert signal.getsignal(signal.SIGVTALRM) is handler


def test_a_watched_run_is_the_same_run() -> None:
    alone, watched = make_world(5, 3000), make_world(5, 3000)
    alone.run()
    run_watched(watched, 5)
    assert watched.trace.to_text() == alone.trace.to_text()


def test_ctrl_c_says_who_was_at_work(tmp_path: Path) -> None:
    raft, begun = a_raft(tmp_path, LOOPS.replace("        while", "        print('begun', flush=True)\n        while")), False
    process = subprocess.Popen(
        [sys.executable, "-m", "mq.sim", "--seed", "3", "--raft", raft],
        cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stderr is not None
        begun = process.stderr.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        said, status = process.stderr.read(), process.wait(60)
    assert begun
    assert status == 130
    assert re.fullmatch(
        r"stopped: seed 3, at \d+ ms of virtual time, step \d+; node \d is at work \(.*mine\.py, line \d+, in _beat\)\n", said
    )


def test_seeds_that_are_stopped_say_how_far_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mq.sim.group.seeds.run_watched", stop)
    notes = tmp_path / "notes.txt"
    assert main(["--seeds", "1..9", "--resume", str(notes)]) == 130
    assert capsys.readouterr().err == (
        f"stopped: 0 of 9 seeds were run, 0 broken; they are noted in {notes}, and the same command goes on\n"
    )


def test_no_more_work_at_a_time_than_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "3..3", "--jobs", "8"]) == 0
    out, err = capsys.readouterr()
    assert "1 seeds are left to run: no more than 1 at a time" in err
    assert " s with 1 at a time" in out
    with pytest.raises(SystemExit):
        main(["--seeds", "1..100000", "--jobs", "65"])
    assert "argument --jobs: '65' is not a number from 1 to 64" in capsys.readouterr().err


def test_a_moment_behind_the_end_of_a_run_is_not_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "group.svg"
    assert main(["--seed", "5", "--draw", str(picture), "--around", "99999999"]) == 2
    said = capsys.readouterr().err
    assert re.search(r"nothing is drawn to .*: there is nothing around 99999999 ms: this goes from 0 ms to \d+ ms\n$", said)
    assert not picture.exists()


def test_counts_are_those_of_the_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """Also of a run that breaks with the election that is one too many."""
    for raft, status in (("", 0), ("labs/stage3_raft/wrong/no_log_check.py", 1)):
        seed = "7" if raft else "1"
        assert main(["--seed", seed, *(["--raft", f"{ROOT / raft}:Raft"] if raft else [])]) == status
        trace, said = capsys.readouterr()
        events = read_trace(trace)
        won = sum(event.name == "role" and event.details["role"] == "leader" for event in events)
        assert f"({won} election" in said
        assert re.search(rf" \d+ steps of the world, told in {len(events)} events\)$", said.rstrip())


INTERRUPTED = """
import os, runpy, signal, sys
name = sys.argv[1]
class Finder:
    def find_spec(self, asked, path=None, target=None):
        if asked == name:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv[1:] = ["--seed", "5"]
runpy.run_module("mq.sim", run_name="__main__")
"""


@pytest.mark.parametrize("module", ["mq.sim.checkers", "mq.sim.spacetime"])
def test_a_ctrl_c_while_it_starts_leaves_no_traceback(module: str) -> None:
    """Whichever module is just being imported."""
    command = [sys.executable, "-c", INTERRUPTED, module]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {130, -signal.SIGINT}
    assert (done.stdout, done.stderr) == ("", "")
