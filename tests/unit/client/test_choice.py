"""Which queue a producer takes: turns, what is avoided, who is left alone, and how evenly the rest comes out."""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.client.back_off import back_off_ms
from mq.client.choice import CHOICES, QueueChoice, Sending, queue_choice
from mq.client.queues import QueueName
from mq.core.errors import IllegalArgumentError, RefusedError


def route(brokers: Sequence[str], each: int = 4) -> list[QueueName]:
    """Interleaved, as registries answer."""
    return [QueueName("orders", broker, number) for number in range(each) for broker in brokers]


def choice(name: str, seed: int = 1) -> QueueChoice:
    return queue_choice(name, random.Random(seed).randrange)


def send(one: QueueChoice, queue: QueueName, now_ms: int, latency_ms: int, *, is_failed: bool = False) -> QueueName:
    """A send that is answered at `now_ms`, before the next one begins."""
    one.ended(one.begun(queue, now_ms - latency_ms), now_ms, is_failed=is_failed)
    return queue


# The table of RocketMQ 5: (latency in ms, left alone for so many ms).
BACK_OFF = [
    (0, 0), (49.9, 0), (50, 0), (100, 0), (549, 0), (550, 2_000), (1_799, 2_000), (1_800, 5_000), (3_000, 6_000), (4_999, 6_000),
    (5_000, 10_000), (10_000, 10_000), (14_999, 10_000), (15_000, 30_000), (1_000_000, 30_000),
]  # fmt: skip


@pytest.mark.parametrize(("latency_ms", "expected_ms"), BACK_OFF)
def test_how_long_a_broker_is_left_alone(latency_ms: float, expected_ms: int) -> None:
    assert back_off_ms(latency_ms) == expected_ms


def test_round_robin_goes_through_all_queues_from_a_random_one_on() -> None:
    queues = route(["a", "b"])
    firsts = set()
    for seed in range(40):
        one = choice("round_robin", seed)
        taken = [one.choose(queues, 0) for _ in range(16)]
        assert taken[:8] == taken[8:]
        assert sorted(taken[:8]) == sorted(queues)
        assert all(left.broker != right.broker for left, right in itertools.pairwise(taken))
        firsts.add(taken[0])
    assert len(firsts) > 4


@given(st.sampled_from(sorted(CHOICES)), st.integers(2, 4), st.text(max_size=5), st.integers(0, 100), st.integers(1, 3))
def test_what_is_to_be_avoided_is_avoided_while_there_is_something_else(
    name: str, brokers: int, key: str, seed: int, avoided: int
) -> None:
    names = [f"broker-{number}" for number in range(brokers)]
    one, avoid = choice(name, seed), set(names[:avoided])
    for _ in range(10):
        queue = one.choose(route(names), 0, key=key, avoid=avoid)
        assert queue in route(names)
        assert queue.broker not in avoid or avoid >= set(names)


@pytest.mark.parametrize("name", CHOICES)
def test_without_a_queue_there_is_an_error_that_says_so(name: str) -> None:
    with pytest.raises(RefusedError, match="no queue that may be written to"):
        choice(name).choose([], 0, key="k")


@pytest.mark.parametrize("name", ["round_robin", "random", "consistent_hash", "least_in_flight", "lowest_latency_first"])
def test_equal_brokers_get_equal_shares(name: str) -> None:
    queues = route(["a", "b", "c"])
    one = choice(name)
    taken: Counter[str] = Counter()
    for number in range(30_000):
        queue = one.choose(queues, number, key=f"order-{number}")
        taken[send(one, queue, number, latency_ms=3).broker] += 1
    assert all(abs(count - 10_000) <= 1_000 for count in taken.values()), taken


def test_least_in_flight_goes_where_the_fewest_answers_are_owed() -> None:
    queues = route(["a", "b"])
    one = choice("least_in_flight")
    sent = [one.begun(queues[0], 0) for _ in range(3)]  # three at a
    one.begun(queues[1], 0)  # one at b
    for _ in range(2):
        queue = one.choose(queues, 0)
        assert queue.broker == "b"
        one.begun(queue, 0)
    assert {one.choose(queues, 0).broker for _ in range(8)} == {"a", "b"}  # three each
    one.ended(sent[1], 5)
    assert {one.choose(queues, 0).broker for _ in range(8)} == {"a"}


def test_lowest_latency_first_leaves_a_slow_broker_alone_and_then_tries_it_with_one_send() -> None:
    queues = route(["slow", "fast"])
    one = choice("lowest_latency_first")
    send(one, queues[0], 1_000, latency_ms=800)
    assert {one.choose(queues, 2_999).broker for _ in range(20)} == {"fast"}
    tried = one.choose(queues, 3_000)
    assert tried.broker == "slow"
    trial = one.begun(tried, 3_000)
    assert {one.choose(queues, 3_005).broker for _ in range(20)} == {"fast"}  # its answer is not here yet
    one.ended(trial, 3_010)
    assert {one.choose(queues, 3_010).broker for _ in range(20)} == {"slow", "fast"}


def test_of_brokers_that_are_all_slow_the_least_slow_is_taken() -> None:
    queues = route(["slower", "slow"])
    one = choice("lowest_latency_first")
    for queue, latency_ms in zip(queues, (6_000, 600), strict=False):
        send(one, queue, 0, latency_ms)
    assert {one.choose(queues, 100).broker for _ in range(20)} == {"slow"}


def test_a_send_that_failed_counts_as_a_slow_one() -> None:
    queues = route(["dead", "alive"])
    one = choice("lowest_latency_first")
    send(one, queues[0], 0, latency_ms=1, is_failed=True)
    assert {one.choose(queues, 9_999).broker for _ in range(20)} == {"alive"}
    assert one.choose(queues, 10_000).broker == "dead"


def test_who_does_not_answer_is_found_out_before_the_answer_comes() -> None:
    queues = route(["silent", "fast"])
    one = choice("lowest_latency_first")
    one.begun(queues[0], 0)
    assert {one.choose(queues, 49).broker for _ in range(20)} == {"silent", "fast"}
    assert {one.choose(queues, 50).broker for _ in range(20)} == {"fast"}


def latencies_ms(name: str, slow_ms: int) -> list[int]:
    """One send every 2 ms for 20 s, to two brokers of which one answers after `slow_ms`, the other after 2 ms."""
    queues, one = route(["a", "b"]), choice(name)
    under_way: list[tuple[int, Sending]] = []
    found = []
    for now_ms in range(0, 20_000, 2):
        while under_way and under_way[0][0] <= now_ms:
            ended_ms, sending = heapq.heappop(under_way)
            one.ended(sending, ended_ms)
        queue = one.choose(queues, now_ms)
        took_ms = slow_ms if queue.broker == "a" else 2
        heapq.heappush(under_way, (now_ms + took_ms, one.begun(queue, now_ms)))
        found.append(took_ms)
    return sorted(found)


def test_with_a_slow_broker_the_p99_of_lowest_latency_first_is_a_fraction_of_round_robins() -> None:
    p99 = {name: latencies_ms(name, slow_ms=800)[-100] for name in ("round_robin", "least_in_flight", "lowest_latency_first")}
    assert p99["round_robin"] == 800
    assert p99["lowest_latency_first"] * 3 <= p99["round_robin"]


@given(st.integers(2, 5), st.integers(0, 4))
def test_when_a_queue_goes_a_consistent_hash_moves_its_keys_alone(brokers: int, gone: int) -> None:
    queues = route([f"broker-{number}" for number in range(brokers)])
    left = [queue for queue in queues if queue != queues[gone]]
    one, other = choice("consistent_hash"), choice("consistent_hash")
    for number in range(200):
        before, after = one.choose(queues, 0, key=f"k{number}"), other.choose(left, 0, key=f"k{number}")
        assert before == after or before == queues[gone]


def test_an_unknown_strategy_is_refused_with_those_there_are() -> None:
    with pytest.raises(IllegalArgumentError, match="choice: 'best' is none of round_robin, random, least_in_flight"):
        queue_choice("best", random.Random(1).randrange)
