"""Finding somebody's own organs: in a folder, a file, or a module; and what is said when there are none."""

from pathlib import Path

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.errors import IllegalArgumentError
from mq.parts import load_parts
from mq.raft.node import RaftNode

ROOT = Path(__file__).resolve().parent.parent.parent
RAFT = "from mq.raft.node import RaftNode\n\n\nclass Raft(RaftNode):\n    pass\n"
LOG = "from mq.broker.store.commit_log import CommitLog as Base\n\n\nclass CommitLog(Base):\n    pass\n"


def test_a_file_with_a_raft_of_the_labs() -> None:
    parts = load_parts(str(ROOT / "labs/stage3_raft/right/lazy.py"))
    assert list(parts.replaced()) == ["raft"]
    assert issubclass(parts.raft, RaftNode)
    assert parts.commit_log is CommitLog


def test_a_folder_with_both_organs_and_tests_beside_them(tmp_path: Path) -> None:
    (tmp_path / "election.py").write_text(RAFT)
    (tmp_path / "log.py").write_text(LOG)
    (tmp_path / "test_election.py").write_text("raise RuntimeError('tests are not looked at')\n")
    parts = load_parts(str(tmp_path))
    assert set(parts.replaced()) == {"raft", "commit_log"}
    assert parts.names()["raft"].endswith("election.Raft")


def test_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "organs_of_mine.py").write_text(LOG)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert set(load_parts("organs_of_mine").replaced()) == {"commit_log"}


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, "no Python file in the folder"),
        ({"a.py": "x = 1\n"}, "has none of the classes Raft, CommitLog"),
        ({"a.py": "from mq.raft.node import RaftNode as Raft\n"}, "has none of the classes"),
        ({"a.py": RAFT, "b.py": RAFT}, "has two classes Raft"),
        ({"a.py": "class Raft:\n    def tick(self): ...\n"}, "the class Raft in .* lacks step, propose, saved"),
        ({"a.py": "1 / 0\n"}, "cannot be imported: ZeroDivisionError"),
        ({"a.py": "def broken(:\n"}, "cannot be imported: SyntaxError"),
        ({"a.py": "import sys\nsys.exit(1)\n"}, "cannot be imported: SystemExit"),
    ],
)
def test_what_is_no_organ_is_said_in_a_sentence(files: dict[str, str], complaint: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(IllegalArgumentError, match=complaint):
        load_parts(str(tmp_path))


def test_a_place_that_is_not_there() -> None:
    with pytest.raises(IllegalArgumentError, match="parts: 'no/such/place' is no folder, no file, and no module"):
        load_parts("no/such/place")
