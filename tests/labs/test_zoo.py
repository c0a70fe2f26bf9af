"""Wrong commit logs die, right ones live. In this process; `tools/lab_kills.py` does it across the border, for all."""

from pathlib import Path

import pytest

from labs.grader.seeds import Seeds
from labs.grader.suite import Run
from mq.broker.store.commit_log import CommitLog
from mq.parts import load_parts
from tests.labs.helpers import failures, label, rings, zoo

SEEDS = Seeds(b"zoo", "zoo")


def test_the_zoo_is_there() -> None:
    assert len(zoo("wrong")) >= 10
    assert len(zoo("right")) >= 3


@pytest.mark.parametrize("file", zoo("wrong"), ids=label)
def test_a_wrong_log_dies(file: Path) -> None:
    found = next(failures(load_parts(str(file)).commit_log, rings(1, 2, 3), SEEDS), None)
    assert found is not None, "nothing tells it from a right one"
    number, cases, failure = found
    print(f"{number}, case {cases}: {failure.sentence}")
    assert failure.promise
    assert failure.found or failure.expected


@pytest.mark.parametrize("file", zoo("right"), ids=label)
def test_a_right_log_lives(file: Path) -> None:
    assert list(failures(load_parts(str(file)).commit_log, rings(1, 2, 3), SEEDS)) == []


def test_the_reference_lives_and_every_test_meets_what_it_is_about() -> None:
    for check in rings(1, 2, 3):
        run = Run()
        for case in check.cases(SEEDS):
            one = Run()
            case.play(CommitLog, case.steps, one)
            run.met += one.met
        lacking = {name: (run.met[name], count) for name, count in check.must_meet.items() if run.met[name] < 1.3 * count}
        assert not lacking, f"{check.number} {check.name}"
