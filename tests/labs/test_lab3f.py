"""Lab 3f: one run of a cluster decides ten tests. What is seen is judged here by hand first, then real processes are run."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest
from click.testing import CliRunner

from labs.grader.box import ROOT
from labs.grader.cli import lab_command
from labs.grader.cli_begin import carried_lines
from labs.grader.grading import grade_of, how_to_run, until_it_fails
from labs.grader.lab import find_lab
from labs.grader.one import ORPHANED
from labs.grader.seeds import Seeds
from labs.grader.skeleton import skeleton_of, solution_of
from labs.grader.submission import Submission
from labs.stage3_raft.lab3f_drive_it import run_it
from labs.stage3_raft.lab3f_drive_it.history import Got, Sent
from labs.stage3_raft.lab3f_drive_it.hosts import PROCESSES
from labs.stage3_raft.lab3f_drive_it.organs import LABS_BEFORE, has_organ, hollow_layers, lay_out, overlay
from labs.stage3_raft.lab3f_drive_it.picture import Orders
from labs.stage3_raft.lab3f_drive_it.runs import Drive, DriveError, judge_traces
from labs.stage3_raft.lab3f_drive_it.seen import Done, Ended, Seen
from labs.stage3_raft.lab3f_drive_it.story_page import write_page
from labs.stage3_raft.lab3f_drive_it.verdict import TESTS, outcomes_of
from mq.parts import load_parts
from tests.cluster.broker_process import wait_until
from tests.labs.lab3f import drive, good_run, passed
from tools.drives import RIGHT, SOLVED, WRONG, whole_raft
from tools.make_skeletons import differences

LAB3F = find_lab("lab3f")
ALL = [test.number for test in TESTS]
slow = pytest.mark.slow

# --- the verdict, of what was seen


def failed(seen: Seen) -> dict[str, str]:
    return {one.number: one.message for one in outcomes_of(seen) if not one.is_passed}


def test_a_right_run_has_all_points_and_they_are_a_hundred(tmp_path: Path) -> None:
    assert failed(good_run(tmp_path)) == {}
    assert sum(test.points for test in TESTS) == 100
    assert [check.number for check in LAB3F.suite.checks] == ALL


def loses_one(seen: Seen) -> None:
    seen.history.got.remove(next(one for one in seen.history.got if one.body == "w ben 40"))


def invents_one(seen: Seen) -> None:
    seen.history.got.append(Got("w ben 4711", 1, 105.0))


def invents_one_of_another_run(seen: Seen) -> None:
    seen.history.got.append(Got("v ben 40", 1, 105.0))


def turns_two_round(seen: Seen) -> None:
    sent = seen.history.sent
    at = next(number for number, one in enumerate(sent) if (one.caller, one.number) == ("anna", 7))
    sent[at] = sent[at]._replace(offset=5)


def ends_a_node(seen: Seen) -> None:
    seen.ended.append(Ended("broker-a-2", "raft: `step` raised KeyError: 4"))


def breaks_a_rule(seen: Seen) -> None:
    seen.violation = "broken: one leader a term"


def tells_nothing(seen: Seen) -> None:
    seen.events = 0


@pytest.mark.parametrize(
    ("spoil", "number", "said"),
    [
        (loses_one, "3.1", "1 of 240 never came, such as w ben 40"),
        (invents_one, "3.2", "nobody sent w ben 4711"),
        (invents_one_of_another_run, "3.2", "nobody sent v ben 40"),
        (turns_two_round, "3.2", "order 7 of anna has offset 5, order 6 before it 6"),
        (ends_a_node, "3.3", "broker-a-2: raft: `step` raised KeyError: 4"),
        (breaks_a_rule, "3.4", "one leader a term"),
        (tells_nothing, "3.4", "there are 0"),
    ],
)
def test_each_promise_that_is_broken_fails_its_test_alone(
    spoil: Callable[[Seen], None], number: str, said: str, tmp_path: Path
) -> None:
    seen = good_run(tmp_path)
    spoil(seen)
    found = failed(seen)
    assert list(found) == [number]
    assert said in found[number]


@pytest.mark.parametrize("step", ["start", "calm", "kill", "back", "pause", "cut"])
def test_a_step_that_waits_in_vain_fails_and_all_behind_it_say_where_to_look(step: str, tmp_path: Path) -> None:
    seen = good_run(tmp_path)
    names = list(seen.steps)
    at = names.index(step)
    for name in names[at + 1 : -1]:
        del seen.steps[name]
    seen.steps[step] = Done("hardly any order was acknowledged", 100.0, 20.0)
    found = failed(seen)
    assert list(found) == ALL[at:], "nothing is believed of orders that were never in danger"
    assert "hardly any order was acknowledged; the nodes' logs are in" in found[ALL[at]]
    assert all(f"see {ALL[at]}" in text for number, text in found.items() if number != ALL[at])


def test_a_trace_that_is_not_there_keeps_no_promise(tmp_path: Path) -> None:
    seen = good_run(tmp_path)
    seen.traces.mkdir()
    (seen.traces / "broker-a-1.trace").write_text("")
    judge_traces(seen)
    assert "there are broker-a-1.trace" in failed(seen)["3.4"]
    (seen.traces / "broker-a-1.trace").write_text("no line of a trace\n")
    for name in ("broker-a-2", "broker-a-3", "zz-drive"):
        (seen.traces / f"{name}.trace").write_text("")
    judge_traces(seen)
    assert "the traces cannot be read" in failed(seen)["3.4"]


def test_few_orders_show_nothing(tmp_path: Path) -> None:
    seen = good_run(tmp_path)
    del seen.history.sent[100:]
    seen.history.got = [one for one in seen.history.got if one.body in seen.history.acknowledged()]
    assert {"3.1", "3.2"} <= set(failed(seen))


def test_what_was_on_its_way_at_the_end_is_neither_lost_nor_invented(tmp_path: Path) -> None:
    seen = good_run(tmp_path)
    seen.history.got.append(Got("w carl 80", 1, 110.0))
    seen.history.got.append(Got("w carl 79", 2, 111.0))
    assert failed(seen) == {}
    assert seen.history.again() == 1


def test_the_gap_is_the_longest_time_without_an_acknowledgement(tmp_path: Path) -> None:
    history = good_run(tmp_path).history
    history.sent.append(Sent("anna", 80, 80, 108.0, 111.0))
    assert history.gap_s(100, 112) == pytest.approx(111.0 - 107.91)
    assert history.gap_s(100, 105) == pytest.approx(0.1)
    assert history.gap_s(200, 300) is None


def test_pictures_and_page_are_whole_also_of_a_story_that_broke_off(tmp_path: Path) -> None:
    seen = good_run(tmp_path)
    seen.steps["cut"] = Done("<nothing> went on", 106.0, 40.0)
    seen.violation = "<b>"
    assert ElementTree.fromstring(Orders(seen).svg()).tag.endswith("svg")
    lines = Orders(seen).lines()
    assert any("killed" in line for line in lines)
    assert "       ..." in lines
    page = write_page(seen, list(outcomes_of(seen)), PROCESSES, None, ["a & b"]).read_text(encoding="utf-8")
    assert "&lt;nothing&gt; went on" in page
    assert "<b>" not in page
    assert 'src="http' not in page
    assert Orders(Seen(tmp_path)).svg() == ""
    assert Orders(Seen(tmp_path)).lines() == []


# --- the organs


def test_nothing_that_labs_3a_to_3d_ask_for_is_left_in_the_layers() -> None:
    layers = hollow_layers()
    blanks = {blank.name for short in LABS_BEFORE for blank in find_lab(short).blanks}
    bodies = {
        f"{kind.name}.{each.name}": each.body[ast.get_docstring(each) is not None :]
        for text in layers.values()
        for kind in ast.parse(text).body
        if isinstance(kind, ast.ClassDef)
        for each in kind.body
        if isinstance(each, ast.FunctionDef)
    }
    assert len(blanks) > 30
    assert {name for name in blanks if not isinstance(bodies[name][-1], ast.Raise)} == set()


def test_a_folder_with_layers_instead_of_ours_has_all_else(tmp_path: Path) -> None:
    overlay(tmp_path / "given")
    made = tmp_path / "given" / "mq"
    assert "raise NotImplementedError" in (made / "raft" / "election.py").read_text(encoding="utf-8")
    root = Path(run_it.__file__).resolve().parents[3]
    names = {file.relative_to(root / "mq").as_posix() for file in (root / "mq").rglob("*.py")}
    assert {name for name in names if not (made / name).is_file()} == set()


def test_a_students_log_and_raft_are_found_in_one_folder(tmp_path: Path) -> None:
    files = {name: text.encode() for name, text in solution_of(find_lab("lab1a")).items() if name != "__init__.py"}
    submission = Submission({**files, "raft.py": RIGHT["lazy"].encode()})
    lay_out(submission, tmp_path / "organs")
    assert has_organ(submission) == ["Raft", "CommitLog"]
    assert sorted(load_parts(str(tmp_path / "organs")).replaced()) == ["commit_log", "raft"]


def test_nothing_is_believed_of_files_without_a_raft_and_nothing_is_started(tmp_path: Path) -> None:
    outcomes, seen = drive("Raft = 1\n", tmp_path / "run")
    assert passed(outcomes) == []
    assert list(outcomes) == ALL
    assert outcomes["1.1"].message.startswith("There is no class `Raft` in your files")
    assert seen.steps == {}


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with Drive(Submission({"raft.py": b""}), tmp_path) as made, pytest.raises(DriveError, match="no earlier run made it"):
        list(made.outcomes())
    assert (tmp_path / "thesis.txt").exists()


def test_the_skeleton_is_an_empty_class_and_as_it_should_be() -> None:
    assert differences(LAB3F) == []
    assert "NotImplementedError" not in skeleton_of(LAB3F)["raft.py"]


def test_the_whole_class_comes_along_and_there_is_nothing_to_catch_up_with(tmp_path: Path) -> None:
    (tmp_path / "lab3d_snapshots").mkdir()
    (tmp_path / "lab3d_snapshots" / "raft.py").write_text(whole_raft(), encoding="utf-8")
    started = CliRunner().invoke(lab_command, ["start", "lab3f", "--dir", str(tmp_path)], standalone_mode=False)
    assert started.return_value == 0
    assert "nothing to write" in started.output
    mine = tmp_path / LAB3F.id / "raft.py"
    before = mine.read_text(encoding="utf-8")
    assert set(methods_in(whole_raft())) == set(methods_in(before))
    caught_up = CliRunner().invoke(lab_command, ["catch-up", "lab3f", "--dir", str(tmp_path)], standalone_mode=False)
    assert caught_up.return_value == 1
    assert mine.read_text(encoding="utf-8") == before
    broken = Submission({"raft.py": before.encode()})
    assert carried_lines(LAB3F, broken) == []


def test_what_is_missing_is_told_of_all_labs_and_not_that_ours_stand_in(tmp_path: Path) -> None:
    begun = CliRunner().invoke(lab_command, ["start", "lab3f", "--dir", str(tmp_path)], standalone_mode=False)
    assert "raft.py of an earlier lab: lab 3f asks for the whole class of lab 3a to lab 3d" in begun.output
    (tmp_path / LAB3F.id).rename(tmp_path / "aside")
    (tmp_path / "lab3a_election").mkdir()
    text = solution_of(find_lab("lab3a"))["raft.py"]
    body = "def _restart_timer(self) -> None:\n        raise NotImplementedError('lab 3a: Raft._restart_timer')\n\n    def _was("
    text = re.sub(r"def _restart_timer\(", body, text)
    (tmp_path / "lab3a_election" / "raft.py").write_text(text, encoding="utf-8")
    started = CliRunner().invoke(lab_command, ["start", "lab3f", "--dir", str(tmp_path)], standalone_mode=False)
    assert "ours stand in" not in started.output
    said = started.output.partition("nothing of ours stands in their place here:\n")[2].splitlines()
    assert said[0].split() == ["lab", "3a:", "_restart_timer"]
    for line, short in zip(said[1:4], ("lab3b", "lab3c", "lab3d"), strict=True):
        lab = find_lab(short)
        assert line == f"  {lab.spoken}: {', '.join(blank.name.rpartition('.')[2] for blank in lab.blanks)}"


def methods_in(text: str) -> list[str]:
    """Of its classes."""
    return [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]


def test_another_systems_container_cannot_grade_it_and_the_command_says_what_can(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("11" * 16, encoding="ascii")
    out = tmp_path / "3f.zip"
    answer = CliRunner().invoke(lab_command, ["zip", "lab3f", "--key-file", str(key), "--out", str(out)])
    assert answer.exit_code == 2
    assert "mq lab grade lab3f DIR --container" in answer.output
    assert not out.exists()


def test_the_table_of_runs_is_of_all_of_them_in_both_kinds_of_nodes() -> None:
    rows = [line.split(" | ") for line in (LAB3F.folder / "DRIVES.md").read_text(encoding="utf-8").splitlines()]
    nodes = ("processes", "containers")
    points = {(row[0].removeprefix("| "), row[1]): int(row[2]) for row in rows if row[1:] and row[1] in nodes}
    named = (SOLVED, *RIGHT, *WRONG)
    assert set(points) == {(name, one) for name in named for one in nodes}
    assert {name for (name, _), got in points.items() if got < 100} == set(WRONG)


# --- real nodes, in processes


@pytest.mark.cluster
@slow
@pytest.mark.timeout(300)
def test_the_class_that_labs_3a_to_3d_lead_to_passes_where_our_layers_are_hollow(tmp_path: Path) -> None:
    submission = Submission({"raft.py": whole_raft().encode()})
    start, mode = how_to_run(LAB3F, is_container=False)
    grade = grade_of(LAB3F, submission, Seeds(b"", submission.mark), folder=tmp_path, start=start, mode=mode)
    assert (grade.score, grade.reason, grade.mode) == (100, "", PROCESSES), [one.message for one in grade.outcomes]
    run = tmp_path / "run"
    page = (run / "story.html").read_text(encoding="utf-8")
    assert page.count("data:image/") == 2, "the orders, and the election"
    for node in (1, 2, 3):
        assert f"node {node} says              raft is parts_raft.Raft, called " in page
    told = [json.loads(line) for line in (run / "witness" / "witness.jsonl").read_text().splitlines()]
    sent = [(one["caller"], one["number"]) for one in told if one["what"] == "sent"]
    got = {tuple(one["body"].split()[1:]) for one in told if one["what"] == "got"}
    assert {(caller, str(number)) for caller, number in sent} <= got
    assert len(sent) == len(set(sent)) > 150
    assert json.loads((tmp_path / "result.json").read_text())["score"] == 100


@pytest.mark.cluster
@slow
@pytest.mark.timeout(300)
def test_who_inherits_everything_has_nothing(tmp_path: Path) -> None:
    submission = Submission({"raft.py": skeleton_of(LAB3F)["raft.py"].encode()})
    grade = grade_of(LAB3F, submission, Seeds(), folder=tmp_path, tell=until_it_fails(LAB3F))
    assert grade.points == 0
    assert grade.first_failure is not None
    assert "`Raft._restart_timer` of lab 3a is not written yet" in grade.first_failure.message


@pytest.mark.cluster
@slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["hangs", "vote_not_saved"])
def test_a_wrong_raft_fails_with_a_message_that_says_why(name: str, tmp_path: Path) -> None:
    check_it_fails(name, tmp_path / "run")


def check_it_fails(name: str, folder: Path) -> None:
    text, said = WRONG[name]
    outcomes, seen = drive(text, folder)
    assert sum(one.points for one in outcomes.values()) <= 15
    first = next(one for one in outcomes.values() if not one.is_passed)
    assert said in first.message
    assert seen.logs.is_dir()
    assert (folder / "story.html").is_file()


@pytest.mark.cluster
@slow
@pytest.mark.timeout(300)
def test_a_grader_that_is_told_to_go_leaves_no_node_behind(tmp_path: Path) -> None:
    (tmp_path / "raft.py").write_text(whole_raft(), encoding="utf-8")
    wanted = {"lab": "lab3f", "path": str(tmp_path), "out": str(tmp_path / "out"), "key": "", "is_container": False}
    command = [sys.executable, "-m", "labs.grader.one"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as grader:
        assert grader.stdin is not None
        assert grader.stderr is not None
        grader.stdin.write(json.dumps(wanted) + "\n")
        grader.stdin.flush()
        told = next(line for line in grader.stderr if "they serve" in line)
        assert told
        assert len(nodes_below(tmp_path)) >= 3
        grader.stdin.close()
        assert grader.wait(60) == ORPHANED
    wait_until(lambda: not nodes_below(tmp_path), "all of them are gone")


def nodes_below(folder: Path) -> list[psutil.Process]:
    """Processes whose command names that folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(str(folder) in word for word in process.cmdline()):
                found.append(process)
    return found


@pytest.mark.night
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", RIGHT)
def test_every_right_raft_passes(name: str, tmp_path: Path) -> None:
    outcomes, _ = drive(RIGHT[name], tmp_path / "run")
    assert passed(outcomes) == ALL, [one.message for one in outcomes.values()]


@pytest.mark.night
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", WRONG)
def test_every_wrong_raft_fails_each_time(name: str, tmp_path: Path) -> None:
    for number in range(3):
        check_it_fails(name, tmp_path / f"run {number}")
