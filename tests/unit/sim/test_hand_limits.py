"""What a transcript cannot ask for is told with its line, and what is lost is said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mq.core.errors import StateError
from mq.sim.hand.script import run

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("group 1 1 1", "node 1 is named twice: each is a voter or a learner, once"),
        ("group 1 2 learners 2", "node 2 is named twice"),
        ("group 0 1", "nodes are numbered from 1"),
        ("change 1 voters 1 2 0", "nodes are numbered from 1"),
        ("logs 1: 3 2 1", "terms of a log never fall: entry 2 is of term 2, the one before it of 3"),
        ("logs 1: 0 1", "the terms of entries begin at 1"),
        ("logs 1: 1 3 term 2", "a node that holds an entry of term 3 is not in term 2"),
        ("logs 9: 1", "there is no node 9"),
        ("stabilize 9", "there is no node 9"),
        ("cut 1 9", "there is no node 9"),
        ("cut 1>1", "node 1 sends nothing to itself"),
        ("tick 1 99999999999", "a command is from 1 to 10000 ticks, not 99999999999"),
        ("tick 1 0", "a command is from 1 to 10000 ticks, not 0"),
        ("deliver 1>2", "no such message is on its way: 1>2 first; none is"),
    ],
)
def test_what_no_group_can_do_is_refused_with_its_line(line: str, complaint: str) -> None:
    with pytest.raises(StateError) as error:
        run(f"group 1 2 3\n{line}\n----\n")
    assert str(error.value).startswith(f"line 2, {line!r}: {complaint}")


def test_a_message_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(StateError, match=r"on its way: 2>1 vote-reply first; there are 1>2 vote-request, 1>3 vote-request\n"):
        run("group 1 2 3\ncampaign 1\ndeliver 2>1 vote-reply\n----\n")
    asked = "".join(f"campaign {node}\n" for node in (1, 2, 3, 4))
    with pytest.raises(StateError, match=r"1>5 vote-request.* and 4 more\n"):
        run(f"group 1 2 3 4 5 pre-vote off\n{asked}deliver 5>1\n----\n")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a remark\n"])
def test_a_file_without_commands_is_no_transcript(text: str) -> None:
    with pytest.raises(StateError, match="line 1: there is no command here"):
        run(text)


def test_what_is_lost_by_a_cut_is_told() -> None:
    lost = "1  to 3, lost     vote-request term 1?, my log ends with the start"
    text = run("group 1 2 3\ncampaign 1\nquietly deliver 1>2\nisolate 3\n----\n")
    assert text.splitlines()[-1] == lost
    assert run("group 1 2 3\nquietly campaign 1\ncut 3>1\n----\n").splitlines()[-1] == "ok", "that way nothing was sent"
    assert run("group 1 2 3\nquietly campaign 1\ncut 1 3\n----\n").splitlines()[-1] == lost


def test_a_misspelt_command_is_told_without_the_source_of_the_test(tmp_path: Path) -> None:
    """In a copy of the transcripts' folder, as somebody who writes one sees it."""
    folder = tmp_path / "transcripts"
    folder.mkdir()
    for name in ("conftest.py", "test_transcripts.py"):
        (folder / name).write_bytes((ROOT / "tests" / "transcripts" / name).read_bytes())
    (folder / "spelt.txt").write_text("group 1 2 3\ncampagn 1\n----\nok\n", encoding="utf-8")
    (folder / "other.txt").write_text("group 1 2 3\n----\nok\n\nquietly campaign 1\n----\nnot ok\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(folder), str(folder),
         "-k", "group_does"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "\ntests/transcripts/spelt.txt, line 2, 'campagn 1': 'campagn' is no command; " in done.stdout
    assert "\ntests/transcripts/other.txt:7: something else came of the commands" in done.stdout
    assert "\n-not ok\n+ok\n" in done.stdout
    assert "def test_" not in done.stdout
