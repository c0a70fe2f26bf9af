"""Lab 1b: wrong queues die, right ones live, and a failure says what to do. In this process."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labs.grader.grading import in_a_process
from labs.grader.lab import find_lab
from labs.grader.page import page_of
from labs.grader.report import failure_lines
from labs.grader.result import Failure, Grade, Outcome
from labs.grader.running import Runner
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.submission import read_submission
from labs.grader.suite import Check, Run
from labs.stage1_single_node.lab1b_consume_queue.rules import rule
from labs.stage1_single_node.lab1b_consume_queue.search import STAGES, Stage, play_stage
from mq.broker.store.consume_queue import ConsumeQueue
from mq.parts import load_parts
from tests.labs.helpers import failures, label, zoo

LAB1B = find_lab("lab1b")
SEEDS = Seeds(b"zoo", "zoo")
WRONG, RIGHT = zoo("wrong", LAB1B), zoo("right", LAB1B)


def rings(*wanted: int) -> list[Check]:
    return [check for check in LAB1B.suite.checks if check.ring in wanted]


def class_in(where: Path) -> Make:
    return load_parts(str(where)).consume_queue


def wrong(name: str) -> Make:
    return class_in(LAB1B.folder / "wrong" / f"{name}.py")


# ---------------------------------------------------------------- the zoo


def test_the_zoo_is_there_and_each_says_what_it_is() -> None:
    assert len(WRONG) >= 30
    assert len(RIGHT) >= 3
    for file in (*WRONG, *RIGHT):
        assert file.read_text(encoding="utf-8").startswith('"""'), file.name


@pytest.mark.parametrize("file", WRONG, ids=label)
def test_a_wrong_queue_dies(file: Path) -> None:
    found = next(failures(class_in(file), iter(rings(1, 2, 3)), SEEDS), None)
    assert found is not None, "nothing tells it from a right one"
    print(f"{found[0]}, case {found[1]}: {found[2].sentence}")
    assert found[2].found
    assert found[2].section.startswith("README, rule ") or file.stem in REFUSED_AT_THE_BORDER


REFUSED_AT_THE_BORDER = {"reads_before_the_file", "small_numbers", "hollow_is_nothing", "offsets_of_32_bits"}
"""They meet no rule here, but an error: what is told of it across the border is looked at below."""
ONLY_COSTS = {"hollow_is_nothing", "keeps_a_file_too_long", "keeps_all_in_memory", "keeps_one_too_few", "never_removes",
              "scans_from_the_front", "tail_of_three"}  # fmt: skip
"""All is found, with more files, memory or reads than need be. (No schedule gives a node another one's snapshot, either.)"""
NEVER_IN_A_SCHEDULE = {"adds_the_bytes_up", "believes_that_they_follow", "believes_what_it_found", "count_goes_back",
                       "deletes_its_neighbours", "every_topic_is_orders", "gaps_are_no_damage", "reads_what_went",
                       "small_numbers", "after_a_page_the_next_file", "offsets_of_32_bits",
                       "synced_is_what_is_flushed", "memory_as_it_was", "one_search_at_a_time", "looks_again_once",
                       "names_the_first_file", "names_the_next_file", "escapes_capitals_only"}  # fmt: skip
"""There one bit changes at a time, plans are told in order, no queue is deleted, and nothing comes in the middle of a read.

All numbers are small, files are short, and all queues are of one topic; a file that is missing need not be the one that is named.
"""


@pytest.mark.night  # two minutes; the table of kills says the same across the border
def test_all_but_what_a_sentence_alone_asks_for_dies_in_schedules_or_searches_too() -> None:
    alive = {file.stem for file in WRONG if next(failures(class_in(file), iter(rings(2, 3)), SEEDS), None) is None}
    assert alive - {"checksum_of_eight_bits"} == ONLY_COSTS | NEVER_IN_A_SCHEDULE, "one flip in 256 is believed: that is luck"


AT_BORDERS = {
    "adds_the_bytes_up": "1.36", "believes_that_they_follow": "1.37", "believes_what_it_found": "1.37",
    "checksum_of_eight_bits": "1.36", "count_goes_back": "1.33", "deletes_its_neighbours": "1.35",
    "every_topic_is_orders": "1.35", "gaps_are_no_damage": "1.37",
    "keeps_a_file_too_long": "1.38", "keeps_one_too_few": "1.34", "reads_what_went": "1.40", "syncs_what_went": "1.39",
    "writes_what_went": "1.39", "after_a_page_the_next_file": "1.17", "offsets_of_32_bits": "1.27",
    "synced_is_what_is_flushed": "1.33", "tail_of_three": "1.34", "memory_as_it_was": "1.16", "one_search_at_a_time": "1.17",
    "looks_again_once": "1.40", "names_the_first_file": "1.30", "names_the_next_file": "1.30", "escapes_capitals_only": "1.35",
}  # fmt: skip


@pytest.mark.parametrize("name", AT_BORDERS)
def test_what_is_wrong_at_a_border_alone_is_told_by_the_sentence_about_it(name: str) -> None:
    assert [number for number, _, _ in failures(wrong(name), iter(rings(1)), SEEDS)] == [AT_BORDERS[name]]


@pytest.mark.parametrize("name", AT_BORDERS)
def test_it_is_told_of_one_that_runs_in_a_process_of_its_own(name: str) -> None:
    submission = read_submission(LAB1B.folder / "wrong" / f"{name}.py", LAB1B.organ_file)
    with Runner(LAB1B, submission, SEEDS, in_a_process(), with_reference=True) as runner:
        runner.is_brief = True
        found = {check.number for check in rings(1) if not runner.outcome(check).is_passed}
    assert found == {AT_BORDERS[name]}


def test_each_wrong_queue_died_in_what_was_asked_from_outside() -> None:
    """The table of kills is made across the border, with nothing run inside of the wrong one's process."""
    rows = json.loads((LAB1B.folder / "kills.json").read_text(encoding="utf-8"))
    died = {row["name"] for row in rows if row["test"]}
    assert {file.stem for file in WRONG} <= died
    assert died.isdisjoint(file.stem for file in RIGHT)


@pytest.mark.parametrize("file", RIGHT, ids=label)
def test_a_right_queue_lives(file: Path) -> None:
    assert list(failures(class_in(file), iter(rings(1, 2, 3)), SEEDS)) == []


@pytest.mark.parametrize("file", RIGHT, ids=label)
def test_a_right_queue_with_files_of_its_own_crosses_the_border(file: Path) -> None:
    submission = read_submission(file, LAB1B.organ_file)
    with Runner(LAB1B, submission, SEEDS, in_a_process(), with_reference=True) as runner:
        runner.is_brief = True
        outcomes = [runner.outcome(check) for check in rings(1, 3) if check.number in ("1.17", "1.22", "1.31", "3.3")]
    assert [outcome.message for outcome in outcomes] == ["", "", "", ""]


def test_the_reference_lives_and_every_test_meets_what_it_is_about() -> None:
    for check in rings(1, 2, 3):
        met: Counter[str] = Counter()
        for case in check.cases(SEEDS):
            one = Run()
            case.play(ConsumeQueue, case.steps, one)
            met += one.met
        lacking = {name: (met[name], count) for name, count in check.must_meet.items() if met[name] < count}
        assert not lacking, f"{check.number} {check.name}"


@pytest.mark.parametrize("key", [b"a", b"b", b"c", b"d", b"e", b"f"])
def test_no_seeds_are_so_unlucky_that_a_schedule_proves_nothing(key: bytes) -> None:
    for check in rings(2):
        met: Counter[str] = Counter()
        for case in check.cases(Seeds(key, "unlucky")):
            one = Run()
            case.play(ConsumeQueue, case.steps, one)
            met += one.met
        scarce = {name: (met[name], count) for name, count in check.must_meet.items() if met[name] < 1.5 * count}
        assert not scarce, f"{check.number} {check.name}"


def test_the_points_are_a_hundred_in_three_rings_and_the_schedules_at_least_a_hundred() -> None:
    assert [sum(check.points for check in rings(ring)) for ring in (1, 2, 3)] == [40, 30, 30]
    assert sum(len(check.cases(SEEDS)) for check in rings(2)) >= 100


def test_a_search_that_may_go_one_step_only_does_not_find_what_takes_two() -> None:
    stage = STAGES["3.2"]
    make = wrong("goes_back")
    shallow = Stage(stage.before, stage.moves[1:], depth=1)
    play_stage(shallow, make, (), Run())
    with pytest.raises(Exception, match="beginning"):
        play_stage(Stage(stage.before, stage.moves, depth=1), make, (), Run())


# ---------------------------------------------------------------- the skeleton


def test_the_readme_has_a_ladder_of_three_hints_for_each_blank_in_order() -> None:
    parts = (LAB1B.folder / "README.md").read_text(encoding="utf-8").split("\n### ")[1:]
    assert len(parts) == len(LAB1B.blanks)
    for number, (blank, part) in enumerate(zip(LAB1B.blanks, parts, strict=True), 1):
        assert part.startswith(f"{number}. `{blank.name}`\n"), part[:60]
        assert [part.count(f"<summary>Hint {hint}</summary>") for hint in (1, 2, 3)] == [1, 1, 1]


def test_the_readme_has_every_rule_that_a_failure_can_name() -> None:
    text = (LAB1B.folder / "README.md").read_text(encoding="utf-8")
    for number in range(1, 14):
        assert f"\n{number}. **" in text, rule(number)


# ---------------------------------------------------------------- a failure


def _failure_of(name: str, number: str) -> Failure:
    (found,) = [each for each in failures(wrong(name), iter(rings(1, 2)), SEEDS) if each[0] == number]
    return found[2]


def test_an_entry_that_leads_to_the_wrong_place_is_told_and_drawn() -> None:
    failure = _failure_of("no_position_no_entry", "1.5")
    assert failure.promise == "A message's offset leads to the record that holds it, and to its number in there"
    assert "message 3 is number 0 of the record at no position (log index 3" in failure.expected
    assert "`entries(0, 2)` says number 0 of the record at position 100" in failure.found
    lines = failure_lines(Outcome("1.5", "a test", 1, failure=failure))
    assert any("!at 100" in line for line in lines)
    assert any(line.startswith("  position") and "none" in line for line in lines)
    assert failure.figure is not None
    svg = failure.figure.svg()
    assert svg.startswith("<svg")
    assert "at 100" in svg
    page = page_of(Grade(LAB1B.id, LAB1B.title, "practice", (Outcome("1.5", "a test", 1, failure=failure),), reason=""))
    assert "data:image/svg+xml;base64," in page


def test_a_time_that_leads_too_far_is_told_and_drawn_with_both_places() -> None:
    failure = _failure_of("trusts_the_clock", "1.11")
    assert failure.promise == "Store times never fall, and the first message at or after a time is found"
    assert failure.figure is not None
    marks = " ".join(failure.figure.lines())
    assert "!expected" in marks
    assert "!found for" in marks


def test_an_entry_with_another_time_is_shown_with_it_beside_the_one_that_it_must_have() -> None:
    failure = _failure_of("trusts_the_clock", "1.11")
    assert failure.figure is not None
    lines = failure.figure.lines()
    must, is_so = (next(line.split() for line in lines if line.startswith(name)) for name in ("must be stored", "is stored"))
    assert must[3:] == ["1000", "1100", "1200", "1300", "1300", "1300", "1300", "1300", "2000"]
    assert is_so[2:] == ["1000", "1100", "1200", "1300", "500", "500", "600", "700", "2000"]
    assert "its entry of message 4 says stored at 500 ms, not 1300" in failure.found
    assert failure.section == "README, rule 4, and method 1"
    svg = failure.figure.svg()
    assert "is stored, ms" in svg
    assert svg.count('fill="#b3261e">500<') == 2


def test_a_time_that_is_searched_wrongly_blames_no_entry_and_draws_no_other_times() -> None:
    failure = _failure_of("last_of_its_time", "1.10")
    assert failure.figure is not None
    assert not any(line.startswith("is stored") for line in failure.figure.lines())
    assert failure.section == "README, rule 4"


def test_entries_that_cannot_be_read_leave_the_failure_as_it_is() -> None:
    class Blind(ConsumeQueue):
        def entries(self, offset: int, count: int) -> Any:
            raise NotImplementedError

        def offset_at(self, store_ms: int) -> Any:
            yield from ()
            return 2 if store_ms == 1101 else (yield from super().offset_at(store_ms))

    (found,) = [each for each in failures(Blind, iter(rings(1)), SEEDS) if each[0] == "1.9"]
    assert found[2].found == "`offset_at(1101)` says 2"
