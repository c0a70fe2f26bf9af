"""How far a reader is: everything below is done, whatever the order in which messages were done with."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.client.progress import Progress
from mq.client.queues import QueueName

FIRST, SECOND = (QueueName("orders", "broker-a", number) for number in range(2))


def test_what_is_told_stops_below_the_first_that_is_not_done() -> None:
    progress = Progress()
    progress.take(FIRST, 10, 10)
    assert progress.untold() == {}
    for offset in (10, 11, 12):
        progress.given(FIRST, offset)
    assert progress.position(FIRST) == 13
    progress.done(FIRST, 12)
    assert progress.untold() == {}
    progress.done(FIRST, 10)
    assert progress.untold() == {FIRST: 11}
    progress.told(FIRST, 11)
    assert progress.untold() == {}
    progress.done(FIRST, 11)
    assert progress.untold() == {FIRST: 13}


def test_what_a_filter_left_out_is_done_when_all_before_it_is() -> None:
    progress = Progress()
    progress.take(FIRST, 0, 0)
    progress.given(FIRST, 3)
    progress.passed(FIRST, 9)
    assert progress.untold() == {FIRST: 3}
    progress.done(FIRST, 3)
    assert (progress.untold(), progress.position(FIRST)) == ({FIRST: 9}, 9)


def test_one_who_goes_back_forgets_what_was_given() -> None:
    progress = Progress()
    progress.take(FIRST, 0, 0)
    progress.given(FIRST, 0)
    progress.seek(FIRST, 0)
    progress.given(FIRST, 0)
    progress.seek(FIRST, 5)
    assert progress.untold() == {FIRST: 5}
    progress.seek(FIRST, 0)
    assert progress.untold() == {}


def test_queues_come_and_go_each_by_itself() -> None:
    progress = Progress()
    progress.take(SECOND, 0, 0)
    progress.take(FIRST, 0, 0)
    assert progress.queues == (FIRST, SECOND)
    progress.given(FIRST, 0)
    progress.given(SECOND, 0)
    progress.drop(FIRST)
    progress.done(FIRST, 0)  # its listener ends only now
    progress.told(FIRST, 1)
    progress.all_done()
    assert progress.untold() == {SECOND: 1}
    with pytest.raises(KeyError):
        progress.position(FIRST)


def test_where_a_broker_knows_nothing_it_is_told_even_that_nothing_was_read() -> None:
    progress = Progress()
    progress.take(FIRST, 7)
    assert progress.untold() == {FIRST: 7}
    progress.take(FIRST, 7, told=5)  # what was forgotten meanwhile is passed over
    assert progress.untold() == {FIRST: 7}


@given(st.integers(0, 1_000_000))
def test_nothing_that_is_not_done_is_ever_below_what_is_told(seed: int) -> None:
    rng, progress = random.Random(seed), Progress()
    progress.take(FIRST, 0, 0)
    under_way: set[int] = set()
    told = 0
    for offset in range(rng.randint(1, 30)):
        if rng.random() < 0.2:
            progress.passed(FIRST, offset + 1)
        else:
            progress.given(FIRST, offset)
            under_way.add(offset)
        while under_way and rng.random() < 0.5:
            done = rng.choice(sorted(under_way))
            under_way.remove(done)
            progress.done(FIRST, done)
        told = progress.untold().get(FIRST, told)
        progress.told(FIRST, told)
        assert all(told <= one for one in under_way)
    progress.all_done()
    assert progress.untold().get(FIRST, told) == progress.position(FIRST)
