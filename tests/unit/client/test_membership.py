"""Members that share queues: what is given up is given up first, and nobody reads what another one still reads."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.client.allocation import ALLOCATIONS, allocation, averagely
from mq.client.membership import Membership, first_offset, offset_within
from mq.client.queues import QueueName
from mq.client.rebalance import Change

QUEUES = [QueueName("orders", broker, number) for broker in ("broker-a", "broker-b") for number in range(2)]


def test_one_alone_begins_at_once() -> None:
    assert Membership("ann", averagely).look(QUEUES, []) == Change((), tuple(QUEUES))


def test_who_joins_waits_until_the_other_has_seen_it() -> None:
    ann, bob = Membership("ann", averagely), Membership("bob", averagely)
    ann.look(QUEUES, ["ann"])
    assert not bob.look(QUEUES, ["ann", "bob"])
    assert ann.look(QUEUES, ["ann", "bob"]) == Change(tuple(QUEUES[2:]), ())
    assert bob.look(QUEUES, ["ann", "bob"]) == Change((), tuple(QUEUES[2:]))
    assert not ann.look(QUEUES, ["ann", "bob"])
    assert (ann.own, bob.own) == (frozenset(QUEUES[:2]), frozenset(QUEUES[2:]))


def test_who_leaves_counts_for_one_look_more_and_a_moment_of_forgetting_moves_nothing() -> None:
    ann = Membership("ann", averagely)
    for _ in range(2):
        ann.look(QUEUES, ["ann", "bob"])
    assert ann.own == frozenset(QUEUES[:2])
    assert not ann.look(QUEUES, [])  # another node leads, and has heard of nobody yet
    assert not ann.look(QUEUES, ["ann", "bob"])
    assert not ann.look(QUEUES, ["ann"])
    assert ann.look(QUEUES, ["ann"]) == Change((), tuple(QUEUES[2:]))


@given(st.sampled_from(sorted(ALLOCATIONS)), st.integers(0, 1_000_000))
def test_no_queue_has_two_readers_while_members_come_and_go_and_each_has_one_in_the_end(strategy: str, seed: int) -> None:
    """All look once in each round, in any order, and see who was there when the round began or comes within it."""
    rng = random.Random(seed)
    present: dict[str, Membership] = {}
    for round_ in range(rng.randint(2, 14)):
        if rng.random() < 0.5:
            name = rng.choice("abcde")
            if name in present and len(present) > 1:
                del present[name]
            elif name not in present:
                present[name] = Membership(name, allocation(strategy))
        for name in rng.sample(sorted(present), len(present)):
            told = sorted(present)
            change = present[name].look(QUEUES, told)
            assert not set(change.drop) & set(change.take)
            readers = [queue for one in present.values() for queue in one.own]
            assert len(readers) == len(set(readers)), (round_, name)
    for _ in range(4):
        for one in present.values():
            one.look(QUEUES, sorted(present))
    assert sorted(queue for one in present.values() for queue in one.own) == (QUEUES if present else [])


@pytest.mark.parametrize(
    ("known", "start", "expected"),
    [
        (None, "earliest", 5), (None, "latest", 9), (7, "earliest", 7), (7, "latest", 7), (0, "latest", 5), (30, "earliest", 9),
    ],
)  # fmt: skip
def test_where_a_reader_begins(known: int | None, start: str, expected: int) -> None:
    assert first_offset(known, (5, 9), start) == expected


def test_an_offset_outside_of_the_queue_is_brought_to_its_nearest_end() -> None:
    assert [offset_within(offset, (5, 9)) for offset in (0, 5, 7, 9, 99)] == [5, 5, 7, 9, 9]
