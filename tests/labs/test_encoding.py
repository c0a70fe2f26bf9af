"""What crosses between grader and worker: JSON that says of itself what it is, and comes back as what it was."""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs.grader.inside.encoding import Encoding


class Colour(Enum):
    RED = 1
    BLUE = 2


class Place(NamedTuple):
    row: int
    name: str


@dataclass(frozen=True)
class Found:
    places: tuple[Place, ...]
    data: bytes
    colour: Colour | None = None


@dataclass(frozen=True, kw_only=True)
class Named:
    one: Any
    two: Any = ()


ENCODING = Encoding([Colour, Place, Found, Named])
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(max_size=9)
)
PLACES = st.builds(Place, st.integers(), st.text())
RECORDS = st.builds(Found, st.lists(PLACES, max_size=3).map(tuple), st.binary(max_size=9), st.none() | st.sampled_from(Colour))
VALUES = st.recursive(
    ATOMS | RECORDS | st.sampled_from(Colour),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.builds(Named, one=inner, two=inner)
    ),
    max_leaves=15,
)


@given(VALUES)
def test_what_crosses_comes_back_as_it_was(value: Any) -> None:
    again = ENCODING.decode(json.loads(ENCODING.encode(value)))
    assert again == value
    assert type(again) is type(value)


def test_it_is_written_as_json_writes_it_without_spaces() -> None:
    value = (None, True, -7, 1.5, 'a "line"\n\u00e4\ud800', b"\0\xff", (), [1], {"k": 2}, Colour.BLUE, Place(3, "x"))
    written = ENCODING.encode(value)
    assert written == json.dumps(json.loads(written), separators=(",", ":"))
    assert json.loads(written) == [
        None, True, -7, 1.5, 'a "line"\n\u00e4\ud800', {"b": "AP8="}, [], {"l": [1]}, {"d": [["k", 2]]},
        {"e": "Colour", "v": 2}, {"c": "Place", "f": [3, "x"]},
    ]  # fmt: skip


class Odd(int):
    pass


class OddTuple(tuple[int, ...]):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Odd(1), "Odd"),
        (OddTuple((1,)), "OddTuple"),
        (object(), "object"),
        ({1, 2}, "set"),
        (float("nan"), "float"),
        (10**5000, "a number that is too long"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_no_plain_data_is_told_by_its_class_wherever_it_is(value: Any, told: str) -> None:
    assert json.loads(ENCODING.encode(value)) == {"?": told}
    assert json.loads(ENCODING.encode((1, [value, 2]))) == [1, {"l": [{"?": told}, 2]}]


def test_what_is_nested_too_deep_or_in_itself_ends() -> None:
    inside: list[Any] = []
    inside.append(inside)
    assert "nested too deep" in ENCODING.encode(inside)
    mapping: dict[str, Any] = {}
    mapping["m"] = mapping
    assert "nested too deep" in ENCODING.encode(mapping)
