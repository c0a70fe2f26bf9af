"""`mq chaos` against real processes: whatever is broken under load, everything that must hold does."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from mq.chaos.history import DONE, History
from mq.chaos.report import HISTORY, TRACES
from mq.sim.group.judge import main as judge
from mq.sim.spacetime.__main__ import main as draw
from tests.cluster.broker_process import run_mq

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.name == "nt", reason="pauses need signals that Windows does not have"),
]


def still_running(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in part for part in process.info["cmdline"] or []) and process.pid != os.getpid():
            found.append(" ".join(process.info["cmdline"]))
            process.kill()
    return found


def chaos(folder: Path, seed: int, seconds: int, *more: str, limit_s: float = 280.0) -> str:
    """A run that must pass; what it printed. Whatever happens, nothing of it goes on."""
    try:
        done = run_mq(
            "chaos", "--dir", str(folder), "--seed", str(seed), "--seconds", str(seconds), "--keep", *more, limit_s=limit_s
        )
    finally:
        left = still_running(folder)
    told = f"{done.out}\n{done.err}"
    assert done.code == 0, told
    assert left == [], told
    return done.out


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found is not None, text
    return int(found[1])


def election_of(trace: Path) -> int:
    """When the last leader of a trace was elected, in ms."""
    return [int(line[:10]) for line in trace.read_text().splitlines() if "role=leader" in line][-1]


@pytest.mark.night  # by day .ci/run has three minutes of it
@pytest.mark.timeout(600)  # judging twice and drawing are no quick matter on a busy machine
def test_a_short_run_loses_nothing_and_its_traces_keep_the_rules(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    kinds = ("kill", "pause", "isolate", "cut-one-way", "disk-full", "slow-disk", "clock-jump")
    told = chaos(folder, 11, 22, *(part for kind in kinds for part in ("--only", kind)))
    assert "FAILED" not in told
    assert number(r"faults +(\d+):", told) >= 3, told
    assert number(r"messages +(\d+) acknowledged", told) >= 300, told
    assert number(r"Raft's rules \((\d+) events", told) >= 1000, told

    history = History.read(folder / HISTORY)
    assert {one.kind for one in history.faults} <= set(kinds)
    assert all(any(one.group == group for one in history.receives) for group in history.drained)

    # The folder can be judged again, also when somebody has lost something; its traces are one trace, which can be drawn.
    whole = tmp_path / "all.trace"
    assert run_mq("chaos", "judge", str(folder), "--trace", str(whole)).code == 0
    assert judge([str(whole)]) == 0
    around = ("--around", str(election_of(whole)), "--last", "20")
    assert draw(["--trace", str(whole), "--out", str(tmp_path / "election.svg"), *around]) == 0
    lines = (folder / HISTORY).read_text().splitlines()
    lost = next(one.message_id for one in history.sends if one.outcome == DONE)
    kept = [line for line in lines if not (line.startswith('{"what":"stored"') and f'"{lost}"' in line)]
    (folder / HISTORY).write_text("\n".join(kept) + "\n")
    again = run_mq("chaos", "judge", str(folder))
    assert again.code == 1
    assert f"{lost} was acknowledged" in again.out
    assert f"mq chaos judge {folder}" in again.out
    assert (folder / TRACES).is_dir()


@pytest.mark.timeout(400)
def test_what_is_acknowledged_outlives_a_power_cut_of_all_nodes_and_a_leader_that_was_alone(tmp_path: Path) -> None:
    """The two faults by which clients see a missing sync, or an acknowledgement without a quorum; this seed begins with them."""
    folder = tmp_path / "run"
    told = chaos(folder, 51, 15, "--only", "power-cut", "--only", "lost-leader")
    assert "FAILED" not in told
    assert {one.kind for one in History.read(folder / HISTORY).faults} == {"power-cut", "lost-leader"}
    logs = "".join(file.read_text() for file in (folder / "logs").glob("broker-a-*.log"))
    assert logs.count("the power is cut (asked for)") >= 3
    assert number(r"messages +(\d+) acknowledged", told) >= 100, told


@pytest.mark.timeout(200)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_ended_early_ends_its_nodes(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "mq.cli.main", "chaos", "--dir", str(folder), "--seed", "3", "--only", "pause"]
    before = signal.signal(number, signal.SIG_DFL)  # under `nohup` it is ignored, and a process that is started inherits that
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        assert any("  pause  " in line for line in process.stdout), "the first fault is told"
        process.send_signal(number)
        told, _ = process.communicate(timeout=120)
    finally:
        signal.signal(number, before)
        process.kill()
        left = still_running(folder)
    assert (process.returncode, left) == (143, []), told


@pytest.mark.night
@pytest.mark.timeout(900)
def test_three_minutes_of_all_that_can_be_broken(tmp_path: Path) -> None:
    told = chaos(tmp_path / "run", 12, 180, limit_s=850)
    assert "FAILED" not in told
    assert number(r"faults +(\d+):", told) >= 15, told
    assert number(r"messages +(\d+) acknowledged", told) >= 10_000, told
