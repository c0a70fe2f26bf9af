"""In which order the tests of a ring are run, and in how many processes: each start costs as much as ten schedules."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from labs.grader.box import Box
from labs.grader.grading import in_a_process
from labs.grader.lab import Lab, find_lab
from labs.grader.process import WorkerProcess
from labs.grader.running import Runner
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of
from labs.grader.submission import Submission
from labs.grader.suite import Case, Check

LAB = find_lab("lab3c")
SUITE = LAB.suite
_TWO_RUNS_IN_TURNS, _SWEEPER = 4, 1


def first_of(check: Check) -> Callable[[Seeds], Sequence[Case]]:
    return lambda seeds: check.cases(seeds)[:1]


def small(monkeypatch: pytest.MonkeyPatch, sweep: int) -> None:
    """Ring 2 alone, with a case each, and few seeds to sweep."""
    checks = [
        replace(check, cases=first_of(check), must_meet={}, sweep=sweep if check.sweep else 0)
        for check in SUITE.checks
        if check.ring == 2
    ]
    assert [(check.number, bool(check.sweep)) for check in checks] == [("2.1", True), ("2.2", False)], "else it shows nothing"
    suite = replace(SUITE, checks=tuple(checks))
    monkeypatch.setattr(Lab, "suite", property(lambda _: suite))


def submission() -> Submission:
    return Submission({name: text.encode() for name, text in solution_of(LAB).items() if name != "__init__.py"})


def test_all_cases_of_a_ring_are_run_in_one_set_of_processes_before_its_first_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, sweep=3)
    started: list[str] = []
    start = in_a_process()

    def counting(box: Box, opening: dict[str, object]) -> WorkerProcess:
        started.append(box.folder.name)
        return start(box, opening)

    mine = submission()
    with Runner(LAB, mine, Seeds(b"tests", mine.mark), counting) as runner:
        parts = [(check.number, outcome) for check, outcome in runner.parts()]
    assert [(number, outcome is not None) for number, outcome in parts] == [
        ("2.1", False), ("2.2", False), ("2.1", True), ("2.2", True),
    ]  # fmt: skip
    assert [outcome.is_passed for _, outcome in parts if outcome is not None] == [True, True]
    assert [outcome.schedules for _, outcome in parts if outcome is not None] == [4, 1]
    assert len(started) == _TWO_RUNS_IN_TURNS + _SWEEPER
    assert len(set(started[:_TWO_RUNS_IN_TURNS])) == 1
    assert started[-1] != started[0], "the sweep has a box of its own"


def test_what_fails_before_the_sweep_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, sweep=3)
    mine = Submission(dict.fromkeys(submission().texts, b"raise ValueError\n"))
    with Runner(LAB, mine, Seeds(b"tests", mine.mark), in_a_process()) as runner:
        check, outcome = next(runner.parts())
    assert check.number == "2.1"
    assert outcome is not None
    assert not outcome.is_passed
