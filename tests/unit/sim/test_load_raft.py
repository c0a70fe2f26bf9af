"""Another Raft in the place of ours: what is wrong with its file is told in one sentence, with the line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mq.core.errors import IllegalArgumentError
from mq.raft.node import RaftNode
from mq.sim.__main__ import main
from mq.sim.load_raft import load_raft, raft_of_environment
from mq.sim.raised import raised

ROOT = Path(__file__).resolve().parents[3]

GOOD = "from mq.raft.node import RaftNode\n\n\nclass Mine(RaftNode):\n    __slots__ = ()\n\n\nother = 5\n"
BROKEN = {
    "def broken(:\n": r"mine\.py cannot be imported: .*mine\.py, line 1: SyntaxError: invalid syntax",
    "\nimport there_is_no_such_module\n": r"mine\.py, line 2: ModuleNotFoundError: No module named 'there_is_no_such_module'",
    "from mq.raft.node import Raft\n": r"mine\.py, line 1: ImportError: cannot import name 'Raft'",
    "def f():\n    return 1 / 0\n\n\nf()\n": r"mine\.py, line 2, in f: ZeroDivisionError",
    "raise SystemExit(3)\n": r"mine\.py, line 1: SystemExit: 3",
    "import json\njson.loads('{')\n": r"mine\.py, line 2: json.decoder.JSONDecodeError",
}


def a_file(folder: Path, text: str) -> Path:
    file = folder / "mine.py"
    file.write_text(text, encoding="utf-8")
    return file


def test_it_is_loaded_by_file_and_class(tmp_path: Path) -> None:
    assert issubclass(load_raft(f"{a_file(tmp_path, GOOD)}:Mine"), RaftNode)


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ("FILE", r"names no class: write .*mine\.py:Class, as in labs/"),
        ("FILE:", r"names no class: write .*mine\.py:Class, as in labs/"),
        ("FILE:Nobody", r"mine\.py has no class Nobody; write: class Nobody\(RaftNode\)"),
        ("FILE:other", r"other in .*mine\.py is not derived from mq\.raft\.node\.RaftNode; write: class other\(RaftNode\)"),
        ("none.py:Mine", r"there is no file 'none\.py'; it should read FILE:Class"),
        ("mine", r"there is no file 'mine'; it should read FILE:Class"),
        ("", r"there is no file ''; it should read FILE:Class"),
        (
            f"{ROOT}/mq/raft/node.py:RaftNode",
            r"node\.py:RaftNode is the reference itself, which runs where no other Raft is named",
        ),
    ],
)
def test_a_name_that_names_nothing_is_told_with_what_it_lacks(where: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(IllegalArgumentError, match=complaint):
        load_raft(where.replace("FILE", str(a_file(tmp_path, GOOD))))


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_that_cannot_be_imported_is_told_with_its_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(IllegalArgumentError, match=BROKEN[text]) as error:
        load_raft(f"{a_file(tmp_path, text)}:Raft")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "command", [["--seed", "1", "--raft"], ["--seeds", "1..2", "--raft"], ["explore", "--goal", "figure8", "--core"]]
)
def test_commands_end_with_2_and_that_sentence(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status: object = main([*command, f"{a_file(tmp_path, 'def broken(:')}:Raft"])
    except SystemExit as ended:
        status = ended.code
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert "mine.py, line 1: SyntaxError: invalid syntax" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("folder", ["tests/paper", "tests/transcripts"])
def test_tests_that_are_given_such_a_file_stop_at_once(folder: str, tmp_path: Path) -> None:
    environment = {**os.environ, "RAFTMQ_RAFT": f"{a_file(tmp_path, 'def broken(:')}:Raft"}
    command = [sys.executable, "-m", "pytest", folder, "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "RAFTMQ_RAFT: mine.py cannot be imported" in said
    assert said.count("\n") < 5


def test_the_environment_may_name_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAFTMQ_RAFT", raising=False)
    assert raft_of_environment() is RaftNode


def test_an_exception_is_placed_in_the_file_that_somebody_wrote_not_in_what_that_called(tmp_path: Path) -> None:
    text = "from mq.raft.configuration import Configuration\n\n\ndef f():\n    Configuration(1, 2, 3).has_quorum(None)\n"
    names: dict[str, object] = {}
    file = a_file(tmp_path, text)
    exec(compile(text, str(file), "exec"), names)
    function = names["f"]
    assert callable(function)
    with pytest.raises(TypeError) as error:
        function()
    assert raised(error.value).startswith(f"{file}, line 5, in f: TypeError: ")
    assert raised(ValueError("bare")) == "ValueError: bare"
