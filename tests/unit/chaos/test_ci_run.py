"""The chaos of `.ci/run`, with a stand-in for `mq`: what must have happened in it, and what stays of it when something failed."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from mq.chaos.history import FaultDone, Journal
from mq.chaos.plan import WEIGHTS
from mq.chaos.report import HISTORY, judge_run
from tests.unit.chaos.test_checks import send

pytestmark = pytest.mark.skipif(os.name == "nt", reason="it is a script for bash")

ROOT = Path(__file__).parents[3]
FUNCTIONS = ("step", "judge_chaos", "keep_chaos", "run_chaos")
ALL = [*WEIGHTS, "kill"]


def function_of(script: str, name: str) -> str:
    """Nothing but that: what else the script does is not to be done here."""
    lines = script.splitlines()
    (begin,) = (number for number, line in enumerate(lines) if line.startswith(f"{name}() {{"))
    end = begin if lines[begin].endswith(" }") else lines.index("}", begin)
    return "\n".join(lines[begin : end + 1])


def a_report(folder: Path, kinds: list[str], messages: int) -> str:
    """As `mq chaos` writes it."""
    journal = Journal(folder / HISTORY)
    journal.facts(seed=1, began_s=0.0, surprises=[], drained={})
    for number, kind in enumerate(kinds):
        journal.note(FaultDone(kind, "n1", float(number), number + 0.5, 0))
    for number in range(messages):
        journal.note(send(number))
    journal.close()
    return "chaos: seed 1; commit abc; a machine\n" + judge_run(folder).to_text()


def run_chaos(folder: Path, *, status: int, report: str | None, leaves: bool = True, keep: str | None = None) -> str:
    """What the script says, and what failed. leaves: whether `mq chaos` makes its folder."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / "scratch").mkdir()
    if report is not None:
        (folder / "report").write_text(report)
    program = f"""\
        #!/bin/sh
        [ "$1" = chaos ] || exit 0
        {'mkdir -p "$3/logs" && echo "its last line" >"$3/logs/n1.log"' if leaves else ""}
        while [ "$1" != --report ]; do shift; done
        {f'cp "{folder}/report" "$2"' if report is not None else ""}
        exit {status}
        """
    for name, text in (("mq", dedent(program)), ("python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')):
        file = folder / ".venv" / "bin" / name
        file.write_text(text)
        file.chmod(0o755)
    told = "\n".join(
        [
            "set -uo pipefail", *(function_of(script, name) for name in FUNCTIONS),
            "failed=() chaos_seed=1 chaos_seconds=2 scratch=scratch chaos=", "run_chaos", 'echo "failed: ${failed[*]-}"',
        ]
    )  # fmt: skip
    environment = {**os.environ, "RAFTMQ_KEEP": keep or str(folder / "kept" / "here"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", told], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def kept_in(folder: Path) -> list[Path]:
    return list((folder / "kept" / "here").glob("raftmq-chaos.*/chaos"))


def test_a_run_in_which_enough_was_done_passes_and_nothing_of_it_stays(tmp_path: Path) -> None:
    told = run_chaos(tmp_path, status=0, report=a_report(tmp_path, ALL, 10_000))
    assert told.endswith("failed: \n"), told
    assert kept_in(tmp_path) == []


def test_kinds_that_a_slow_machine_did_not_come_to_are_told(tmp_path: Path) -> None:
    kinds = ["pause" if kind == "wiped-node" else kind for kind in WEIGHTS]
    told = run_chaos(tmp_path, status=0, report=a_report(tmp_path, kinds, 10_000))
    assert f"chaos did not come to a wiped-node: on this machine {len(WEIGHTS)} faults took all its time" in told
    assert told.endswith("failed: \n"), told


@pytest.mark.parametrize(
    ("kinds", "messages", "why"),
    [
        (ALL[:9], 10, "9 faults, not 10; 10 acknowledged messages, not 10000"),
        (ALL, 9999, "9999 acknowledged messages, not 10000"),
        ([], 0, "0 faults, not 10; 0 acknowledged"),
    ],
)
def test_a_run_that_did_too_little_fails_whatever_held_and_says_what_it_lacks(
    kinds: list[str], messages: int, why: str, tmp_path: Path
) -> None:
    told = run_chaos(tmp_path, status=0, report=a_report(tmp_path, kinds, messages))
    assert f"chaos did too little: {why}" in told
    assert "failed: chaos: too little was done\n" in told
    assert len(kept_in(tmp_path)) == 1


@pytest.mark.parametrize("report", [None, "chaos: seed 1\n"])
def test_a_run_without_a_report_that_tells_it_fails(report: str | None, tmp_path: Path) -> None:
    told = run_chaos(tmp_path, status=0, report=report)
    assert "chaos left no report" in told or "tells no faults or no messages" in told
    assert "failed: chaos: too little was done\n" in told


def test_what_a_failed_run_left_is_moved_out_of_the_scratch_folder_and_it_is_said_where(tmp_path: Path) -> None:
    told = run_chaos(tmp_path, status=1, report=a_report(tmp_path, ALL, 10))
    (kept,) = kept_in(tmp_path)
    assert (kept / "logs" / "n1.log").read_text() == "its last line\n"
    assert not (tmp_path / "scratch" / "chaos").exists()
    assert f"what chaos left is kept: mq chaos judge {kept}\n" in told
    assert "its last line" in told
    assert "failed: chaos\n" in told


def test_what_cannot_be_kept_is_said_and_the_failure_stays_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = run_chaos(tmp_path, status=1, report=None, keep=str(tmp_path / "file"))
    assert "what chaos left could not be kept" in told
    assert "failed: chaos\n" in told


def test_a_run_that_never_began_leaves_nothing_to_keep(tmp_path: Path) -> None:
    told = run_chaos(tmp_path, status=1, report=None, leaves=False)
    assert "chaos left no folder" in told
    assert "failed: chaos\n" in told
