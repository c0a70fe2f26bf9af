"""One class that grows from lab to lab: what `start` brings along, what `catch-up` takes out, and that no work is ever lost."""

import ast
from pathlib import Path

import pytest

from labs.grader.cli_begin import carried_lines
from labs.grader.growing import GrowingError, carried_on, labs_before, methods_of, renamed, unasked_overrides, without
from labs.grader.lab import find_lab
from labs.grader.skeleton import skeleton_of, solution_of, written_up_to
from labs.grader.submission import Submission
from mq.cli.main import main
from tests.labs.raft_drafts import DRAFTS

LAB3A, LAB3B, LAB3C, LAB3D = (draft.lab for draft in DRAFTS)
SOLUTION_3A = solution_of(LAB3A)["raft.py"]
SKELETON_3B = skeleton_of(LAB3B)["raft.py"]
OWN = "    # of my own\n    def _is_up_to_date(self, last: EntryId) -> bool:\n        return my_rule(self.log.last, last)\n"
MINE = f'''"""Mine."""

import heapq
from mq.core.ids import EntryId
from mq.raft.messages import VoteReply, VoteRequest
from mq.raft.node import RaftNode
from lab3a_election.rules import my_rule


class Raft(RaftNode):
    __slots__ = ()

{OWN}
    def _may_campaign(self) -> bool:
        return True


LAST = 1
'''
HANDED = "work/lab3a_election/raft.py"
BASE_3B = "work/lab3b_replication/raft.py"


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["lab", *arguments])
    out, err = capfd.readouterr()
    return code, out, err


def hold(file: str, text: str) -> Path:
    """A file of a student's."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def method_names(text: str) -> list[str]:
    (kind,) = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    return [node.name for node in kind.body if isinstance(node, ast.FunctionDef)]


# ---------------------------------------------------------------- the text


def test_the_labs_before_are_those_of_the_same_class() -> None:
    assert labs_before(LAB3A) == ()
    assert labs_before(LAB3C) == (LAB3B, LAB3A)
    assert labs_before(find_lab("lab1c")) == ()


def test_what_is_written_stays_as_it_is_and_the_new_methods_stand_behind_it() -> None:
    grown = carried_on(LAB3B, MINE, SKELETON_3B)
    assert (grown.carried, grown.left_out, grown.there) == (("_is_up_to_date",), (), ())
    assert grown.added == methods_of([LAB3B])
    assert OWN in grown.text
    assert method_names(grown.text) == ["_is_up_to_date", "_may_campaign", *methods_of([LAB3B])]
    assert grown.text.endswith("\n\nLAST = 1\n")
    assert "from mq.core.ids import EntryId, LogIndex\n" in grown.text
    assert "from mq.raft.messages import AppendReply, AppendRequest, VoteReply, VoteRequest\n" in grown.text
    assert "from mq.raft.progress import PeerState, Progress\n" in grown.text
    assert grown.text.count("import EntryId") == 1


def test_a_class_that_is_carried_on_and_filled_keeps_every_promise_of_the_next_lab() -> None:
    grown = carried_on(LAB3B, SOLUTION_3A, solution_of(LAB3B)["raft.py"])
    assert method_names(grown.text) == [*methods_of([LAB3A]), *methods_of([LAB3B])]
    assert DRAFTS[1].failed(grown.text) == []


def test_what_was_never_written_is_left_out_and_inherited() -> None:
    half = written_up_to(LAB3A, 5)["raft.py"]
    grown = carried_on(LAB3B, half, SKELETON_3B)
    assert grown.carried == methods_of([LAB3A])[:5]
    assert grown.left_out == methods_of([LAB3A])[5:]
    assert "lab 3a: Raft." not in grown.text
    assert method_names(grown.text) == [*methods_of([LAB3A])[:5], *methods_of([LAB3B])]


def test_a_skeleton_of_nothing_but_holes_is_carried_on() -> None:
    grown = carried_on(LAB3B, skeleton_of(LAB3A)["raft.py"], SKELETON_3B)
    assert (grown.carried, method_names(grown.text)) == ((), list(methods_of([LAB3B])))


def test_a_method_that_was_written_early_stays() -> None:
    early = SOLUTION_3A + "\n    def _take(self, entries):\n        return None\n"
    grown = carried_on(LAB3B, early, SKELETON_3B)
    assert grown.there == ("_take",)
    assert "_take" not in grown.added
    assert grown.text.count("def _take(") == 1
    assert "        return None\n" in grown.text


def test_the_class_grows_through_all_labs() -> None:
    text = SOLUTION_3A
    for lab in (LAB3B, LAB3C, LAB3D):
        text = carried_on(lab, text, solution_of(lab)["raft.py"]).text
    assert method_names(text) == list(methods_of([LAB3A, LAB3B, LAB3C, LAB3D]))
    assert text.startswith('"""Your Raft, the methods of labs 3a, 3b, 3c and 3d. What is not written here is inherited')
    back, gone = without(LAB3D, text)
    assert gone == methods_of([LAB3C, LAB3B, LAB3A])
    assert method_names(back) == list(methods_of([LAB3D]))
    assert DRAFTS[3].failed(back) == []


@pytest.mark.parametrize("indent", ["  ", "\t"])
def test_a_class_with_other_indents_grows_by_its_own(indent: str) -> None:
    text = f"from mq.raft.node import RaftNode\nclass Raft(RaftNode):\n{indent}def _restart_timer(self):\n{indent * 2}pass\n"
    grown = carried_on(LAB3B, text, SKELETON_3B)
    assert method_names(grown.text) == ["_restart_timer", *methods_of([LAB3B])]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("class Raft(\n", r"it is no Python \(line 1: .*was never closed\)"),
        ("class Boat:\n    x = 1\n", "it has no class Raft"),
        ("class Raft:\n    x = 1\nclass Raft:\n    x = 2\n", "it has 2 classes Raft"),
        ("class Raft: x = 1\n", "cannot be carried on by lines"),
        ("\0", "it is no Python"),
    ],
)
def test_what_cannot_be_carried_on_is_told_in_a_sentence(text: str, why: str) -> None:
    with pytest.raises(GrowingError, match=why):
        carried_on(LAB3B, text, SKELETON_3B)


def test_what_no_lab_asks_for_is_known() -> None:
    assert unasked_overrides(LAB3B, MINE) == ("_may_campaign",)


# ---------------------------------------------------------------- mq lab start


def test_start_brings_the_class_along_with_the_files_that_it_needs(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mine, rules = hold(HANDED, MINE), "import lab3a_election.rules\ndef my_rule(last, other):\n    return True\n"
    hold("work/lab3a_election/rules.py", rules)
    code, out, _ = run(capfd, "start", "lab3b")
    assert code == 0
    assert "work/lab3b_replication: 12 methods to write" in out
    assert "from work/lab3a_election/raft.py: 1 method of yours; they count here, too" in out
    assert "your other files came along: rules.py" in out
    text = (course / BASE_3B).read_text()
    assert "from lab3b_replication.rules import my_rule\n" in text
    assert OWN in text
    assert method_names(text)[-1] == methods_of([LAB3B])[-1]
    assert (course / "work/lab3b_replication/rules.py").read_text() == rules.replace("lab3a_election", "lab3b_replication")
    assert (mine.read_text(), sorted(file.name for file in mine.parent.iterdir())) == (MINE, ["raft.py", "rules.py"])


def test_a_module_of_ones_own_is_renamed_where_it_is_imported_and_where_it_is_used() -> None:
    text = "import lab3a_x.helpers\nvalue = lab3a_x.helpers.f()\nmy_lab3a_x.f()\nx.lab3a_x.f()\n"
    assert renamed(text, "lab3a_x", "lab3b_y") == (
        "import lab3b_y.helpers\nvalue = lab3b_y.helpers.f()\nmy_lab3a_x.f()\nx.lab3a_x.f()\n"
    )
    only_from = "from lab3a_x.helpers import f\nsaid = 'lab3a_x.helpers is mine'\n"
    assert renamed(only_from, "lab3a_x", "lab3b_y") == only_from.replace("from lab3a_x", "from lab3b_y")


def test_a_line_end_of_old_days_is_one_for_us_as_for_python(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = course / "lab3a_election" / "raft.py"
    main(["lab", "start", "lab3a", "--dir", str(course)])
    file.write_bytes(file.read_bytes().replace(b"\n\n\n", b"\n\r\n\r", 1))
    assert main(["lab", "start", "lab3b", "--dir", str(course)]) == 0
    ast.parse((course / "lab3b_replication" / "raft.py").read_text(encoding="utf-8"))
    assert "cannot be carried on" not in capfd.readouterr().err


def test_start_sees_a_link_that_leads_nowhere(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (course / "lab0_tools").symlink_to(course / "nowhere")
    assert main(["lab", "start", "lab0", "--dir", str(course)]) == 1
    assert "is there already, and is left as it is" in capfd.readouterr().err


def test_start_says_what_was_not_written_and_is_inherited(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hold(HANDED, written_up_to(LAB3A, 10)["raft.py"])
    _, out, _ = run(capfd, "start", "lab3b")
    assert "not written there, so ours stand in their place: _count_vote, _become_pre_candidate\n" in out
    assert (course / BASE_3B).exists()


def test_start_without_a_lab_before_gives_the_skeleton(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "start", "lab3b")[0] == 0
    assert (course / BASE_3B).read_text() == SKELETON_3B


def test_start_does_nothing_where_the_class_cannot_be_carried_on(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hold(HANDED, "class Raft(\n")
    code, out, err = run(capfd, "start", "lab3b")
    assert (code, out) == (1, "")
    assert "work/lab3a_election/raft.py cannot be carried on: it is no Python (line 1: " in err
    assert "or begin this lab without it: mq lab catch-up lab3b" in err
    assert not (course / "work/lab3b_replication").exists()


def test_a_file_that_is_no_text_is_told(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hold(HANDED, "").write_bytes(b"\xff\xfe")
    assert "it is no text in UTF-8 (byte 0)" in run(capfd, "start", "lab3b")[2]
    assert not (course / "work/lab3b_replication").exists()


# ---------------------------------------------------------------- mq lab catch-up


def test_catch_up_begins_a_lab_without_those_before_it(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hold(HANDED, MINE)
    code, out, _ = run(capfd, "catch-up", "lab3b")
    assert code == 0
    assert "12 methods to write. What lab 3a asked for is inherited, and works." in out
    assert (course / BASE_3B).read_text() == SKELETON_3B
    assert (course / HANDED).read_text() == MINE
    assert (course / "work/lab3b_replication/README.md").exists()


def test_catch_up_takes_out_methods_of_the_labs_before_and_keeps_the_file(
    course: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = carried_on(LAB3B, MINE, solution_of(LAB3B)["raft.py"]).text.replace("lab3a_election", "lab3b_replication")
    hold(BASE_3B, text)
    code, out, _ = run(capfd, "catch-up", "lab3b")
    assert code == 0
    assert "1 method of lab 3a taken out; ours are inherited in their place" in out
    assert "what no lab asks for is left in, and takes the place of ours: _may_campaign" in out
    assert f"Your file as it was is kept as {BASE_3B}.before_catch_up\n" in out
    assert (course / f"{BASE_3B}.before_catch_up").read_text() == text
    now = (course / BASE_3B).read_text()
    assert method_names(now) == ["_may_campaign", *methods_of([LAB3B])]
    assert "NotImplementedError" not in now, "what was written of this lab stays"
    code, out, _ = run(capfd, "catch-up", "lab3b")
    assert (code, out) == (0, f"{BASE_3B} has no method of lab 3a: they are inherited already. Nothing was changed.\n")
    assert (course / BASE_3B).read_text() == now
    assert len(list((course / "work/lab3b_replication").iterdir())) == 2


def test_catch_up_never_writes_over_what_it_kept(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for number, name in enumerate(("raft.py.before_catch_up", "raft.py.before_catch_up_2")):
        hold(BASE_3B, f"{MINE}# {number}\n")
        assert run(capfd, "catch-up", "lab3b")[0] == 0
        assert (course / f"work/lab3b_replication/{name}").read_text() == f"{MINE}# {number}\n"
    assert (course / "work/lab3b_replication/raft.py.before_catch_up").read_text().endswith("# 0\n")


def test_catch_up_begins_anew_where_nothing_can_be_taken_over(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hold(BASE_3B, "class Raft(\n")
    code, out, err = run(capfd, "catch-up", "lab3b")
    assert code == 0
    assert f"Nothing of {BASE_3B} could be taken over: it is no Python (line 1: " in err
    assert f"begun anew, 12 methods to write. Your file as it was is kept as {BASE_3B}.before_catch_up" in out
    assert (course / BASE_3B).read_text() == SKELETON_3B
    assert (course / f"{BASE_3B}.before_catch_up").read_text() == "class Raft(\n"


def test_catch_up_writes_through_no_link(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mine = hold(HANDED, MINE)
    (course / "work/lab3b_replication").mkdir()
    (course / BASE_3B).symlink_to(mine)
    code, _, err = run(capfd, "catch-up", "lab3b")
    assert code == 1
    assert "Move it away first." in err
    assert mine.read_text() == MINE


def test_the_kept_file_is_no_part_of_what_is_handed_in(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hold(BASE_3B, SOLUTION_3A)
    run(capfd, "catch-up", "lab3b")
    code, out, err = run(capfd, "check", "lab3b")
    assert code == 1, err
    assert "`Raft._advance_commit` is not written yet" in out
    assert "methods of yours that count here" not in out, "what is missing is this lab's"
    assert (course / f"{BASE_3B}.before_catch_up").exists()


# ---------------------------------------------------------------- mq lab check


def test_who_fails_is_told_of_the_earlier_methods_that_count_here_too() -> None:
    text = carried_on(LAB3C, SOLUTION_3A, skeleton_of(LAB3C)["raft.py"]).text
    (line,) = carried_lines(LAB3C, Submission({"raft.py": text.encode()}))
    assert line.strip() == "methods of yours that count here, too: 12 of lab 3a; without them: mq lab catch-up lab3c"
    assert carried_lines(LAB3C, Submission({"raft.py": skeleton_of(LAB3C)["raft.py"].encode()})) == []
    assert carried_lines(LAB3C, Submission({"raft.py": b"\xff("})) == []
    assert carried_lines(find_lab("lab1a"), Submission({"commit_log.py": b""})) == []


def test_a_check_that_fails_says_so(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wrong = SOLUTION_3A.replace("return last >= self.log.last", "return True")
    assert wrong != SOLUTION_3A
    half = written_up_to(LAB3B, 2)["raft.py"].replace("self._commit_to(index)", "pass")
    hold(BASE_3B, carried_on(LAB3B, wrong, half).text)
    code, out, _ = run(capfd, "check", "lab3b")
    assert code == 1
    assert "methods of yours that count here, too: 12 of lab 3a; without them: mq lab catch-up lab3b" in out
    assert (course / BASE_3B).exists()
