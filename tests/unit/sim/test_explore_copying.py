"""Copies that share nothing which changes, and names that tell contents apart and nothing else."""

import random
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from mq.raft.role import Role
from mq.sim.explore.copying import clone
from mq.sim.explore.freezing import SaveNumber, freeze


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass(frozen=True)
class Fixed:
    value: int


class Base:
    __slots__ = ("__hidden", "count", "never_set")

    def __init__(self) -> None:
        self.count = 1
        self.__hidden = [1, 2]

    def hidden(self) -> list[int]:
        return self.__hidden


class Thing(Base):
    """Slots from its base, and a dictionary of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.names = {"a": [1], "b": [2]}
        self.queue = deque([Pair(1, [2])], maxlen=3)
        self.seen = {1, 2}
        self.myself = self
        self.also_names = self.names
        self.counts = defaultdict(int, {"x": 1})
        self.role = Role.LEADER
        self.fixed = Fixed(3)
        self.message = Pair(1, (2, b"x"))


def test_a_copy_is_equal_and_shares_nothing_that_can_change() -> None:
    thing = Thing()
    copy = clone(thing)
    assert type(copy) is Thing
    assert freeze(copy) == freeze(thing)
    copy.names["a"].append(9)
    copy.queue[0].right.append(9)
    copy.queue.append(Pair(0, []))
    copy.seen.add(9)
    copy.hidden().append(9)
    copy.counts["y"] += 1
    copy.count = 9
    assert freeze(thing) == freeze(Thing())
    assert freeze(copy) != freeze(thing)


def test_a_copy_keeps_its_shape() -> None:
    copy = clone(Thing())
    assert copy.myself is copy
    assert copy.also_names is copy.names
    assert copy.queue.maxlen == 3
    assert type(copy.queue[0]) is Pair
    assert type(copy.counts) is defaultdict
    assert not hasattr(copy, "never_set")


def test_what_cannot_change_is_shared() -> None:
    thing = Thing()
    copy = clone(thing)
    assert copy.message is thing.message
    assert copy.fixed is thing.fixed
    kept = [1]
    assert clone([kept], shared=[kept])[0] is kept


def test_objects_with_ways_of_their_own_are_copied_in_them() -> None:
    rng = random.Random(4)
    copy = clone([rng])[0]
    expected = copy.random()
    assert rng.random() == expected
    rng.random()
    assert copy.random() != rng.random(), "the copy stands elsewhere"
    ordered = clone(OrderedDict(a=[1]))
    assert type(ordered) is OrderedDict


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], [2, 1]),
        ([1, 2], deque([1, 2])),
        ((1, [2]), (1, [3])),
        ({"a": 1}, {"a": 2}),
        ({1, 2}, {1, 3}),
        (Pair(1, 2), (1, 2)),
        (defaultdict(int, a=1), {"a": 1}),
        (Role.LEADER, Role.FOLLOWER),
        (Fixed(1), Fixed(2)),
        (random.Random(1), random.Random(2)),
        ([[]], [()]),
        (SaveNumber(3), 3),
    ],
)
def test_different_contents_have_different_names(one: object, other: object) -> None:
    assert freeze(one) != freeze(other)
    assert hash(freeze(one)) == hash(freeze(clone(one)))


def test_the_order_in_a_dictionary_or_a_set_says_nothing() -> None:
    assert freeze({"a": 1, "b": [2]}) == freeze({"b": [2], "a": 1})
    assert freeze({9, 1, 5}) == freeze({5, 9, 1})


def test_nodes_can_be_renamed_everywhere() -> None:
    names = {101: 102, 102: 101}
    here = {"votes": {101: True, 102: False}, "queue": [Pair(101, (102, 7))], "voters": {101}}
    there = {"votes": {102: True, 101: False}, "queue": [Pair(102, (101, 7))], "voters": {102}}
    assert freeze(here, names=names) == freeze(there, names={101: 101})
    assert freeze(here) != freeze(there)


def test_of_saves_only_the_distance_to_the_newest_counts() -> None:
    assert freeze([SaveNumber(5)], newest_save=6) == freeze([SaveNumber(8)], newest_save=9)
    assert freeze([SaveNumber(5)], newest_save=6) != freeze([SaveNumber(5)], newest_save=5)


def test_what_is_the_same_in_all_states_says_nothing() -> None:
    one, other = [1], [2]
    assert freeze([one], shared=[one]) == freeze([other], shared=[other])


def test_what_cannot_be_looked_into_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be looked into"):
        freeze([iter([1])])
