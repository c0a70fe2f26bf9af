"""A test that met too little proves nothing: what is told of it, and which case is the one to look at."""

from collections import Counter
from collections.abc import Sequence

from labs.grader.lab import find_lab
from labs.grader.met import NOT_MET, counted, not_met, poorest
from labs.grader.replay import replayed
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of
from labs.grader.submission import Submission
from labs.grader.suite import Case, Check


def a_case(key: str) -> Case:
    return Case(key, (), lambda _make, _steps, _run: None)


def no_cases(_seeds: Seeds) -> Sequence[Case]:
    return ()


CHECK = Check("2.1", "faults", "paper, section 5", no_cases, must_meet={"elections": 4, "looks": 10})


def test_what_is_lacking_is_told_by_number_with_where_to_read() -> None:
    failure = not_met(CHECK, {"elections": 3, "looks": 99}, 2)
    assert failure is not None
    assert failure.promise == NOT_MET
    assert failure.expected == "any right solution brings its 2 cases together to at least elections: 4"
    assert failure.found.startswith("yours comes to elections: 3:")
    assert failure.section == CHECK.section


def test_who_met_all_that_must_be_met_lacks_nothing() -> None:
    assert not_met(CHECK, {"elections": 4, "looks": 10}, 1) is None


def test_a_test_without_cases_proves_nothing() -> None:
    failure = not_met(CHECK, {"elections": 4, "looks": 10}, 0)
    assert failure is not None
    assert failure.found == "it has no cases"
    assert poorest(CHECK, []) is None


def test_the_case_to_look_at_is_the_one_that_met_least() -> None:
    met = [(a_case("1"), Counter(elections=4)), (a_case("2"), Counter(looks=3)), (a_case("3"), Counter(looks=99))]
    found = poorest(CHECK, met)
    assert found is not None
    assert found.key == "2"


def test_a_replay_that_passes_tells_what_it_met() -> None:
    assert counted({"copies": 2}, ["copies", "ways"]) == "copies: 2, ways that were tried: 0"
    lab = find_lab("lab0")
    submission = Submission({file: text.encode() for file, text in solution_of(lab).items() if file != "__init__.py"})
    outcome, run = replayed(lab, "lab0:2.2:8142", submission)
    assert outcome.is_passed, outcome.message
    assert run.story[-1].startswith("counted in this case: copies: ")
    assert "old copies: " in run.story[-1]
