"""The part of lab 1a in which a student writes the test: wrong logs die by it, right ones live."""

import pytest

from labs.grader.seeds import Seeds
from labs.grader.skeleton import skeleton_of, solution_of
from labs.grader.strips import strips_of
from labs.grader.submission import Submission
from labs.grader.suite import PromiseBrokenError, Run
from labs.stage1_single_node.lab1a_commit_log.own_language import LineError, parsed
from labs.stage1_single_node.lab1a_commit_log.own_tests import FILE, OWN_TESTS, died_at, right_logs
from labs.stage1_single_node.lab1a_commit_log.picture import DiskPicture
from labs.stage1_single_node.lab1a_commit_log.to_kill import TO_KILL, over
from mq.broker.store.commit_log import CommitLog
from tests.labs.helpers import LAB1A, check_of, outcomes_of, rings, skeleton, zoo

SOLUTION = parsed(solution_of(LAB1A)[FILE])
TESTS = tuple(TO_KILL)
TOO_SURE = """
schedule what was not synced is gone
  append bread
  lose power after 9 operations, keep all
  expect not bread
"""
WRONG_LINES = {
    "": "there is no schedule",
    "append bread": "line 1: a schedule begins with `schedule NAME`",
    "schedule a\n append bread\n kill": "line 1: the schedule 'a' expects nothing",
    "schedule a\n append bread\n expect bread": "line 3: nothing can be expected before the log was opened again",
    "schedule a\n kill\n expect bread": "line 3: bread was never appended",
    "schedule a\n append b\n append b\n kill\n expect b": "line 3: b is appended a second time",
    "schedule a\n append b of 5000 bytes\n kill\n expect b": "line 2: an entry has 1 to 4000 bytes",
    "schedule a\n import os": "line 2: 'import os' is none of the steps",
    "schedule a\n append __class__\n kill\n expect the same": "line 2: 'append __class__' is none of the steps",
    "schedule a\n lose power, keep sektor 2": "it is written `lose power [after N operations] [keep nothing | keep all |",
    "schedule a\n carry out all\n kill": "it is written `carry out` or `carry out N`",
    "schedule a\n append Bread\n kill\n expect the same": "`, of 20 at most, and begins with a letter",
    "schedule a\n" + " kill\n" * 41 + " expect the same": "line 42: there are more than 12 schedules, or one has more than 40",
    "schedule a\n kill\n expect the same\n" * 13: "line 37: there are more than 12 schedules",
}
KEPT = [
    ("", False),
    ("keep nothing", False),
    ("keep all", True),
    ("keep sectors 1", True),
    ("keep sector 1", True),
    ("keep sector 7", False),
    ("keep sectors 7", False),
    ("keep first 400 bytes", True),
    ("keep first 60 bytes", False),
]


def missed(number: str, text: str, run: Run | None = None) -> PromiseBrokenError | None:
    """What a test says of a file of schedules; None when it is passed. run: what it tells of itself."""
    check = check_of(number)
    (case,) = check.cases(Seeds())
    run = Run() if run is None else run
    run.texts = {FILE: text}
    try:
        case.play(CommitLog, case.steps, run)
    except PromiseBrokenError as error:
        return error
    assert run.met["killed"] == check.must_meet["killed"]
    return None


def judged(number: str, text: str) -> str:
    """What was found; empty when it is passed."""
    error = missed(number, text)
    return error.found if error is not None else ""


def pictures(number: str, text: str) -> dict[str, str]:
    """The disks that a failure shows: what is on them, by heading."""
    error = missed(number, text, run := Run())
    assert error is not None
    assert not error.disks, "they would be shown twice"
    assert run.figure is None or isinstance(run.figure, DiskPicture)
    return {heading: " ".join(strips_of(disk)) for heading, disk in (run.figure.disks if run.figure is not None else ())}


def test_the_ring_has_ten_points_of_a_hundred() -> None:
    assert sum(check.points for check in rings(4)) == 10
    assert sum(check.points for check in LAB1A.suite.checks) == 100
    assert [check.number for check in OWN_TESTS] == list(TESTS)


@pytest.mark.parametrize("number", TESTS)
def test_each_wrong_log_is_killed_by_one_of_our_schedules_and_lives_through_those_of_the_others(number: str) -> None:
    killing = SOLUTION[TESTS.index(number)]
    assert died_at(over(CommitLog, TO_KILL[number]), killing) is not None
    if number != "4.1":  # who never syncs dies of many things
        others = [schedule for schedule in SOLUTION if schedule is not killing]
        assert [died_at(over(CommitLog, TO_KILL[number]), schedule) for schedule in others] == [None, None]


@pytest.mark.parametrize("schedule", SOLUTION, ids=lambda schedule: schedule.name)
def test_no_right_log_fails_in_our_schedules(schedule: object) -> None:
    assert len(right_logs(CommitLog)) == 2 + len(zoo("right"))
    for name, make in right_logs(CommitLog).items():
        assert died_at(make, schedule) is None, name  # type: ignore[arg-type]


@pytest.mark.parametrize("number", TESTS)
def test_what_is_handed_out_kills_nobody(number: str) -> None:
    assert "'what was killed comes back': it lives" in judged(number, skeleton_of(LAB1A)[FILE])
    assert judged(number, solution_of(LAB1A)[FILE]) == ""


def test_a_schedule_that_a_right_log_fails_in_counts_for_nothing() -> None:
    said = judged("4.1", TOO_SURE)
    assert "a right log fails in it, line 5, `expect not bread`: found was <bread>" in said
    too_sure_and_killing = TOO_SURE.replace("keep all", "keep nothing").replace("expect not", "expect")
    assert "a right log with larger segments fails in it" not in said
    assert judged("4.1", too_sure_and_killing) == ""


def test_a_miss_shows_the_disk_of_the_wrong_log_and_of_a_right_one_where_they_differ() -> None:
    shown = pictures("4.1", skeleton_of(LAB1A)[FILE])
    before = "schedule 'what was killed comes back', {}: line 16, just before `kill`"
    assert list(shown)[::2] == [before.format("the wrong log"), before.format("a right log")]
    assert "(1·0)" in shown[before.format("the wrong log")], "written, and not synced"
    assert "[1·0]" in shown[before.format("a right log")]
    torn = """
schedule torn
  append bread
  carry out
  append milk of 400 bytes
  append eggs
  lose power after 2 operations, keep sectors 2
  expect not milk
schedule a kill
  append bread
  kill
  expect not bread
"""
    differs = "'torn': it lives, although its disk differs from a right log's (line 7, when it was opened again)"
    assert differs in judged("4.3", torn)
    opened = [strips for heading, strips in pictures("4.3", torn).items() if heading.endswith("when it was opened again")]
    assert ["~~" in strips for strips in opened] == [True, False]


def test_a_miss_in_which_a_wrong_log_looks_as_a_right_one_says_so_and_one_of_a_right_log_shows_it() -> None:
    assert "it lives, and at no crash does its disk differ from a right log's" in judged("4.3", skeleton_of(LAB1A)[FILE])
    assert list(pictures("4.3", skeleton_of(LAB1A)[FILE])) == [
        "schedule 'what was killed comes back', the wrong log, and a right one as well: line 16, just before `kill`",
        "schedule 'what was killed comes back', the wrong log, and a right one as well: line 16, when it was opened again",
    ]
    shown = pictures("4.3", skeleton_of(LAB1A)[FILE] + TOO_SURE)
    assert [heading.split(":")[0] for heading in shown] == ["schedule 'what was not synced is gone', a right log"] * 2
    assert pictures("4.3", "") == {}


def test_a_schedule_that_holds_for_our_log_alone_counts_for_nothing() -> None:
    # With segments of another size nothing rolls: to expect that a byte of the second one is lost is to know too much.
    text = """
schedule knows how long a segment is
  append a of 700 bytes
  carry out
  append b of 700 bytes
  lose power after 1 operation, keep all
  expect not b
"""
    assert "a right log with larger segments fails in it" in judged("4.2", text)


@pytest.mark.parametrize("text", WRONG_LINES)
def test_a_line_that_says_nothing_is_told_with_its_number(text: str) -> None:
    if text:
        with pytest.raises(LineError) as caught:
            parsed(text)
        assert WRONG_LINES[text] in str(caught.value)
    assert WRONG_LINES[text] in judged("4.1", text)


@pytest.mark.parametrize(("keep", "is_there"), KEPT)
def test_what_a_loss_of_power_keeps(keep: str, is_there: bool) -> None:
    text = f"schedule x\n append a\n carry out\n append b\n lose power after 1 operation, {keep}".rstrip(" ,")
    schedule = parsed(f"{text}\n expect a\n expect {'' if is_there else 'not '}b")[0]
    assert died_at(CommitLog, schedule) is None


def test_they_are_judged_without_running_anything_of_the_students() -> None:
    leaves = Submission({"commit_log.py": b"import os; os._exit(0)", FILE: solution_of(LAB1A)[FILE].encode()})
    outcomes = outcomes_of(leaves, "4.1", "4.2", "4.3")
    assert [outcome.is_passed for outcome in outcomes.values()] == [True] * 3
    hung = outcomes_of(leaves, "1.2", "1.3", "1.4", "1.5", "4.1")
    assert [outcome.is_passed for outcome in hung.values()] == [False] * 4 + [True]
    assert "3 times" in hung["1.5"].message, "what needs the student's code is not run any more, and this does not"
    failed = outcomes_of(skeleton(), "4.2")["4.2"]
    assert not failed.is_passed
    assert "it lives" in failed.message
    assert failed.replay == "lab1a:4.2"


def test_a_name_that_is_too_long_is_cut_where_one_can_see_it() -> None:
    name = "a" * 60
    assert parsed(f"schedule {name}\n kill\n expect the same")[0].name == name
    assert parsed(f"schedule {name}b\n kill\n expect the same")[0].name == "a" * 59 + "…"
