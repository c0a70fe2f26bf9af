"""A Raft of one's own before the schedules and the kill table: what is said about it, and that nothing is written."""

import ast
import re
import textwrap
from pathlib import Path

import pytest

from mq.raft.node import RaftNode
from mq.sim.load_raft import load_raft
from tools import kill_table, schedule
from tools.kill_notes import NOTES
from tools.kill_table import TABLE
from tools.killers import LAB, ROOT, by_schedules, names_of, sentence_of
from tools.schedule import NOT_DONE, play

FIGURE_8 = str(LAB / "schedules" / "figure_8.txt")
WRONG = f"{LAB / 'wrong' / 'figure8.py'}:Raft"

STUMBLES = """from mq.raft.node import RaftNode


class Raft(RaftNode):
    __slots__ = ()

    def _may_vote_for(self, candidate):
        return self.there_is_none
"""


def test_a_schedule_is_played_on_ours_and_on_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert schedule.main([FIGURE_8]) == 0
    assert capsys.readouterr().out == "figure_8: every promise is kept\n"
    assert schedule.main([FIGURE_8, "--raft", WRONG]) == 1
    assert "applies entry 2 of term 3; applied elsewhere: term 2" in capsys.readouterr().out


def test_a_schedule_or_a_raft_that_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bytes.txt").write_bytes(b"\x89PNG\xff\x00")
    for arguments, complaint in (
        ([str(tmp_path / "none.txt")], f"cannot read {tmp_path / 'none.txt'}: No such file or directory\n"),
        ([FIGURE_8, str(tmp_path / "bytes.txt")], f"{tmp_path / 'bytes.txt'} is no text, and so no schedule\n"),
        ([FIGURE_8, "--raft", "none.py:Raft"], "none.py"),
        ([FIGURE_8, "--raft", ""], "argument --raft: nothing is named: '' is empty\n"),
    ):
        with pytest.raises(SystemExit) as ended:
            schedule.main(arguments)
        assert ended.value.code == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert complaint in err


@pytest.mark.parametrize(
    "line", ["campaign", "campaign one", "ask 1", "begin-snapshot", "read-is-over x", "jump 1", "deliver 1-2"]
)
def test_a_mistake_of_a_schedule_says_nothing_about_a_raft(line: str, tmp_path: Path) -> None:
    file = tmp_path / "mistaken.txt"
    file.write_text(f"group 1 2 3\n   \n{line}\n", encoding="utf-8")
    end = play(file)
    assert end is not None
    assert end.startswith(f"line 3, {line!r}{NOT_DONE}")
    assert schedule.main([str(file)]) == 2


def test_a_raft_that_stumbles_is_told_with_its_line(tmp_path: Path) -> None:
    raft = tmp_path / "mine.py"
    raft.write_text(STUMBLES, encoding="utf-8")
    file = tmp_path / "one_campaign.txt"
    file.write_text("group 1 2 3 pre-vote off\ncampaign 1\nstabilize\n", encoding="utf-8")
    end = play(file, load_raft(f"{raft}:Raft"))
    assert end is not None
    assert "mine.py, line 8, in _may_vote_for: AttributeError: " in end


def test_one_raft_is_tried_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    before = NOTES.read_bytes(), TABLE.read_bytes()
    assert kill_table.main(["--try", WRONG, "--no-paper", "--seeds", "1"]) == 1
    said = capsys.readouterr().out
    assert re.match(r"sentence:   not tried\nschedule:   figure_8 \(\d+\w\w of \d+, [\d.]+ s\)", said)
    assert "figure_8: line " in said
    assert kill_table.main(["--try", "none.py:Raft"]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert (NOTES.read_bytes(), TABLE.read_bytes()) == before


# ---------------------------------------------------------------- the page for readers

PAGE = (LAB / "README.md").read_text(encoding="utf-8")


def test_the_page_lists_every_raft_with_what_its_module_says() -> None:
    for kind in ("wrong", "right"):
        rows = dict(re.findall(rf"^\| \[`(\w+)`\]\({kind}/\w+\.py\) \| (.*) \|$", PAGE, re.MULTILINE))
        assert rows == {name: sentence_of(kind, name) for name in names_of(kind)}
    assert f"`wrong/` holds {len(names_of('wrong'))} Rafts with one mistake each" in PAGE


def test_every_method_that_the_page_names_for_a_rule_is_one_of_that_file() -> None:
    rows = re.findall(r"^\| [^|`]+ \| `(\w+\.py)` \| `(\w+)` \|$", PAGE, re.MULTILINE)
    assert len(rows) >= 20
    for file, method in rows:
        tree = ast.parse((ROOT / "mq/raft" / file).read_text(encoding="utf-8"))
        assert method in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, file
        assert callable(getattr(RaftNode, method))


def test_the_raft_that_the_page_gives_as_an_example_is_one_and_is_killed(tmp_path: Path) -> None:
    code = PAGE.partition("## Write one\n\n")[2].partition("\nPut that into")[0]
    (tmp_path / "mine.py").write_text(textwrap.dedent(code), encoding="utf-8")
    mine = load_raft(f"{tmp_path / 'mine.py'}:Raft")
    assert by_schedules(mine, "longer_log_of_an_older_term", "poor_log_campaigns")


def test_files_that_the_page_speaks_of_are_there() -> None:
    files = re.findall(r"(?:labs|tests|tools)/[\w/]+\.(?:py|txt|md)", PAGE)
    assert len(files) >= 8
    assert [file for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("arguments", [["--seeds", "-3"], ["--rights", "many"], ["--jobs", "0"], ["--only", "figure_8"]])
def test_the_kill_table_refuses_what_makes_no_sense(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        kill_table.main(arguments)
    assert ended.value.code == 2
    assert f"argument {arguments[0]}" in capsys.readouterr().err
