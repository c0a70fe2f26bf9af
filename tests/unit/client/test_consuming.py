"""What follows when a listener refuses a message, and the delays that brokers tell of."""

import pytest

from mq.client.consuming import ConsumerSettings, Failed, RetryPolicy, Step, after_failure, exponential

POLICY = RetryPolicy(4, (1_000, 5_000, 10_000))

# (attempt that failed, ordered group) -> what follows, by hand: an ordered group's broker counts no attempts that are made here.
TABLE = {
    (1, False): Failed(Step.HIDE, 1_000),
    (2, False): Failed(Step.HIDE, 5_000),
    (3, False): Failed(Step.HIDE, 10_000),
    (4, False): Failed(Step.HIDE, 10_000),  # the broker knows that this was the last, and makes it a dead letter when it is due
    (1, True): Failed(Step.AGAIN, 1_000),
    (3, True): Failed(Step.AGAIN, 10_000),
    (4, True): Failed(Step.GIVE_UP, 0),
    (9, True): Failed(Step.GIVE_UP, 0),  # the group was given fewer attempts meanwhile
}


@pytest.mark.parametrize(("case", "expected"), TABLE.items())
def test_a_refused_message_by_the_table(case: tuple[int, bool], expected: Failed) -> None:
    attempt, is_fifo = case
    assert after_failure(ConsumerSettings(is_fifo=is_fifo, retry=POLICY), attempt) == expected


def test_an_attempt_that_a_broker_forgot_to_count_is_the_first() -> None:
    assert POLICY.delay_ms(0) == 1_000


@pytest.mark.parametrize(
    ("initial_ms", "max_ms", "multiplier", "expected"),
    [
        (10, 100, 2, (10, 20, 40, 80, 100)),
        (1_000, 1_000, 2, (1_000,)),
        (500, 100, 2, (100,)),
        (10, 100, 1, (10,)),  # it never grows
        (0, 100, 2, (0,)),
        (1, 4, 1.5, (1, 1, 2, 3, 4)),
    ],
)
def test_an_exponential_back_off_as_a_list(initial_ms: int, max_ms: int, multiplier: float, expected: tuple[int, ...]) -> None:
    assert exponential(initial_ms, max_ms, multiplier) == expected


def test_an_exponential_back_off_that_hardly_grows_ends_somewhere() -> None:
    assert len(exponential(1_000, 10_000_000, 1.0001)) <= 64
