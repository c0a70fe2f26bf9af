"""The floors of the world's speed hold: below them thousands of seeds in each test run would not be possible."""

import pytest

from bench.sim_speed import CLUSTER_SECONDS_MIN, EVENTS_MIN, cluster_seconds_a_second, events_a_second


@pytest.mark.slow
def test_the_world_handles_enough_events_a_second() -> None:
    """Of one core's time; the best of some rounds, since other work on the machine takes cache and clock from it."""
    assert max(events_a_second(range(first, first + 15)) for first in (1, 16, 31)) >= EVENTS_MIN


@pytest.mark.slow
def test_a_quiet_group_lives_a_thousand_times_faster_than_life() -> None:
    assert max(cluster_seconds_a_second(200) for _ in range(3)) >= CLUSTER_SECONDS_MIN
