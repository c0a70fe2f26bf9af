"""Wall time never jumps and never goes back, and comes nearer to the machine's clock all the time."""

from hypothesis import given
from hypothesis import strategies as st

from mq.broker.wall_clock import WallClock

DAY_MS = 86_400_000


def test_the_machines_clock_is_taken_as_it_is_at_the_start() -> None:
    clock = WallClock()
    assert clock.now_ms(5, 1_000_000) == 1_000_000
    assert clock.now_ms(55, 1_000_050) == 1_000_050
    assert WallClock(at_least_ms=2_000_000).now_ms(5, 1_000_000) == 2_000_000


def test_a_day_forward_for_seven_seconds_is_hardly_noticed() -> None:
    clock = WallClock()
    clock.now_ms(0, 0)
    for now_ms in range(0, 7_001, 500):
        shown_ms = clock.now_ms(now_ms, now_ms + DAY_MS)
    assert shown_ms <= 7_700
    for now_ms in range(7_500, 20_001, 500):
        shown_ms = clock.now_ms(now_ms, now_ms)
    assert shown_ms == 20_000


def test_a_clock_that_was_set_right_is_followed_at_a_tenth_of_the_time_that_passes() -> None:
    clock = WallClock()
    clock.now_ms(0, 0)
    for now_ms in range(0, 600_001, 1000):
        shown_ms = clock.now_ms(now_ms, now_ms + 30_000)
        assert shown_ms - now_ms <= min(30_000, now_ms // 10)
    assert shown_ms == 630_000


def test_after_a_clock_that_was_heard_it_goes_on_from_there_whatever_the_machine_says() -> None:
    clock = WallClock()
    for now_ms in range(0, 60_001, 5_000):
        clock.hear(1_000_000 + now_ms, now_ms)
    assert clock.now_ms(60_010, 1_060_010 + DAY_MS) == 1_060_010
    assert clock.now_ms(61_000, 1_061_000 + DAY_MS) <= 1_061_100


def test_who_led_before_comes_back_with_the_time_of_the_leader_between() -> None:
    clock = WallClock()
    clock.now_ms(0, 5_000_000)
    for now_ms in range(5_000, 3_600_001, 5_000):
        clock.hear(1_000_000 + now_ms, now_ms)
    assert clock.now_ms(3_600_000, 9_000_000) == 4_600_000


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(-DAY_MS, DAY_MS)), max_size=50))
def test_it_never_goes_back_and_never_runs_away(steps: list[tuple[int, int]]) -> None:
    clock, counting_ms, last_ms = WallClock(), 0, 0
    first_ms = last_ms = clock.now_ms(0, 10 * DAY_MS)
    for passed_ms, set_ms in steps:
        counting_ms += passed_ms
        shown_ms = clock.now_ms(counting_ms, 10 * DAY_MS + counting_ms + set_ms)
        assert last_ms <= shown_ms <= first_ms + counting_ms + counting_ms // 10
        last_ms = shown_ms
