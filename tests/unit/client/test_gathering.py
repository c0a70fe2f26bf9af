"""Messages that wait for each other: none waits too long, none is lost, and each batch keeps its bounds and its order."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.client.compression import compressed
from mq.client.gathering import Gathering
from mq.core.errors import IllegalArgumentError


def test_a_batch_leaves_when_it_is_full_and_otherwise_when_its_first_has_waited() -> None:
    gathering: Gathering[str, int] = Gathering(linger_ms=20, bytes_max=100)
    assert gathering.add("orders", 1, 40, now_ms=0) == []
    assert gathering.add("bills", 2, 40, now_ms=5) == []
    assert gathering.add("orders", 3, 40, now_ms=10) == []
    assert gathering.next_due_ms() == 20
    assert gathering.due(19) == []
    assert gathering.due(20) == [("orders", [1, 3])]
    assert gathering.next_due_ms() == 25
    assert gathering.add("bills", 4, 60, now_ms=21) == [[2, 4]], "a hundred bytes are enough"
    assert gathering.next_due_ms() is None


def test_one_that_does_not_fit_lets_the_others_go_first() -> None:
    gathering: Gathering[str, int] = Gathering(linger_ms=20, bytes_max=100)
    gathering.add("orders", 1, 60, now_ms=0)
    assert gathering.add("orders", 2, 60, now_ms=1) == [[1]]
    assert gathering.add("orders", 3, 500, now_ms=2) == [[2], [3]], "too big for any batch, and sent all the same"
    assert gathering.all() == []


def test_without_waiting_each_is_a_batch_and_a_count_is_a_bound_too() -> None:
    assert Gathering[str, int](0, 100).add("orders", 1, 1, now_ms=0) == [[1]]
    two: Gathering[str, int] = Gathering(20, 100, count_max=2)
    assert [two.add("orders", number, 1, now_ms=0) for number in range(3)] == [[], [[0, 1]], []]
    assert two.all() == [("orders", [2])]


@pytest.mark.parametrize(("linger_ms", "bytes_max"), [(-1, 100), (5, 0), (5, 5 << 20)])
def test_bounds_that_make_no_sense_are_refused(linger_ms: int, bytes_max: int) -> None:
    with pytest.raises(IllegalArgumentError):
        Gathering[str, int](linger_ms, bytes_max)


@given(st.integers(0, 1_000_000))
def test_all_leave_once_in_their_order_and_none_later_than_it_may(seed: int) -> None:
    rng = random.Random(seed)
    gathering: Gathering[str, int] = Gathering(linger_ms=10, bytes_max=50, count_max=5)
    sent: dict[str, list[int]] = {"a": [], "b": []}
    sizes, came, now_ms = dict[int, int](), dict[int, int](), 0

    def note(key: str, batch: list[int]) -> None:
        assert len(batch) == 1 or (sum(sizes[one] for one in batch) <= 50 and len(batch) <= 5)
        assert all(now_ms - came[one] <= 10 for one in batch)
        sent[key] += batch

    for number in range(rng.randint(1, 60)):
        for now in range(now_ms, now_ms + rng.randint(0, 6)):
            now_ms = now
            for key, batch in gathering.due(now_ms):
                note(key, batch)
        key, sizes[number], came[number] = rng.choice("ab"), rng.randint(0, 60), now_ms
        for batch in gathering.add(key, number, sizes[number], now_ms):
            note(key, batch)
    for key, batch in gathering.all():
        note(key, batch)
    assert sorted(sent["a"] + sent["b"]) == sorted(sizes)
    assert all(numbers == sorted(numbers) for numbers in sent.values())


def test_bodies_that_get_smaller_are_compressed_and_others_are_not() -> None:
    packed, is_gzip = compressed(b"loaf " * 100, 100)
    assert is_gzip
    assert len(packed) < 50
    assert packed[:2] == b"\x1f\x8b"
    noise = random.Random(1).randbytes(500)
    assert compressed(noise, 100) == (noise, False)
    assert compressed(b"loaf " * 10, 100) == (b"loaf " * 10, False)
    assert compressed(b"loaf " * 100, None) == (b"loaf " * 100, False)
