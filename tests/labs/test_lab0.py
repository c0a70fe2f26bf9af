"""Lab 0: wrong machines die, right ones live, the mistake is found, and answers are read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs.grader.grading import in_a_process
from labs.grader.lab import Planted, find_lab
from labs.grader.loading import organ_in
from labs.grader.page import page_of
from labs.grader.release import release
from labs.grader.replay import case_of
from labs.grader.report import failure_lines
from labs.grader.result import Failure, Grade, Outcome
from labs.grader.running import Runner
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.skeleton import skeleton_of, solution_of, taken_out, with_mistakes, with_the_mistakes, write_all
from labs.grader.submission import Submission
from labs.grader.suite import Check, PromiseBrokenError, Run
from labs.grader.survivors import survivors
from labs.stage0_tools.lab0_tools.reading import FILE, READING, facts_of, riddle_facts
from labs.stage0_tools.lab0_tools.schedules import RIDDLE
from labs.stage0_tools.lab0_tools.search import Stage, play_stage
from labs.stage0_tools.lab0_tools.solution.ticket_machine import TicketMachine
from labs.stage0_tools.lab0_tools.world import Ask, World
from tests.labs.helpers import ROOT, failures, label, zoo

LAB0 = find_lab("lab0")
SEEDS = Seeds(b"zoo", "zoo")
WRONG, RIGHT = zoo("wrong", LAB0), zoo("right", LAB0)
ANSWERS = solution_of(LAB0)[FILE]


def rings(*wanted: int) -> list[Check]:
    return [check for check in LAB0.suite.checks if check.ring in wanted]


def class_of(where: Path) -> Make:
    return organ_in(where, LAB0.organ_file, LAB0.seam.name)  # type: ignore[no-any-return]


def class_in(folder: Path, files: dict[str, str]) -> Make:
    write_all(folder, files)
    return class_of(folder)


def failed(make: Make, seeds: Seeds, *wanted: int) -> Iterator[tuple[str, int, Failure]]:
    return failures(make, iter(rings(*wanted)), seeds)


# ---------------------------------------------------------------- the zoo


def test_the_zoo_is_there_and_each_says_what_it_is() -> None:
    assert len(WRONG) >= 20
    assert len(RIGHT) >= 3
    for file in (*WRONG, *RIGHT):
        assert file.read_text(encoding="utf-8").startswith('"""'), file.name


@pytest.mark.parametrize("file", WRONG, ids=label)
def test_a_wrong_machine_dies_in_a_schedule_or_a_search_too(file: Path) -> None:
    found = [next(failed(class_of(file), SEEDS, ring), None) for ring in (1, 2, 3)]
    print([one and (one[0], one[2].sentence) for one in found])
    assert found[1] is not None
    assert found[2] is not None
    assert found[1][2].section.startswith("README, rule ") or file.stem == "sold_out_raises"


@pytest.mark.parametrize("file", RIGHT, ids=label)
def test_a_right_machine_lives(file: Path) -> None:
    assert list(failed(class_of(file), SEEDS, 1, 2, 3)) == []


@pytest.mark.parametrize("file", RIGHT, ids=label)
def test_a_right_machine_with_a_snapshot_of_its_own_crosses_the_border(file: Path) -> None:
    with Runner(LAB0, Submission({LAB0.organ_file: file.read_bytes()}), SEEDS, in_a_process()) as runner:
        outcomes = [runner.outcome(check) for check in rings(1)]
    assert [outcome.message for outcome in outcomes] == [""] * 8


def test_each_wrong_machine_died_in_what_was_asked_from_outside() -> None:
    kills = json.loads((LAB0.folder / "kills.json").read_text(encoding="utf-8"))
    assert {row["name"] for row in kills if row["test"]} == {file.stem for file in WRONG}
    assert {row["name"] for row in kills} == {file.stem for file in (*WRONG, *RIGHT)}


def test_the_reference_lives_and_every_test_meets_what_it_is_about() -> None:
    for check in rings(1, 2, 3):
        run = Run()
        for case in check.cases(SEEDS):
            one = Run()
            case.play(TicketMachine, case.steps, one)
            run.met += one.met
        lacking = {name: (run.met[name], count) for name, count in check.must_meet.items() if run.met[name] < 1.3 * count}
        assert not lacking, f"{check.number} {check.name}"


def test_the_points_are_a_hundred_in_four_rings_and_the_schedules_at_least_a_hundred() -> None:
    assert [sum(check.points for check in rings(ring)) for ring in (1, 2, 3, 4)] == [30, 25, 25, 20]
    assert sum(len(check.cases(SEEDS)) for check in rings(2)) >= 100


def test_a_search_that_stops_too_soon_does_not_find_the_mistake() -> None:
    make = class_of(LAB0.folder / "wrong" / "remembers_the_last_caller_only.py")
    play_stage(Stage((), 4, depth=2), make, (), Run())
    with pytest.raises(PromiseBrokenError, match="got ticket 1 in step"):
        play_stage(Stage((), 4, depth=3), make, (), Run())


# ---------------------------------------------------------------- the skeleton


def test_the_planted_mistake_passes_every_sentence_and_is_found_by_chance_and_by_search(tmp_path: Path) -> None:
    make = class_in(tmp_path, with_the_mistakes(LAB0))
    assert [number for number, _, _ in failed(make, SEEDS, 1, 2, 3)] == ["2.1", "2.2", "2.3", "3.1", "3.2"]


def test_a_mistake_that_cannot_be_planted_is_refused_and_one_that_is_counts_as_a_line_of_the_solution(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has not one line"):
        with_mistakes("def add() -> None:\n    one = 1\n", [Planted("add", "two = 2", "two = 3")], "lab 9z")
    assert taken_out(LAB0)["TicketMachine.remember"] == ["self.answers[caller] = (number, ticket)"]
    (tmp_path / "notes.txt").write_text("   self.answers[caller] = (number, ticket)\n")
    assert {one.function for one in survivors(tmp_path, [LAB0])} == {"TicketMachine.remember"}


def test_a_release_of_both_labs_holds_no_line_of_a_solution_and_no_word_of_the_mistake(tmp_path: Path) -> None:
    release(tmp_path / "given", [LAB0, find_lab("lab1d")])
    folder = tmp_path / "given" / LAB0.folder.relative_to(ROOT)
    names = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert {"README.md", "lab.toml", "reading.py", "skeleton/answers.toml", "skeleton/ticket_machine.py"} <= names
    assert not [name for name in names if name.startswith(("planted", "solution", "right", "wrong", "kills", "KILLS"))]
    assert "class Forgetful" not in (folder / "model.py").read_text(encoding="utf-8")
    assert (tmp_path / "given" / find_lab("lab1d").folder.relative_to(ROOT) / "run_it.py").is_file()


def test_the_readme_has_three_hints_for_each_blank_and_every_rule() -> None:
    text = (LAB0.folder / "README.md").read_text(encoding="utf-8")
    parts = text.split("\n### ")[1:]
    assert len(parts) == len(LAB0.blanks)
    for number, (blank, part) in enumerate(zip(LAB0.blanks, parts, strict=True), 1):
        assert part.startswith(f"{number}. `{blank.name}` in `"), part[:60]
        own = part.split("\n## ")[0]
        assert [own.count(f"<summary>Hint {hint}</summary>") for hint in (1, 2, 3)] == [1, 1, 1]
    for number in range(1, 7):
        assert f"\n{number}. **" in text
    for title in ("Read the picture", "Predict", "Mend it"):
        assert f"\n## {title}\n" in text


# ---------------------------------------------------------------- what is read


def judged(number: str, text: str | None) -> str:
    """What a test of ring 4 says of answers; empty when it is passed."""
    check = next(check for check in READING if check.number == number)
    (case,) = check.cases(Seeds())
    run = Run(texts={} if text is None else {FILE: text})
    try:
        case.play(TicketMachine, case.steps, run)
    except PromiseBrokenError as error:
        return f"{error.expected} | {error.found}" if error.section.startswith("README, ") else ""
    assert run.met["read"] == 1
    return ""


def test_our_answers_are_what_a_student_finds_with_the_mistake_still_in(tmp_path: Path) -> None:
    files = with_the_mistakes(LAB0)
    submission = Submission({name: text.encode() for name, text in files.items() if name != "__init__.py"})
    with Runner(LAB0, submission, Seeds(), in_a_process()) as runner:
        outcome = runner.outcome(next(check for check in rings(2) if check.number == "2.1"))
    assert f'again = "{outcome.replay}"' in ANSWERS
    check, case = case_of(LAB0, outcome.replay)
    assert (check.number, len(case.steps)) == ("2.1", 3)
    assert outcome.failure is not None
    facts = facts_of(outcome.replay)
    assert not isinstance(facts, str)
    assert outcome.failure.expected == f"{facts.caller}'s request 1 got ticket {facts.tickets[0]} in step {facts.promised_at}"
    assert len(outcome.failure.story) == facts.broken_at
    assert f"{facts.lost[0]} is lost" in outcome.failure.story[facts.promised_at - 1]
    assert "ben: ticket 2" in outcome.failure.story[facts.forgot_at - 1]


@pytest.mark.parametrize("number", [check.number for check in READING])
def test_right_answers_pass_and_what_is_handed_out_does_not(number: str) -> None:
    assert judged(number, ANSWERS) == ""
    assert judged(number, skeleton_of(LAB0)[FILE])
    assert judged(number, None) == f"{FILE} lies beside your machine | there is none"


WRONG_ANSWERS = [
    ("4.1", "anna", "ben", "`caller` is who asked again, and got another ticket | 'ben' is not; see the last line"),
    ("4.1", "[1, 3]", "[3, 1]", "first the ticket that was promised"),
    ("4.1", "[1, 3]", "[1.0, 3.0]", "a list of numbers"),
    ("4.1", "[1, 3]", "[true, 3]", "a list of numbers"),
    ("4.1", "[1, 3]", '"1, 3"', "a list of numbers"),
    ("4.1", ":0.2.12", ":0.2.14", "has the steps 0 to 13"),
    ("4.1", ":0.2.12", ":0.12.2", "each of them once"),
    ("4.1", ":0.2.12", ":0", "breaks no promise, even with the mistake in it"),
    ("4.1", "lab0:2.1:", "lab0:2.2:", "is no word of test 2.1"),
    ("4.1", "lab0:2.1:", "lab0:2.1:9999999999999", "is no word of test 2.1"),
    ("4.1", 'again = "', 'again = 7 # "', "`again` is text"),
    ("4.2", '"m2"', '"m4"', "an arrow with an x at its end"),
    ("4.2", '"m2"', '""', "it is still ''"),
    ("4.3", "promised_at = 2", "promised_at = 1", "first gave anna a ticket"),
    ("4.3", "forgot_at = 4", "forgot_at = 6", "what does it note there?"),
    ("4.3", "broken_at = 6", "broken_at = true", "`broken_at` is a number"),
    ("4.3", "broken_at = 6", "", "it is not there"),
    ("4.4", "ben = [2, 4]", "ben = [2, 3]", "with a pencil"),
    ("4.4", "left = 0", "left = 1", "how many of the four tickets"),
    ("4.4", "[riddle]", "[riddles]", "has the part [riddle] | it has not"),
    ("4.2", "[failure]", "[[failure]]", "has the part [failure] | it has not"),
    ("4.2", "[failure]", "[failure", "is written in TOML | Python's reader of TOML says: "),
    ("4.2", "promised_at = 2", f"promised_at = {'9' * 5000}", "is written in TOML | Python's reader of TOML says: "),
    ("4.3", "promised_at = 2", f"promised_at = 0x{'f' * 6000}", "a number of a few digits | it has many more"),
    ("4.3", "promised_at = 2", f"promised_at = [0x{'f' * 6000}]", "is a number | it is a number without end"),
    ("4.2", "promised_at = 2", f"promised_at = {'[' * 3000}", "is written in TOML | Python's reader of TOML says: "),
]  # fmt: skip


@pytest.mark.parametrize(("number", "old", "new", "said"), WRONG_ANSWERS)
def test_a_wrong_answer_is_told_in_a_sentence_and_does_not_pass(number: str, old: str, new: str, said: str) -> None:
    assert old in ANSWERS
    assert said in judged(number, ANSWERS.replace(old, new, 1))


def test_the_riddle_is_the_one_in_the_readme_and_comes_to_what_we_say() -> None:
    world = World(TicketMachine, Run(), 4)
    for step in RIDDLE:
        step.do(world)
    assert riddle_facts() == {**world.held, "left": world.machine.left()} == {"anna": [1, 3], "ben": [2, 4], "left": 0}
    text = (LAB0.folder / "README.md").read_text(encoding="utf-8").split("## Predict")[1]
    lines = [line for line in text.splitlines() if line[:1].isdigit()][: len(RIDDLE)]
    for line, step in zip(lines, RIDDLE, strict=True):
        if isinstance(step, Ask):
            assert (("Anna", "Ben")[step.caller] in line, step.fate == "request lost", step.fate == "answer lost") == (
                True, "request is lost" in line, "answer is lost" in line,
            )  # fmt: skip
        else:
            assert "loses its power" in line


# ---------------------------------------------------------------- a failure


def test_the_failure_is_told_and_drawn_row_by_row() -> None:
    make = class_of(LAB0.folder / "wrong" / "remembers_the_last_caller_only.py")
    check, case = case_of(LAB0, "lab0:2.1:1874080267:0.2.12")
    run = Run()
    with pytest.raises(PromiseBrokenError, match="got ticket 1 in step 2, but now it got ticket 3"):
        case.play(make, case.steps, run)
    failure = Failure("a promise", story=tuple(run.story), figure=run.figure)
    lines = failure_lines(Outcome("2.1", check.name, 10, failure=failure))
    picture = [line for line in lines if "|" in line]
    assert len(picture) == len(run.story) == 6
    assert "x-----m2" in picture[1]
    assert [line.endswith("<== here") for line in picture] == [False] * 5 + [True]
    page = page_of(Grade(LAB0.id, LAB0.title, "practice", (Outcome("2.1", "a test", 7, failure=failure),), reason=""))
    assert "data:image/svg+xml;base64," in page


# ---------------------------------------------------------------- the page's examples


def test_each_word_of_the_page_repeats_a_failure_as_long_as_the_mistake_is_there(tmp_path: Path) -> None:
    text = (LAB0.folder / "README.md").read_text(encoding="utf-8")
    words = set(re.findall(r"lab0:2\.1:\d+(?::\d+(?:\.\d+)*)?", text))
    assert len(words) == 2
    make = class_in(tmp_path, with_the_mistakes(LAB0))
    for word in words:
        _, case = case_of(LAB0, word)
        with pytest.raises(PromiseBrokenError, match="A request that comes again gets the ticket"):
            case.play(make, case.steps, Run())
