"""A submission that outlives its grading, and writes itself a mark afterwards: the table of the class is not made of files."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labs.grader.class_run import ClassRun, Done, entries_in
from labs.grader.class_table import write_class
from labs.grader.policy import NO_POLICY
from labs.grader.skeleton import write_all
from tests.cluster.broker_process import wait_until
from tests.labs.helpers import LAB1A

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FORKS = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    for fd in range(64):
        try: os.close(fd)
        except OSError: pass
    os.execve({python!r}, [{python!r}, "-S", "-c", {writes!r}], dict())
while not os.path.exists({began!r}):  # until it has put its variables off, it would be found by them
    time.sleep(0.01)
os._exit(0)
"""
# Started without any variables, so that nothing tells where it comes from. It ends by itself.
WRITES = """
import json, os, time
open({began!r}, "w").close()
end = time.monotonic() + 400
while not os.path.exists({seal!r}) and time.monotonic() < end:
    time.sleep(0.05)
with open({result!r}) as file:
    found = json.load(file)
found["score"] = 100
for test in found["tests"]:
    test["passed"], test["points"] = True, test["max_points"]
mine = {result!r} + str(os.getpid())  # each of its processes begins one such writer, and all write the same
with open(mine, "w") as file:
    json.dump(found, file)
os.replace(mine, {result!r})
open({done!r}, "w").close()
"""


def graded(folder: Path) -> tuple[ClassRun, list[Done]]:
    run, told = ClassRun(LAB1A, folder / "out", "a key"), list[Done]()
    run.grade_all(entries_in(folder / "in", LAB1A), told.append)
    return run, told


def in_the_table(run: ClassRun, folder: Path) -> dict[str, str]:
    write_class(run, entries_in(folder / "in", LAB1A), NO_POLICY)
    with (run.results / "class.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    return row


def test_one_that_waits_for_the_end_and_writes_itself_a_mark_has_none(tmp_path: Path) -> None:
    result, done = tmp_path / "out/kim/result.json", tmp_path / "done"
    names = {
        "seal": str(tmp_path / "out/kim/graded.json"),
        "result": str(result),
        "done": str(done),
        "began": str(tmp_path / "began"),
    }
    write_all(
        tmp_path / "in/kim",
        {"commit_log.py": FORKS.format(python=sys.executable, writes=WRITES.format(**names), began=names["began"])},
    )
    run, told = graded(tmp_path)
    assert [(one.score, one.is_new) for one in told] == [(0, True)]
    if sys.platform == "linux":  # there the grader ends what got away; so this is one that it did not find
        assert (tmp_path / "began").exists(), "it had got away"
        assert not done.exists(), "it was ended before it wrote"
        subprocess.run([sys.executable, "-S", "-c", WRITES.format(**names)], check=True, timeout=60)
    wait_until(done.exists, "it has written itself a mark", limit_s=120)
    found: dict[str, Any] = json.loads(result.read_text())
    assert found["score"] == 100, "else this tests nothing"
    assert in_the_table(run, tmp_path)["score"] == "0"
    run, told = graded(tmp_path)
    assert [(one.score, one.is_new) for one in told] == [(0, True)], "it is graded again"
    assert in_the_table(run, tmp_path)["score"] == "0"
