"""What lab 1c asks of the border: other ways to make an object, several calls in one crossing, snapshots as JSON has them."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from labs.grader.box import Box
from labs.grader.decoding import MisfitError, decoder_of
from labs.grader.process import WorkerProcess
from labs.grader.remote import OrganRaisedError, RemoteMaker, WrongTypeError, opening_of
from labs.grader.seams import Call, Seam, at_once
from labs.grader.submission import Submission

SOURCE = b"""
class Counter:
    def __init__(self, start=0):
        self.value = start

    def add(self, number):
        if number < 0:
            raise ValueError("no")
        self.value += number
        return "one" if number == 99 else self.value

    def to_plain(self):
        return {"value": (self.value,)}

    @classmethod
    def from_plain(cls, plain):
        return cls(plain["value"][0]) if plain else plain
"""


class Counter:
    """What the seam's signatures are read off."""

    def __init__(self, start: int = 0) -> None:
        self.value = start

    def add(self, number: int) -> int:
        """To what is there."""
        self.value += number
        return self.value

    def to_plain(self) -> dict[str, Any]:
        """For a snapshot."""
        return {"value": [self.value]}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Counter":
        """Of a snapshot."""
        return cls(plain["value"][0])


SEAM = Seam(Counter, "Counter", "counter", methods=("add", "to_plain"), observed=(), makers=("from_plain",))


@pytest.fixture(scope="module")
def maker() -> Iterator[RemoteMaker]:
    with Box("box", Submission({"counter.py": SOURCE}), ()) as box:
        worker = WorkerProcess(box.folder, opening_of(SEAM, "box"))
        yield RemoteMaker(SEAM, worker)
        worker.end()


def test_several_calls_cross_at_once_and_come_to_the_same_as_one_by_one(maker: RemoteMaker) -> None:
    calls = [Call("add", (2,)), Call("add", named={"number": 3}), Call("to_plain")]
    maker.begin()
    assert at_once(maker.make(start=1), calls) == [3, 6, {"value": [6]}]
    assert len(maker.record) == 1
    assert at_once(Counter(1), calls) == [3, 6, {"value": [6]}]


def test_an_object_is_made_by_a_class_method_of_the_seam_and_by_no_other(maker: RemoteMaker) -> None:
    assert maker.make.from_plain({"value": [5]}).add(1) == 6
    with pytest.raises(AttributeError):
        _ = maker.make.mro


def test_what_is_raised_names_the_call_that_raised_it(maker: RemoteMaker) -> None:
    counter = maker.make()
    with pytest.raises(OrganRaisedError, match="ValueError: no"):
        at_once(counter, [Call("add", (2,)), Call("add", (-1,)), Call("add", (4,))])
    assert counter.add(0) == 2, "what stands behind it was not called"
    with pytest.raises(WrongTypeError, match="`add` returned str, expected int"):
        at_once(counter, [Call("to_plain"), Call("add", (99,))])


def test_a_class_method_that_makes_something_else_is_told(maker: RemoteMaker) -> None:
    with pytest.raises(OrganRaisedError, match="`from_plain` returned dict, expected Counter"):
        maker.make.from_plain({}).add(1)


@pytest.mark.parametrize(
    ("plain", "found"),
    [([1, {"l": [2, None]}, "x"], [1, [2, None], "x"]), ({"d": [["a", True]]}, {"a": True}), (None, None)],
)
def test_a_snapshot_is_read_as_json_has_it(plain: Any, found: Any) -> None:
    assert decoder_of(Any)(plain, "") == found


@pytest.mark.parametrize(
    "plain", [{"b": "eA=="}, {"?": "set"}, {"d": [[1, 2]]}, {"c": "InFlight", "f": []}, math.nan, [{"?": "X"}]]
)
def test_what_json_cannot_hold_is_no_snapshot(plain: Any) -> None:
    with pytest.raises(MisfitError):
        decoder_of(Any)(plain, "")
