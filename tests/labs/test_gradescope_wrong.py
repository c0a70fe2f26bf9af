"""Gradescope's zip in a container as theirs is: a log that is wrong in one place gets what it earned, and is told what to mend.

What is right, empty, or cheats is tried there by `test_gradescope.py`.
"""

import subprocess
from pathlib import Path

import pytest

from labs.grader.archive import write_zip
from tests.labs import test_gradescope as theirs
from tests.labs.helpers import LAB1A, solution

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(900)]
NEVER_MARKS = "CommitLog.note_durable = lambda self: ()\n"

image = theirs.image
"""The fixture."""


def test_a_wrong_one_gets_in_a_container_what_it_earned(image: str, tmp_path: Path) -> None:
    write_zip(LAB1A, tmp_path / "autograder.zip", theirs.KEY)
    root = theirs.laid_out(tmp_path / "autograder.zip", tmp_path / "autograder")
    (root / "source/python_command").unlink()
    theirs.hand_in(root, solution(commit_log=NEVER_MARKS))
    command = ["docker", "run", "--rm", "--network=none", "--memory=768m", f"--volume={root}:/autograder", image]
    begin = "cd /autograder/source && ./setup.sh && ./run_autograder"
    subprocess.run([*command, "bash", "-c", begin], check=True, timeout=800, capture_output=True)
    found = theirs.valid(root)
    failed = {test["number"]: test["output"] for test in found["tests"] if test["status"] == "failed"}
    passed = {test["number"] for test in found["tests"] if test["status"] == "passed"}
    assert "README, rule 11" in failed["1a.1.26"]
    assert {"1a.1.1", "1a.1.25", "1a.2.1", "1a.4.3"} <= passed
    assert "practice" not in found["output"], "it is a mark"
    assert 40 <= theirs.points(found)[0] < 100
