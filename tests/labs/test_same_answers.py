"""That the same calls must get the same answers, and on which Python: every lab says so, and who fails by it is sent there."""

import json
from pathlib import Path

import pytest

from labs.grader.cell import cell_of
from labs.grader.grading import grade_of, in_a_process
from labs.grader.lab import Lab, find_lab
from labs.grader.notebook import replay
from labs.grader.replay import replayed
from labs.grader.report import failure_lines
from labs.grader.result import Grade, Outcome
from labs.grader.running import Runner
from labs.grader.same_answers import SAME_ANSWERS
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of, with_the_mistakes, write_all, written_up_to
from labs.grader.submission import Submission
from mq.cli.main import main
from tests.labs.helpers import LAB1A, NO_SYNC, ROOT, labs_with_code

LAB0, LAB1B, LAB1D = find_lab("lab0"), find_lab("lab1b"), find_lab("lab1d")
NOTE = 'f"{now_ms} {body}"}'
NOTES = {
    "a clock": ("import datetime", 'f"{now_ms} {body}", "noted:" + key: str(datetime.datetime.now())}'),
    "chance": ("import os", 'f"{now_ms} {body}", "noted:" + key: os.urandom(4).hex()}'),
    "an address": ("", 'f"{now_ms} {body}", "noted:" + key: repr(object())}'),
}
REFUSES = """
_right = ConsumeQueue.append
def append(self, entry):
    try:
        _right(self, entry)
    except StateError as error:
        raise StateError(f"{error}: {object()!r}") from None
ConsumeQueue.append = append
"""


def submission_of(files: dict[str, str]) -> Submission:
    """As it is handed in."""
    return Submission({name: text.encode() for name, text in files.items() if name != "__init__.py"})


def files_with(what: str) -> dict[str, str]:
    """A right consumer of orders, whose notes are its own affair, and differ from process to process."""
    imported, note = NOTES[what]
    files = solution_of(LAB1D)
    assert NOTE in files["settled.py"]
    text = files["settled.py"].replace(NOTE, note)
    return {**files, "settled.py": text.replace("from collections.abc", f"{imported}\nfrom collections.abc", 1)}


def outcomes_of(lab: Lab, submission: Submission, *numbers: str) -> list[Outcome]:
    """Some tests of a lab, across the border."""
    with Runner(lab, submission, Seeds(b"tests", submission.mark, scale=10), in_a_process()) as runner:
        return [runner.outcome(check) for check in lab.suite.checks if check.number in numbers]


@pytest.mark.parametrize("lab", labs_with_code(), ids=lambda lab: lab.short)
def test_every_lab_says_that_answers_must_be_the_same_and_which_python_runs_it(lab: Lab) -> None:
    text = (lab.folder / "README.md").read_text(encoding="utf-8")
    assert SAME_ANSWERS == 'README, "The same answers"'
    (said,) = [part for part in text.split("\n\n") if part.startswith("**The same answers.** ")]
    for word in ("no clock", "no chance", "no addresses", "return or raise", "Python 3.11"):
        assert word in said.replace("\n", " ")


def test_students_are_told_before_they_begin() -> None:
    told = " ".join((ROOT / "labs/grader/for_students.md").read_text(encoding="utf-8").split())
    assert "Your code must run on Python 3.11." in told
    assert "no clock, no chance, no addresses in what you return or raise" in told


@pytest.mark.parametrize("what", NOTES)
def test_a_note_that_differs_is_told_with_both_answers_and_where_to_read(what: str) -> None:
    sentence, schedule = outcomes_of(LAB1D, submission_of(files_with(what)), "1.3", "2.1")
    assert sentence.is_passed, "no rule of the lab forbids it"
    assert schedule.failure is not None
    assert schedule.failure.section == SAME_ANSWERS
    assert "not deterministic at event 1, `handle`: …" in schedule.failure.found
    first, second = schedule.failure.found.split(" the first time, ")
    assert ':998","' in first, "the key is shop:998"
    assert ':998","' in second
    assert first.rpartition("…")[0].rpartition("…")[2] != second
    grade = Grade(LAB1D.id, LAB1D.title, "practice", (schedule,))
    assert "read README, &quot;The same answers&quot;, and mend your code" in cell_of(grade)
    assert 'read:      README, "The same answers"' in failure_lines(schedule)


def test_the_text_of_an_error_is_an_answer() -> None:
    files = solution_of(LAB1B)
    files["consume_queue.py"] += REFUSES
    (outcome,) = outcomes_of(LAB1B, submission_of(files), "2.1")
    assert outcome.failure is not None
    assert outcome.failure.section == SAME_ANSWERS
    assert "`append`: …" in outcome.failure.found
    assert "<object object at 0x" in outcome.failure.found


def test_the_word_of_such_a_failure_repeats_it_and_passes_when_it_is_mended() -> None:
    (outcome,) = outcomes_of(LAB1D, submission_of(files_with("a clock")), "2.1")
    for word in (outcome.replay, f"{outcome.replay}:0"):
        again, _ = replayed(LAB1D, word, submission_of(files_with("a clock")))
        assert again.failure is not None, word
        assert again.failure.section == SAME_ANSWERS
        assert "not deterministic at event 1, `handle`" in again.failure.found
        mended, run = replayed(LAB1D, word, submission_of(solution_of(LAB1D)))
        assert mended.is_passed
        assert run.story


def test_a_sentence_is_run_once_also_when_it_is_replayed() -> None:
    again, _ = replayed(LAB1D, "lab1d:1.3", submission_of(files_with("a clock")))
    assert again.is_passed, "its test passes, so its word does"


def test_a_replay_at_the_terminal_and_in_a_notebook_tells_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(tmp_path, files_with("a clock"))
    word = "lab1d:2.1:the-older-one-comes-last"
    assert main(["lab", "replay", word, str(tmp_path)]) == 1
    assert "not deterministic at event 1, `handle`" in capsys.readouterr().out
    assert "2.1 fails" in replay(word, tmp_path)._repr_html_()


# ---------------------------------------------------------------- the grader's own


def half_done() -> dict[str, str]:
    """The first eleven methods of lab 1a, and its own tests."""
    return {**written_up_to(LAB1A, 11), "kills.txt": solution_of(LAB1A)["kills.txt"]}


def with_a_mistake() -> dict[str, str]:
    """All of lab 1a, of which schedules find the mistake, and make it short."""
    files = solution_of(LAB1A)
    return {**files, "commit_log.py": files["commit_log.py"] + NO_SYNC}


TWICE = {
    "half of lab 1a": (LAB1A, half_done, 45),
    "a mistake in lab 1a": (LAB1A, with_a_mistake, None),
    "a mistake in lab 0": (LAB0, lambda: with_the_mistakes(LAB0), None),
    "half of lab 1d": (LAB1D, lambda: written_up_to(LAB1D, 5), None),
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("what", TWICE)
def test_the_same_submission_graded_twice_gets_the_same_points_words_and_stories(what: str, tmp_path: Path) -> None:
    lab, files, points = TWICE[what]
    submission, told, pages = submission_of(files()), [], []
    for number in range(2):
        grade = grade_of(lab, submission, Seeds(b"course", submission.mark), folder=tmp_path / str(number))
        assert not grade.reason
        assert 0 < grade.score < grade.max_score, "it is right in part"
        assert points in (None, grade.score)
        found = json.loads((tmp_path / str(number) / "result.json").read_text())
        told.append([{**test, "seconds": 0} for test in found["tests"]])
        pages.append([failure_lines(one) for one in grade.outcomes if not one.is_passed])
    assert told[0] == told[1]
    assert pages[0] == pages[1]
