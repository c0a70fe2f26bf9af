"""Members that come and go: what each gives up and takes, one reader for each queue in the end, and how many change hands."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.client.allocation import ALLOCATIONS, allocation, averagely, shares
from mq.client.queues import QueueName
from mq.client.rebalance import Change, Rebalance, moves

QUEUES = [QueueName("orders", broker, number) for broker in ("broker-a", "broker-b") for number in range(4)]


def test_a_consumer_gives_up_what_a_new_member_takes() -> None:
    first = Rebalance("ann", averagely)
    assert first.look(QUEUES, ["ann"]) == Change((), tuple(QUEUES))
    assert first.look(QUEUES, ["ann", "bob"]) == Change(tuple(QUEUES[4:]), ())
    second = Rebalance("bob", averagely)
    assert second.look(QUEUES, ["ann", "bob"]) == Change((), tuple(QUEUES[4:]))
    assert not first.look(QUEUES, ["bob", "ann"])  # the same again
    assert first.own == tuple(QUEUES[:4])


def test_a_topic_that_is_widened_and_a_group_that_goes_change_what_is_read() -> None:
    alone = Rebalance("ann", averagely)
    alone.look(QUEUES[:4], ["ann"])
    assert alone.look(QUEUES, ["ann"]) == Change((), tuple(QUEUES[4:]))
    assert alone.look(QUEUES[4:], ["ann"]) == Change(tuple(QUEUES[:4]), ())


def test_who_is_no_member_reads_nothing() -> None:
    one = Rebalance("eve", averagely)
    assert not one.look(QUEUES, ["ann"])
    one.look(QUEUES, ["eve"])
    assert one.look(QUEUES, ["ann"]) == Change(tuple(QUEUES), ())


# How many of 12 queues change hands: (strategy, members before, members after) -> moves, counted by hand for the first two.
#   averagely 3 -> 4: blocks of 4 become blocks of 3: queue 3 goes to the second, 6 and 7 to the third, 9 to 11 to the fourth.
#   by circle 3 -> 4: only j with j mod 3 == j mod 4 stays: 0, 1, 2.
MOVES = {("averagely", 3, 4): 6, ("averagely_by_circle", 3, 4): 9, ("averagely", 3, 2): 6, ("averagely_by_circle", 3, 2): 8}


@pytest.mark.parametrize(("case", "expected"), MOVES.items())
def test_moves_by_the_table(case: tuple[str, int, int], expected: int) -> None:
    strategy, before, after = case
    queues = [QueueName("orders", "broker-a", number) for number in range(12)]
    names = [f"c{number}" for number in range(4)]
    one, other = (shares(allocation(strategy), queues, names[:count]) for count in (before, after))
    assert moves(one, other) == expected


@given(st.integers(1, 12), st.integers(0, 10_000))
def test_a_consistent_hash_moves_no_more_than_the_one_who_came_or_went_has(members: int, seed: int) -> None:
    names = [f"client@{seed}@{number}" for number in range(members + 1)]
    few, many = (shares(ALLOCATIONS["consistent_hash"], QUEUES, some) for some in (names[:members], names))
    assert moves(few, many) == moves(many, few) == len(many[names[-1]])


@given(st.sampled_from(sorted(ALLOCATIONS)), st.integers(0, 1_000_000))
def test_when_all_see_the_same_at_last_each_queue_has_one_reader(strategy: str, seed: int) -> None:
    """Join, leave and widening, in which each sees the lists late or not at all, until the end."""
    rng = random.Random(seed)
    everybody = {name: Rebalance(name, allocation(strategy)) for name in ("ann", "bob", "eve", "joe")}
    queues, members = QUEUES[: rng.randint(1, 8)], ["ann"]
    for _ in range(rng.randint(1, 12)):
        members = rng.sample(sorted(everybody), rng.randint(1, 4))
        queues = rng.sample(QUEUES, rng.randint(1, 8))
        for name in rng.sample(sorted(everybody), rng.randint(0, 4)):
            change = everybody[name].look(queues, members)
            assert not set(change.drop) & set(change.take)
    for one in everybody.values():
        one.look(queues, members)
    read = [queue for name, one in everybody.items() for queue in one.own]
    assert sorted(read) == sorted(queues)
    assert {name for name, one in everybody.items() if one.own} <= set(members)
