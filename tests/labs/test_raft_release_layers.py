"""The Raft labs in a repository for students: each runs on the layers of the others, and none can be read there."""

from pathlib import Path

import pytest

from labs.grader.lab import find_lab
from labs.grader.release import release
from labs.grader.skeleton import solution_of, write_all
from tests.labs.test_release import ask

SHORT = ("lab3a", "lab3b", "lab3c", "lab3d")
LAYER = "labs/stage3_raft/lab3c_persistence/hollow/mq/raft/replication.py"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raises: ReleaseError when a line of a solution is in it."""
    folder = tmp_path_factory.mktemp("release") / "students"
    release(folder, [find_lab(short) for short in SHORT])
    return folder


def test_a_layer_shows_what_is_given_and_neither_this_labs_methods_nor_those_of_others(released: Path) -> None:
    readable, _, packed = (released / LAYER).read_text(encoding="utf-8").partition("\n# --- What other labs ask for")
    assert 'raise NotImplementedError("lab 3b: Replication._advance_commit")' in readable
    assert "def _may_count" in readable
    assert "quorum_value" not in readable
    assert "_SEALED" in packed


@pytest.mark.parametrize("short", SHORT)
def test_the_solution_of_one_lab_alone_passes_on_the_sealed_layers_of_the_others(
    short: str, released: Path, tmp_path: Path
) -> None:
    write_all(tmp_path / "mine", solution_of(find_lab(short)))
    told = ask(released, "replay", f"{short}:1.3", str(tmp_path / "mine"))
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.startswith("ok "), told.stdout
