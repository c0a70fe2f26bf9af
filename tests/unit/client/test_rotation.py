"""In which order a simple consumer asks: nobody is asked last for ever."""

from hypothesis import given
from hypothesis import strategies as st

from mq.client.rotation import Rotation

PLACES = [("bread", "a"), ("bread", "b"), ("milk", "a"), ("milk", "b")]


def test_turns_by_hand() -> None:
    rotation = Rotation()
    turns = [[f"{topic[0]}{broker}" for topic, broker in rotation.next(PLACES)] for _ in range(5)]
    assert turns == [
        ["ba", "bb", "ma", "mb"],
        ["ma", "mb", "ba", "bb"],
        ["bb", "ba", "mb", "ma"],
        ["mb", "ma", "bb", "ba"],
        ["ba", "bb", "ma", "mb"],
    ]
    assert rotation.next([]) == []


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("abcd")), min_size=1, unique=True))
def test_each_place_is_asked_each_time_and_first_in_its_turn(places: list[tuple[str, str]]) -> None:
    rotation, firsts = Rotation(), set()
    for _ in range(3 * 4 * 4):
        asked = rotation.next(places)
        assert sorted(asked) == sorted(places)
        firsts.add(asked[0])
    assert firsts == set(places)
