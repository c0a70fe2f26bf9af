"""The Raft labs that are being written: their methods, in the order in which they are asked for."""

from functools import cache
from itertools import pairwise

import pytest

from labs.grader.skeleton import written_up_to
from tests.labs.raft_drafts import DRAFTS

_, LAB3B, LAB3C, LAB3D = DRAFTS
FIRST_OF_TWO = {"Persistence._promise", "Persistence._note_save"}
"""What they do is seen with the next method."""


@cache
def passed_in_3b_with(count: int) -> list[str]:
    """The sentences that pass when the first so many methods are written."""
    found = LAB3B.outcomes(written_up_to(LAB3B.lab, count)["raft.py"])
    return [number for number, outcome in found.items() if outcome.is_passed]


@pytest.mark.parametrize("count", range(1, len(LAB3B.lab.blanks) + 1), ids=[blank.name for blank in LAB3B.lab.blanks])
def test_each_method_of_3b_makes_the_next_sentences_pass(count: int) -> None:
    before, after = passed_in_3b_with(count - 1), passed_in_3b_with(count)
    assert len(before) < len(after)
    assert after == [check.number for check in LAB3B.sentences][: len(after)], "sentences stand in the order of the methods"


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
