"""Lab 1d: wrong consumers die, right ones live, and a failure says what to do. In this process."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs.grader.boxed import files_for
from labs.grader.grading import in_a_process
from labs.grader.lab import find_lab
from labs.grader.loading import organ_in
from labs.grader.page import page_of
from labs.grader.report import failure_lines
from labs.grader.result import Failure, Grade, Outcome
from labs.grader.running import Runner
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of, write_all
from labs.grader.submission import Submission
from labs.grader.suite import Check, PromiseBrokenError, Run
from labs.stage1_single_node.lab1d_idempotent_consumer.names import FALLING, ODD, PLAIN, SHOP, names_of
from labs.stage1_single_node.lab1d_idempotent_consumer.orders import read_order
from labs.stage1_single_node.lab1d_idempotent_consumer.search import STAGES, Stage, play_stage
from labs.stage1_single_node.lab1d_idempotent_consumer.solution.consumer import OrderConsumer
from tests.labs.helpers import failures, label, zoo

LAB1D = find_lab("lab1d")
SEEDS = Seeds(b"zoo", "zoo")
WRONG, RIGHT = zoo("wrong", LAB1D), zoo("right", LAB1D)
ONLY_A_SENTENCE: list[str] = []
"""Wrong ones that neither schedules nor searches find."""


def rings(*wanted: int) -> list[Check]:
    return [check for check in LAB1D.suite.checks if check.ring in wanted]


def class_of(where: Path) -> Make:
    return organ_in(where, LAB1D.organ_file, LAB1D.seam.name)  # type: ignore[no-any-return]


def wrong(name: str) -> Make:
    return class_of(LAB1D.folder / "wrong" / f"{name}.py")


def class_in(folder: Path, files: dict[str, str]) -> Make:
    write_all(folder, files)
    return class_of(folder)


def failed(make: Make, seeds: Seeds, *wanted: int) -> Iterator[tuple[str, int, Failure]]:
    return failures(make, iter(rings(*wanted)), seeds)


# ---------------------------------------------------------------- the zoo


def test_the_zoo_is_there_and_each_says_what_it_is() -> None:
    assert len(WRONG) >= 30
    assert len(RIGHT) >= 3
    for file in (*WRONG, *RIGHT):
        assert file.read_text(encoding="utf-8").startswith('"""'), file.name


@pytest.mark.parametrize("file", WRONG, ids=label)
def test_a_wrong_consumer_dies(file: Path) -> None:
    found = [next(failed(class_of(file), SEEDS, ring), None) for ring in (1, 2, 3)]
    print([one and (one[0], one[1], one[2].sentence) for one in found])
    assert found[1] is not None or found[2] is not None or file.stem in ONLY_A_SENTENCE
    first = next(one for one in found if one is not None)[2]
    assert first.section.startswith("README, rule ") or file.stem == "unreadable_raises"


SCRIPTED = [
    ("2.1", "many-others-in-between", "remembers_the_last_four"),
    ("2.3", "never-an-account", "last_attempt_is_not_settled"),
    ("2.3", "opened-twice", "opening_begins_anew"),
    ("2.3", "a-key-of-what-was-given-back", "given_back_keeps_its_key"),
    ("2.4", "just-in-time", "forgets_too_soon"),
    ("2.4", "at-the-last-moment", "forgets_a_moment_too_soon"),
    ("2.4", "at-the-last-moment", "forgets_in_the_last_millisecond"),
    ("2.4", "at-the-last-moment-alone", "the_last_copy_is_new"),
    ("2.4", "long-ago", "never_forgets"),
    ("2.4", "long-ago-and-begun-anew", "rows_come_in_order_of_time"),
    ("2.3", "an-opening-with-a-used-key", "openings_need_no_key"),
    ("2.3", "an-opening-with-a-used-key", "body_of_12_letters"),
    ("2.3", "a-name-that-begins-another-one", "accounts_by_their_beginning"),
    ("2.2", "dies-everywhere", "lstrip_of_the_key"),
    ("2.2", "dies-everywhere", "key_up_to_the_colon"),
    ("2.1", "the-older-one-comes-last", "one_digit_of_loaves"),
    ("2.2", "keys-of-all-kinds", "notes_called_by_the_key"),
    ("2.2", "keys-of-all-kinds", "notes_in_one_row_with_bars"),
    ("2.2", "keys-of-all-kinds", "keys_in_ascii"),
    ("2.2", "keys-of-all-kinds", "keys_of_28_letters"),
    ("2.3", "the-same-in-other-words", "compares_what_it_read"),
    ("2.3", "the-same-in-other-words", "strips_and_lowers_the_body"),
]
BY_A_SENTENCE = [
    ("1.12", "openings_need_no_key"),
    ("1.8", "lstrip_of_the_key"),
    ("1.8", "key_up_to_the_colon"),
    ("1.14", "accounts_by_their_beginning"),
    ("1.4", "one_digit_of_loaves"),
    ("1.16", "rows_come_in_order_of_time"),
    ("1.12", "body_of_12_letters"),
    ("1.8", "notes_called_by_the_key"),
    ("1.8", "notes_in_one_row_with_bars"),
    ("1.8", "keys_in_ascii"),
    ("1.8", "keys_of_28_letters"),
    ("1.12", "compares_what_it_read"),
    ("1.2", "strips_and_lowers_the_body"),
]
"""Which one finds those that names, numbers and rows of the tamest kind do not."""


@pytest.mark.parametrize(("number", "key", "name"), SCRIPTED)
def test_what_chance_finds_late_is_found_by_a_script_in_every_grade(number: str, key: str, name: str) -> None:
    (check,) = [check for check in rings(2) if check.number == number]
    case = check.case(key)
    assert case is not None
    case.play(OrderConsumer, case.steps, Run())
    with pytest.raises(PromiseBrokenError):
        case.play(wrong(name), case.steps, Run())


@pytest.mark.parametrize(("number", "name"), BY_A_SENTENCE)
def test_what_only_some_names_and_keys_bring_out_is_found_by_a_sentence(number: str, name: str) -> None:
    assert next(failed(wrong(name), SEEDS, 1))[0] == number


def test_no_two_orders_have_one_key_and_every_key_is_as_the_readme_says() -> None:
    every = [PLAIN, SHOP, FALLING, ODD, *map(names_of, range(200))]
    for names in every:
        keys = [names.key(number) for number in range(1, 80)]
        assert len(set(keys)) == len(keys), names
        assert all(re.fullmatch(r"[!-~\u00fc]{1,30}", key) for key in keys), names
        assert len({read_order(f"open {names.customer(number)}") for number in range(3)}) == 3, names
    assert {names.is_backwards for names in every} == {False, True}
    met = " ".join(f"{names.key(1)} {names.customers[0]}" for names in every)
    assert all(one in met for one in ("k1", "shop:1", "order-998", "ann ", "benedict", "maximilian", "open"))


def test_a_plan_of_another_type_is_told_by_the_readme_s_word_on_types() -> None:
    body = """
class Changed(OrderConsumer):
    def handle(self, delivery, now_ms):
        yield from super().handle(delivery, now_ms)

OrderConsumer = Changed
"""
    files = {name: text.encode() for name, text in solution_of(LAB1D).items() if name != "__init__.py"}
    files[LAB1D.organ_file] += body.encode()
    with Runner(LAB1D, Submission(files), SEEDS, in_a_process()) as runner:
        failed_by = {
            check.number: runner.outcome(check).failure for check in rings(1, 2, 3) if check.number in ("1.3", "2.1", "3.1")
        }
    for number, failure in failed_by.items():
        assert failure is not None, number
        assert failure.section == "README, Types"
        assert failure.found == "`handle` returned generator, expected a tuple or a list"
    assert "\n**Types.** " in (LAB1D.folder / "README.md").read_text(encoding="utf-8")


def test_who_sets_the_wrong_order_aside_is_told_whose_the_key_is() -> None:
    (found,) = [failure for number, _, failure in failed(wrong("given_back_keeps_its_key"), SEEDS, 2) if number == "2.3"]
    assert found.section == "README, rule 6"
    assert "is settled" in found.promise
    assert "(an order to be booked, since its key is not settled)" in found.expected


def test_each_wrong_consumer_died_in_what_was_asked_from_outside() -> None:
    """The table of kills is made across the border, with nothing run inside of the wrong one's process."""
    kills = json.loads((LAB1D.folder / "kills.json").read_text(encoding="utf-8"))
    assert {row["name"] for row in kills if row["test"]} == {file.stem for file in WRONG}
    assert {row["name"] for row in kills} == {file.stem for file in (*WRONG, *RIGHT)}


@pytest.mark.parametrize("file", RIGHT, ids=label)
def test_a_right_consumer_lives(file: Path) -> None:
    assert list(failed(class_of(file), SEEDS, 1, 2, 3)) == []


@pytest.mark.parametrize("file", RIGHT, ids=label)
def test_a_right_consumer_with_notes_of_its_own_crosses_the_border(file: Path) -> None:
    with Runner(LAB1D, Submission({LAB1D.organ_file: file.read_bytes()}), SEEDS, in_a_process()) as runner:
        outcomes = [runner.outcome(check) for check in rings(1)]
    assert [outcome.message for outcome in outcomes] == [""] * len(rings(1))


def test_the_reference_lives_and_every_test_meets_what_it_is_about() -> None:
    for check in rings(1, 2, 3):
        run = Run()
        for case in check.cases(SEEDS):
            one = Run()
            case.play(OrderConsumer, case.steps, one)
            run.met += one.met
        lacking = {name: (run.met[name], count) for name, count in check.must_meet.items() if run.met[name] < 1.3 * count}
        assert not lacking, f"{check.number} {check.name}"


def test_the_points_are_a_hundred_in_three_rings_and_the_schedules_at_least_a_hundred() -> None:
    assert [sum(check.points for check in rings(ring)) for ring in (1, 2, 3)] == [36, 32, 32]
    assert sum(len(check.cases(SEEDS)) for check in rings(2)) >= 100


def test_a_search_that_may_go_two_steps_only_does_not_find_what_takes_more() -> None:
    """So the depth counts: who remembers the last order only is right until another one came in between."""
    stage, make = STAGES["3.1"], wrong("remembers_the_last_order")
    play_stage(Stage(stage.before, stage.moves, depth=1), make, (), Run())
    with pytest.raises(PromiseBrokenError, match="they say: anna"):
        play_stage(stage, make, (), Run())


def test_the_box_holds_nothing_of_what_the_lab_asks_for() -> None:
    files = files_for(LAB1D)
    assert set(LAB1D.files.values()).isdisjoint(files)
    assert f"{LAB1D.folder.relative_to(LAB1D.folder.parents[2]).as_posix()}/port.py" in files
    assert not [file for file in files if "/sentences" in file or "/right/" in file or "/wrong/" in file]


# ---------------------------------------------------------------- the skeleton


def test_a_note_that_never_forgets_is_enough_for_all_sentences_but_the_last(tmp_path: Path) -> None:
    files = solution_of(LAB1D)
    whole = files["settled.py"]
    begins = whole.index("        old = [key for key")
    files["settled.py"] = whole[:begins] + "        return {}\n"
    assert [number for number, _, _ in failed(class_in(tmp_path, files), Seeds(), 1)] == ["1.16"]


def test_the_readme_has_a_ladder_of_three_hints_for_each_blank_in_order_and_every_rule() -> None:
    text = (LAB1D.folder / "README.md").read_text(encoding="utf-8")
    parts = text.split("\n### ")[1:]
    assert len(parts) == len(LAB1D.blanks)
    for number, (blank, part) in enumerate(zip(LAB1D.blanks, parts, strict=True), 1):
        assert part.startswith(f"{number}. `{blank.name}` in `"), part[:60]
        assert [part.count(f"<summary>Hint {hint}</summary>") for hint in (1, 2, 3)] == [1, 1, 1]
    for number in range(1, 10):
        assert f"\n{number}. **" in text


# ---------------------------------------------------------------- a failure


TOLD = [
    ("acks_first", "1.3", "A message is acknowledged when what it asks for is saved", "nobody delivers it again"),
    ("effect_then_note", "1.6", "An effect, and that it happened, are saved together", "they say: anna 6, total 6"),
    ("knows_messages_not_orders", "1.9", "A copy is known by its key", "they say: anna 6, total 6"),
    (
        "clash_is_a_copy",
        "1.12",
        "A message is set aside when its key belongs to another order, which is settled",
        "m3 (its key belongs to another order)",
    ),
    ("never_forgets", "1.16", "What is settled is remembered for as long as a copy can come", "rows with"),
]


@pytest.mark.parametrize(("name", "number", "promise", "fact"), TOLD)
def test_a_failure_names_the_promise_and_two_facts(name: str, number: str, promise: str, fact: str) -> None:
    (found,) = [each[2] for each in failed(wrong(name), SEEDS, 1) if each[0] == number]
    assert found.promise.startswith(promise)
    assert fact in f"{found.expected} {found.found}"


def test_a_crash_between_two_saves_is_told_and_drawn() -> None:
    (found,) = [each[2] for each in failed(wrong("effect_then_note"), SEEDS, 1) if each[0] == "1.6"]
    lines = failure_lines(Outcome("1.6", "a test", 3, failure=found))
    assert any("the consumer dies; another one begins" in line for line in lines)
    assert [line for line in lines if "Xdies" in line and line.strip()[0].isdigit()]
    assert [line for line in lines if line.endswith("<== here")]
    page = page_of(Grade(LAB1D.id, LAB1D.title, "practice", (Outcome("1.6", "a test", 3, failure=found),), reason=""))
    assert "data:image/svg+xml;base64," in page
