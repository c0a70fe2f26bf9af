"""Lab 1c: wrong tables die, right ones live, and a failure says what to do. In this process."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from labs.grader.grading import in_a_process
from labs.grader.lab import find_lab
from labs.grader.page import page_of
from labs.grader.report import failure_lines
from labs.grader.result import Grade, Outcome
from labs.grader.running import Runner
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.skeleton import write_all
from labs.grader.submission import read_submission
from labs.grader.suite import Check, PromiseBrokenError, Run
from labs.stage1_single_node.lab1c_delivery.rules import rule
from labs.stage1_single_node.lab1c_delivery.search import STAGES, Stage, play_stage
from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.progress import QueueProgress
from mq.broker.delivery.table import DeliveryTable
from mq.parts import load_parts
from tests.labs.helpers import failures, label, zoo

LAB1C = find_lab("lab1c")
SEEDS = Seeds(b"zoo", "zoo")
WRONG, RIGHT = zoo("wrong", LAB1C), zoo("right", LAB1C)


def rings(*wanted: int) -> list[Check]:
    return [check for check in LAB1C.suite.checks if check.ring in wanted]


def class_in(folder: Path, files: dict[str, str]) -> Make:
    write_all(folder, files)
    return load_parts(str(folder)).delivery_table


# ---------------------------------------------------------------- the zoo


def test_the_zoo_is_there_and_each_says_what_it_is() -> None:
    assert len(WRONG) >= 30
    assert len(RIGHT) >= 3
    for file in (*WRONG, *RIGHT):
        assert file.read_text(encoding="utf-8").startswith('"""'), file.name


@pytest.mark.parametrize("file", WRONG, ids=label)
def test_a_wrong_table_dies(file: Path) -> None:
    found = next(failures(load_parts(str(file)).delivery_table, iter(rings(1, 2, 3)), SEEDS), None)
    assert found is not None, "nothing tells it from a right one"
    print(f"{found[0]}, case {found[1]}: {found[2].sentence}")
    assert found[2].found
    assert found[2].section.startswith("README, rule ") or file.stem in RAISE


RAISE = ("ack_looks_it_up", "change_looks_it_up")
"""What raises is told by the words for that, and in a grade with the rule of the test."""


def test_all_but_a_few_of_the_wrong_tables_die_in_schedules_or_searches_too() -> None:
    makes = {file.stem: load_parts(str(file)).delivery_table for file in WRONG}
    alive = [name for name, make in makes.items() if next(failures(make, iter(rings(2, 3)), SEEDS), None) is None]
    assert set(alive) == {"looking_leaves_traces", *REAL}, "what only one sentence finds is guarded by a thread"


REAL = {
    "attempts_of_a_byte_in_the_snapshot": "1.29", "fields_parted_by_at": "1.29", "offsets_of_16_bits": "1.3",
    "sixteen_queues": "1.3", "fields_parted_by_tab": "1.29", "heap_in_the_snapshot": "1.28", "ack_makes_a_record": "1.28",
}  # fmt: skip
"""In schedules and searches there are two short queues, three attempts, clients with short names; all tables are asked alike."""


@pytest.mark.parametrize("name", REAL)
def test_what_a_real_broker_has_and_no_schedule_is_told_across_the_border_by_the_sentence_about_it(name: str) -> None:
    submission = read_submission(LAB1C.folder / "wrong" / f"{name}.py", LAB1C.organ_file)
    with Runner(LAB1C, submission, SEEDS, in_a_process()) as runner:
        runner.is_brief = True
        found = {check.number for check in rings(1) if not runner.outcome(check).is_passed}
    assert REAL[name] in found


@pytest.mark.parametrize("sign", '@:,;|/ #_-."\\\t\n\r\0\x1e\x1f')
def test_a_snapshot_in_which_a_sign_parts_the_fields_is_told_so(sign: str) -> None:
    class Parted(DeliveryTable):
        def to_plain(self) -> Any:
            return [
                [*queue, [[*one[:4], one[4].split(sign)[0], *one[5:]] for one in flights]]
                for *queue, flights in super().to_plain()
            ]

    assert "1.29" in {number for number, _, _ in failures(Parted, iter(rings(1)), SEEDS)}


@pytest.mark.parametrize("queues", [3, 8, 10, 16, 32, 64, 100, 256, 1000])
def test_a_table_with_room_for_so_many_queues_is_told_so(queues: int) -> None:
    class Small(DeliveryTable):
        def queue(self, queue_id: int) -> QueueProgress:
            return super().queue(queue_id % queues)

        def flights(self, queue_id: int) -> Mapping[int, InFlight]:
            return super().flights(queue_id % queues)

        def next_offset(self, queue_id: int) -> int:
            return super().next_offset(queue_id % queues)

    assert "1.3" in {number for number, _, _ in failures(Small, iter(rings(1)), SEEDS)}


@pytest.mark.parametrize(
    ("name", "sentence", "number", "script"),
    [
        ("gives_back_what_ran_out", "1.25", "2.2", "gone-for-a-while"),
        ("ready_but_64_at_most", "1.11", "2.1", "a-hundred-at-once"),
        ("void_sets_the_attempt_id", "1.5", "2.3", "void-under-a-name"),
        ("fifo_waits_over_all_queues", "1.22", "2.3", "one-queue-waits-and-not-the-other"),
    ],
)
def test_what_chance_finds_late_is_found_by_a_sentence_and_a_script(name: str, sentence: str, number: str, script: str) -> None:
    make = load_parts(str(LAB1C.folder / "wrong" / f"{name}.py")).delivery_table
    assert [found for found, _, _ in failures(make, iter(rings(1)), SEEDS)] == [sentence]
    (check,) = [check for check in rings(2) if check.number == number]
    case = check.case(script)
    assert case is not None
    case.play(DeliveryTable, case.steps, Run())
    with pytest.raises(PromiseBrokenError):
        case.play(make, case.steps, Run())


def test_each_wrong_table_died_in_what_was_asked_from_outside() -> None:
    """The table of kills is made across the border, with nothing run inside of the wrong one's process."""
    kills = json.loads((LAB1C.folder / "kills.json").read_text(encoding="utf-8"))
    rows = kills["kills"] if isinstance(kills, dict) else kills
    died = {row["name"] for row in rows if row["test"]}
    assert {file.stem for file in WRONG} <= died
    assert died.isdisjoint(file.stem for file in RIGHT)


@pytest.mark.parametrize("file", RIGHT, ids=label)
def test_a_right_table_lives(file: Path) -> None:
    assert list(failures(load_parts(str(file)).delivery_table, iter(rings(1, 2, 3)), SEEDS)) == []


@pytest.mark.parametrize("file", RIGHT, ids=label)
def test_a_right_table_with_formats_of_its_own_crosses_the_border(file: Path) -> None:
    """What it makes snapshots of, and whether it answers with lists or tuples, is its own affair."""
    submission = read_submission(file, LAB1C.organ_file)
    with Runner(LAB1C, submission, SEEDS, in_a_process()) as runner:
        runner.is_brief = True
        outcomes = [runner.outcome(check) for check in rings(1, 3) if check.number in ("1.16", "1.29", "3.3")]
    assert [outcome.message for outcome in outcomes] == ["", "", ""]


def test_the_reference_lives_and_every_test_meets_what_it_is_about() -> None:
    for check in rings(1, 2, 3):
        run = Run()
        for case in check.cases(SEEDS):
            one = Run()
            case.play(DeliveryTable, case.steps, one)
            run.met += one.met
        lacking = {name: (run.met[name], count) for name, count in check.must_meet.items() if run.met[name] < 1.3 * count}
        assert not lacking, f"{check.number} {check.name}"


def test_the_points_are_a_hundred_in_three_rings_and_the_schedules_at_least_a_hundred() -> None:
    assert [sum(check.points for check in rings(ring)) for ring in (1, 2, 3)] == [40, 30, 30]
    assert sum(len(check.cases(SEEDS)) for check in rings(2)) >= 100


def test_a_search_that_may_go_one_step_only_does_not_find_what_takes_two() -> None:
    """So the depth counts: the second leader's receive is only wrong behind the first one's."""
    make = load_parts(str(LAB1C.folder / "wrong" / "takes_void_picks.py")).delivery_table
    stage = STAGES["3.4"]
    with pytest.raises(Exception, match="void"):
        play_stage(Stage(stage.before, stage.moves, depth=2), make, (), Run())
    play_stage(Stage(stage.before[:1], stage.moves, depth=1), make, (), Run())


# ---------------------------------------------------------------- the skeleton


def test_the_readme_has_a_ladder_of_three_hints_for_each_blank_in_order() -> None:
    parts = (LAB1C.folder / "README.md").read_text(encoding="utf-8").split("\n### ")[1:]
    assert len(parts) == len(LAB1C.blanks)
    for number, (blank, part) in enumerate(zip(LAB1C.blanks, parts, strict=True), 1):
        assert part.startswith(f"{number}. `{blank.name}` in `"), part[:60]
        assert [part.count(f"<summary>Hint {hint}</summary>") for hint in (1, 2, 3)] == [1, 1, 1]


def test_the_readme_has_every_rule_that_a_failure_can_name() -> None:
    text = (LAB1C.folder / "README.md").read_text(encoding="utf-8")
    for number in range(1, 15):
        assert f"\n{number}. **" in text, rule(number)


# ---------------------------------------------------------------- a failure


def test_an_acknowledged_message_that_comes_again_is_told_and_drawn() -> None:
    make = load_parts(str(LAB1C.folder / "wrong" / "ack_forgets_to_remove.py")).delivery_table
    (found,) = [each for each in failures(make, iter(rings(2)), SEEDS) if each[0] == "2.1"]
    failure = found[2]
    assert failure.promise == "An acknowledged message is never delivered again"
    assert "was acknowledged at" in failure.expected
    assert "it was handed out again, attempt" in failure.found
    lines = failure_lines(Outcome("2.1", "a test", 7, failure=failure))
    assert any("[!carl" in line for line in lines)
    assert failure.is_pictured
    assert failure.figure is not None
    svg = failure.figure.svg()
    assert svg.startswith("<svg")
    assert "http://www.w3.org/2000/svg" in svg
    page = page_of(Grade(LAB1C.id, LAB1C.title, "practice", (Outcome("2.1", "a test", 7, failure=failure),), reason=""))
    assert "data:image/svg+xml;base64," in page


def test_a_question_that_gets_a_wrong_answer_is_a_step_of_the_story_and_drawn_where_it_was_asked() -> None:
    class Late(DeliveryTable):
        def valid(self, queue_id: int, offset: int, stamp: int, now_ms: int) -> InFlight | None:
            return super().valid(queue_id, offset, stamp, now_ms - 1)

    failure = {number: why for number, _, why in failures(Late, iter(rings(1)), SEEDS)}["1.12"]
    assert failure.story[-1] == "6000 ms: `valid` is asked about q0:0 with handle 1"
    assert failure.figure is not None
    axis, row, *_, legend = failure.figure.lines()
    assert axis.split() == ["1000", "ms", "6000", "ms"]
    assert row.index("?") == axis.index("6000 ms"), "it stands below its time"
    assert row.endswith("<== here")
    assert legend.endswith("? asked, and answered wrongly")
    assert ">6000 ms<" in failure.figure.svg()
    assert ">? here<" in failure.figure.svg()
