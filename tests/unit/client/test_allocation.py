"""Shares by tables that were worked out by hand from the formulas, and what holds for all lists of queues and members."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.client.allocation import ALLOCATIONS, allocation, averagely, averagely_by_circle, consistent_hash, shares
from mq.client.queues import QueueName
from mq.core.errors import IllegalArgumentError


def queues(count: int, broker: str = "broker-a") -> list[QueueName]:
    return [QueueName("orders", broker, number) for number in range(count)]


def by_hand(taken: dict[str, tuple[QueueName, ...]]) -> dict[str, list[int]]:
    return {member: [queue.queue_id for queue in share] for member, share in taken.items()}


# (queues, members) -> numbers of the queues of each. mod = q mod n; size = q // n, and one more for places below mod.
AVERAGELY = {
    (8, 1): [[0, 1, 2, 3, 4, 5, 6, 7]],
    (8, 2): [[0, 1, 2, 3], [4, 5, 6, 7]],
    (8, 3): [[0, 1, 2], [3, 4, 5], [6, 7]],
    (8, 5): [[0, 1], [2, 3], [4, 5], [6], [7]],
    (4, 4): [[0], [1], [2], [3]],
    (2, 4): [[0], [1], [], []],
    (0, 2): [[], []],
}
BY_CIRCLE = {
    (8, 1): [[0, 1, 2, 3, 4, 5, 6, 7]],
    (8, 2): [[0, 2, 4, 6], [1, 3, 5, 7]],
    (8, 3): [[0, 3, 6], [1, 4, 7], [2, 5]],
    (8, 5): [[0, 5], [1, 6], [2, 7], [3], [4]],
    (4, 4): [[0], [1], [2], [3]],
    (2, 4): [[0], [1], [], []],
    (0, 2): [[], []],
}


@pytest.mark.parametrize(("size", "expected"), AVERAGELY.items())
def test_averagely_by_the_table(size: tuple[int, int], expected: list[list[int]]) -> None:
    names = [f"c{number}" for number in range(size[1])]
    assert by_hand(shares(averagely, queues(size[0]), names)) == dict(zip(names, expected, strict=True))


@pytest.mark.parametrize(("size", "expected"), BY_CIRCLE.items())
def test_by_circle_by_the_table(size: tuple[int, int], expected: list[list[int]]) -> None:
    names = [f"c{number}" for number in range(size[1])]
    assert by_hand(shares(averagely_by_circle, queues(size[0]), names)) == dict(zip(names, expected, strict=True))


RING = """
0907781c ann-6    12e3e493 bob-6    276980e7 ann-1    294c9542 queue b1  2e3add9f ann-9    4aac22ff ann-3    58bbc476 bob-1
6bb835bd eve-1    6dd31889 bob-4    71eda001 queue a3  7bda8715 bob-9    7c27d558 bob-8    815da48d eve-7    89a5aa2f eve-4
8c686e44 queue a2  93a09a89 ann-2   93a9c1ba ann-5    96aa27ee queue a0  9c0d5589 bob-5    a33d2a5a eve-6    a3f36b89 bob-0
a4a1f9b4 eve-5    a5b00400 ann-7    a711ffad queue b2  acc108c4 bob-3    b04aa80b queue b0  b4d4bb6a bob-2    bb044889 eve-0
c36ec1cb ann-0    cc1198a7 queue b3  d5baa472 eve-3   d72a9ee3 eve-9    df6c9910 ann-4    e87ed61f ann-8    eb247339 bob-7
eb795d96 eve-2    f114d564 queue a1  feda79d6 eve-8
"""
# Made in a shell, of nothing of ours: `printf %s TEXT | md5sum | cut -c 1-8`, sorted; a queue's TEXT is
# "MessageQueue [topic=orders, brokerName=broker-a, queueId=0]". Each queue belongs to the first name to its right.
ON_THE_RING = {"ann": {"b1", "a2"}, "bob": {"a3", "a0", "b2", "b0"}, "eve": {"b3", "a1"}}
WITHOUT_BOB = {"ann": {"b1", "a2"}, "eve": {"a3", "a0", "b2", "b0", "b3", "a1"}}
BEHIND_THE_LAST = 296
"""Of broker-a: the MD5 of its text begins with ffa1a1c8, which is behind all names: it goes to the ring's first."""


def short(taken: dict[str, tuple[QueueName, ...]]) -> dict[str, set[str]]:
    return {member: {f"{queue.broker[-1]}{queue.queue_id}" for queue in share} for member, share in taken.items()}


def test_consistent_hash_by_the_table() -> None:
    both = queues(4, "broker-a") + queues(4, "broker-b")
    assert short(shares(consistent_hash, both, ["ann", "bob", "eve"])) == ON_THE_RING
    assert short(shares(consistent_hash, both, ["ann", "eve"])) == WITHOUT_BOB


def test_behind_the_last_place_the_ring_begins_again() -> None:
    beyond = QueueName("orders", "broker-a", BEHIND_THE_LAST)
    assert hashlib.md5(str(beyond).encode()).hexdigest() > "feda79d6"
    assert consistent_hash([beyond], ["ann", "bob", "eve"], "ann") == (beyond,)  # 0907781c


names = st.lists(st.text("abcdef0123456789@-", min_size=1, max_size=12), min_size=1, max_size=12, unique=True)
sizes = st.lists(st.integers(0, 20), min_size=1, max_size=4)
strategies = st.sampled_from(sorted(ALLOCATIONS))


def of_sizes(counts: list[int]) -> list[QueueName]:
    return [one for number, count in enumerate(counts) for one in queues(count, f"broker-{number}")]


@given(strategies, sizes, names)
def test_each_queue_is_taken_by_exactly_one_member(strategy: str, counts: list[int], members: list[str]) -> None:
    taken = shares(allocation(strategy), of_sizes(counts), members)
    assert sorted(taken) == sorted(members)
    assert sorted(queue for share in taken.values() for queue in share) == sorted(of_sizes(counts))


@given(st.sampled_from(["averagely", "averagely_by_circle"]), sizes, names)
def test_no_member_has_two_queues_more_than_another(strategy: str, counts: list[int], members: list[str]) -> None:
    each = [len(share) for share in shares(allocation(strategy), of_sizes(counts), members).values()]
    assert max(each) - min(each) <= 1


@given(sizes, names, st.data())
def test_consistent_hash_moves_only_what_the_one_who_leaves_had(
    counts: list[int], members: list[str], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(members))
    before = shares(consistent_hash, of_sizes(counts), members)
    after = shares(consistent_hash, of_sizes(counts), [name for name in members if name != gone])
    for member, share in after.items():
        assert set(before[member]) <= set(share)
        assert set(share) - set(before[member]) <= set(before[gone])


@given(strategies, sizes, names, st.randoms(use_true_random=False))
def test_the_order_of_the_lists_and_repeats_in_them_change_nothing(
    strategy: str, counts: list[int], members: list[str], rng: object
) -> None:
    ordered = shares(allocation(strategy), of_sizes(counts), members)
    shuffled, mixed = of_sizes(counts) * 2, members * 2
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    assert shares(allocation(strategy), shuffled, mixed) == ordered


def test_an_unknown_strategy_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        IllegalArgumentError, match="allocation: 'fair' is none of averagely, averagely_by_circle, consistent_hash"
    ):
        allocation("fair")
