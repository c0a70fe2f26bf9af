"""How a topic's queues are shared out among broker groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.rpc.extension_relay import shares_of

A, B, C = "broker-a", "broker-b", "broker-c"


@pytest.mark.parametrize(
    ("queues", "has", "among", "expected"),
    [
        (8, {}, [A], {A: 8}),
        (8, {}, [A, B], {A: 4, B: 4}),
        (8, {}, [A, B, C], {A: 3, B: 3, C: 2}),
        (1, {}, [A, B], {A: 1}),  # the second gets none, and is not asked
        (6, {A: 2, B: 2}, [A, B, C], {A: 2, B: 2, C: 2}),  # widened onto a group that joined
        (8, {A: 4, B: 4}, [A, B, C], {A: 4, B: 4, C: 2}),  # what a group has, it keeps
        (8, {A: 8}, [A, B], {A: 8, B: 4}),
    ],
)
def test_shares_by_the_table(queues: int, has: dict[str, int], among: list[str], expected: dict[str, int]) -> None:
    assert shares_of(queues, has, among) == expected


@given(
    st.integers(1, 100),
    st.dictionaries(st.sampled_from([A, B, C]), st.integers(1, 50)),
    st.sets(st.sampled_from([A, B, C]), min_size=1),
)
def test_no_group_loses_a_queue_and_there_are_at_least_as_many_as_were_wanted(
    queues: int, has: dict[str, int], among: set[str]
) -> None:
    shares = shares_of(queues, has, sorted(among))
    assert all(shares[name] >= count for name, count in has.items() if name in among)
    assert sum(shares.values()) >= queues
    fresh = [shares.get(name, 0) for name in among if name not in has]
    assert not fresh or max(fresh) - min(fresh) <= 1
