"""Finding somebody's own organs: in a folder, a file, or a module; and what is said when there are none."""

import sys
from pathlib import Path
from typing import get_type_hints

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.errors import IllegalArgumentError
from mq.parts import load_parts
from mq.raft.node import RaftNode

ROOT = Path(__file__).resolve().parent.parent.parent
RAFT = "from mq.raft.node import RaftNode\n\n\nclass Raft(RaftNode):\n    pass\n"
BARE = "class Raft:\n" + "".join(
    f"    def {name}(self, *_): ...\n" for name in ("tick", "step", "propose", "saved", "save_failed", "applied", "view")
)
WITHOUT_NOTES = "class CommitLog:\n" + "".join(
    f"    def {name}(self, *_): ...\n"
    for name in (
        "append",
        "synced",
        "abandon",
        "term_at",
        "entries",
        "read",
        "decode",
        "recover",
        "drop_before",
        "reset",
        "checkpoint",
    )
)
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
        ({"a.py": "x = 1\nraise ValueError('boo')\n"}, r"cannot be imported: ValueError: boo \(.*a\.py, line 2\)"),
        ({"a.py": "x = 1\n\ndef broken(:\n"}, r"cannot be imported: SyntaxError: invalid syntax \(.*a\.py, line 3\)"),
        ({"a.py": BARE}, "lacks read, campaign, transfer, .*RaftNode has all of it"),
        ({"a.py": WITHOUT_NOTES}, "the class CommitLog in .* lacks note_durable, segments .*CommitLog has all of it"),
    ],
)
def test_what_is_no_organ_is_said_in_a_sentence(files: dict[str, str], complaint: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(IllegalArgumentError, match=complaint):
        load_parts(str(tmp_path))


def test_a_file_that_is_not_there_and_a_class_that_is_named_are_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IllegalArgumentError) as caught:
        load_parts("work/mine.py")
    assert str(caught.value) == f"parts: there is no file work/mine.py (seen from {tmp_path})"
    with pytest.raises(IllegalArgumentError, match=r"parts: work/mine\.py:Raft: leave `:Raft` out; in work/mine.py classes are"):
        load_parts("work/mine.py:Raft")


@pytest.mark.parametrize("where", ["no/such/place", "./typo", ".typo", "...", "no_such_module", "mq.no_such_module"])
def test_a_place_that_is_not_there(where: str) -> None:
    with pytest.raises(IllegalArgumentError, match=f"parts: '{where}' is no folder, no file, and no module"):
        load_parts(where)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("raise ValueError('boo')\n", r"ValueError: boo \(.*line 1\)"),
        ("x = (\n", "SyntaxError"),
        ("import sys\nsys.exit(0)\n", "SystemExit: 0"),
        ("import no_such_thing_at_all\n", "ModuleNotFoundError: No module named 'no_such_thing_at_all'"),
    ],
)
def test_a_module_that_cannot_be_imported_is_said_in_a_sentence(
    text: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_organs_of_mine.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(IllegalArgumentError, match=f"parts: broken_organs_of_mine cannot be imported: {complaint}"):
        load_parts("broken_organs_of_mine")


ANNOTATED = """
from __future__ import annotations
from dataclasses import dataclass
from typing import get_type_hints
from mq.broker.delivery.table import DeliveryTable as Given

@dataclass
class Note:
    text: Own

class Own(str): pass

class DeliveryTable(Given):
    kinds = {name}
"""


def test_a_file_whose_annotations_are_read_is_loaded_beside_another_one_of_its_name(tmp_path: Path) -> None:
    """Dataclasses look for their module where all modules are."""
    found = []
    for folder in ("ada", "ben"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "table.py").write_text(ANNOTATED.format(name=repr(folder)))
        found.append(load_parts(str(tmp_path / folder)).delivery_table)
    assert [organ.kinds for organ in found] == ["ada", "ben"]  # type: ignore[attr-defined]
    for organ in found:
        note = vars(sys.modules[organ.__module__])["Note"]
        assert get_type_hints(note)["text"] is vars(sys.modules[organ.__module__])["Own"]
    again = load_parts(str(tmp_path / "ada")).delivery_table
    assert again.__module__ == found[0].__module__ == "parts_table"
