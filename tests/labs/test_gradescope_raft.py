"""Lab 3b in a container as Gradescope's default one: half a processor, 768 MB, ten minutes, no network."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from labs.grader.archive import write_zip
from labs.grader.lab import find_lab
from labs.grader.skeleton import skeleton_of, solution_of
from labs.grader.submission import Submission
from tests.labs import test_gradescope as theirs

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(1200)]
LAB3B = find_lab("lab3b")
_LIMIT_S = 600
"""They end it then."""
FIGURE_8 = """
def _advance_commit(self):
    self._commit_to(self.configuration.quorum_value(self._durable_index_of))

Raft._advance_commit = _advance_commit
"""

image = theirs.image
"""The fixture."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("zip") / "autograder.zip"
    write_zip(LAB3B, file, theirs.KEY)
    return file


def graded(kind: str, image: str, archive: Path, folder: Path) -> dict[str, Any]:
    """What Gradescope would read."""
    right, blank = solution_of(LAB3B)["raft.py"], skeleton_of(LAB3B)["raft.py"]
    cheat = theirs.CHEATS.replace('os.environ.get("AUTOGRADER_ROOT")', '"/autograder"').replace("commit_log.py", "raft.py")
    text = {"right": right, "wrong": right + FIGURE_8, "skeleton": blank, "cheat": blank + cheat}[kind]
    root = theirs.laid_out(archive, folder)
    (root / "source/python_command").unlink()
    theirs.hand_in(root, Submission({"raft.py": text.encode()}))
    limits = ["--network=none", "--cpus=0.5", "--memory=768m", "--memory-swap=768m"]
    begin = "cd /autograder/source && ./setup.sh && ./run_autograder"
    command = ["docker", "run", "--rm", *limits, f"--volume={root}:/autograder", image, "bash", "-c", begin]
    subprocess.run(command, check=True, timeout=2 * _LIMIT_S, capture_output=True)
    return theirs.valid(root, "3b.")


@pytest.mark.parametrize("kind", ["right", pytest.param("wrong", marks=pytest.mark.night), "skeleton", "cheat"])
def test_in_a_container_as_theirs_is(kind: str, image: str, archive: Path, tmp_path: Path) -> None:
    found = graded(kind, image, archive, tmp_path / "autograder")
    got, of = theirs.points(found)
    failed = {test["number"]: test["output"] for test in found["tests"] if test["status"] == "failed"}
    assert of == 100
    assert float(found["execution_time"]) < _LIMIT_S
    assert "practice" not in found["output"], "it is a mark"
    if kind == "right":
        assert (got, failed) == (100, {})
    elif kind == "wrong":
        assert 40 <= got < 100
        assert any("section 5.4.2" in output for output in failed.values())
    else:
        assert got == 0
    if kind == "cheat":
        assert theirs.saw_nothing_as_another_user((tmp_path / "autograder/results/report.html").read_text())
