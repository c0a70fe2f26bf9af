"""The Raft labs that are being written: their methods, in the order in which they are asked for."""

from functools import cache
from itertools import pairwise

import pytest

from labs.grader.skeleton import skeleton_of, written_up_to
from tests.labs.raft_drafts import DRAFTS

LAB3A, LAB3B, LAB3C, LAB3D = DRAFTS
FIRST_OF_TWO = {"Persistence._promise", "Persistence._note_save"}
"""What they do is seen with the next method."""


IN_ORDER = {"lab3a": LAB3A, "lab3b": LAB3B}
"""Labs whose sentences stand in the order of the methods."""
STEPS = [(short, count) for short, draft in IN_ORDER.items() for count in range(1, len(draft.lab.blanks) + 1)]
NAMES = [f"{short}-{IN_ORDER[short].lab.blanks[count - 1].name}" for short, count in STEPS]


@cache
def passed_with(short: str, count: int) -> list[str]:
    """The sentences that pass when the first so many methods are written."""
    draft = IN_ORDER[short]
    found = draft.outcomes(written_up_to(draft.lab, count)["raft.py"])
    return [number for number, outcome in found.items() if outcome.is_passed]


@pytest.mark.parametrize(("short", "count"), STEPS, ids=NAMES)
def test_each_method_makes_the_next_sentences_pass(short: str, count: int) -> None:
    before, after = passed_with(short, count - 1), passed_with(short, count)
    assert len(before) < len(after)
    numbers = [check.number for check in IN_ORDER[short].sentences]
    assert after == numbers[: len(after)], "sentences stand in the order of the methods"


@pytest.mark.parametrize("short", IN_ORDER)
def test_nothing_passes_with_nothing_and_all_with_all(short: str) -> None:
    assert passed_with(short, 0) == []
    assert len(passed_with(short, len(IN_ORDER[short].lab.blanks))) == len(IN_ORDER[short].sentences)


@pytest.mark.parametrize(("short", "count"), STEPS, ids=NAMES)
def test_a_method_that_alone_is_missing_is_told_by_a_test_that_it_makes_pass(short: str, count: int) -> None:
    draft = IN_ORDER[short]
    name = draft.lab.blanks[count - 1].name
    text = skeleton_of(draft.lab, only=name)["raft.py"]
    promises = {number: one.failure.promise for number, one in draft.outcomes(text).items() if one.failure is not None}
    own = passed_with(short, count)[len(passed_with(short, count - 1)) :]
    assert next(iter(promises)) == own[0], "the first test that fails is about another method"
    assert set(own) <= set(promises)
    said = f"`Raft.{name.partition('.')[2]}` is not written yet"
    assert {promise for promise in promises.values() if not promise.startswith(said)} == set()


@pytest.mark.parametrize("short", IN_ORDER)
def test_the_readme_says_which_sentences_each_method_makes_pass(short: str) -> None:
    draft = IN_ORDER[short]
    text = (draft.lab.folder / "README.md").read_text(encoding="utf-8")
    for count, blank in enumerate(draft.lab.blanks, 1):
        now = passed_with(short, count)
        new = now[len(passed_with(short, count - 1)) :]
        points = sum(check.points for check in draft.sentences if check.number in now)
        row = f"| {count} | `Raft.{blank.name.partition('.')[2]}` | {', '.join(new)} | {points} |"
        assert row in text.split("\n"), f"the README must say: {row}"


def test_each_method_of_3c_makes_sentences_pass_in_the_order_in_which_they_are_written() -> None:
    passed = set[str]()
    for count, blank in enumerate(LAB3C.lab.blanks, 1):
        found = LAB3C.outcomes(written_up_to(LAB3C.lab, count)["raft.py"])
        now = {number for number, outcome in found.items() if outcome.is_passed}
        assert passed <= now
        assert (passed == now) == (blank.name in FIRST_OF_TWO), blank.name
        passed = now
    assert len(passed) == len(LAB3C.sentences)


def test_each_method_of_3d_in_its_turn_makes_sentences_pass_that_did_not_pass_before() -> None:
    left = [set(LAB3D.failed(written_up_to(LAB3D.lab, count)["raft.py"])) for count in range(len(LAB3D.lab.blanks) + 1)]
    assert (len(left[0]), left[-1]) == (len(LAB3D.sentences), set())
    assert all(after < before for before, after in pairwise(left)), [len(numbers) for numbers in left]
