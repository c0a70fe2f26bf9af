"""Log time goes on without a jump whoever leads next, also when its process is older than the leader's."""

import pytest

from mq.broker.log_clock import LogClock


@pytest.mark.parametrize("older_by_ms", [-700, 0, 700])
def test_a_node_that_started_before_or_after_the_leader_carries_its_time_on(older_by_ms: int) -> None:
    leader, follower = LogClock(), LogClock()
    leader.begin(0, 10_000)
    follower.begin(0, 10_000 - older_by_ms)
    for now_ms in range(10_100, 20_000, 100):
        follower.note(leader.now_ms(now_ms), now_ms + 2, term=1)
    assert follower.now_ms(20_000) == leader.now_ms(20_000) - 2


def test_of_a_leaders_entries_those_count_that_came_with_the_least_delay() -> None:
    follower = LogClock()
    for stamp_ms, came_ms in [(1000, 5040), (1100, 5103), (1200, 5290)]:
        follower.note(stamp_ms, came_ms, term=1)
    assert follower.now_ms(5300) == 1297


def test_one_that_leads_again_goes_on_from_the_time_of_the_leader_between() -> None:
    """It was ahead when it lost its leadership; had it kept that, each message in flight would come back too early."""
    paused = LogClock()
    paused.begin(0, 0)
    assert paused.now_ms(9000) == 9000
    # Another node led meanwhile; its time counts on from the last entry that it had from the one that stood still.
    paused.note(6500, 9000, term=2)
    paused.note(6600, 9100, term=2)
    assert paused.now_ms(9200) == 6700


def test_entries_that_are_read_late_leave_the_clock_behind_and_never_ahead() -> None:
    """A node that catches up applies the entries of a minute in a moment, those of several leaders one after the other."""
    leader, late = LogClock(), LogClock()
    leader.begin(0, 0)
    late.begin(50_000, 60_000)
    for at_ms in range(0, 60_001, 500):
        late.note(leader.now_ms(at_ms), 60_000, term=1 + at_ms // 20_000)
    assert late.now_ms(60_000) == leader.now_ms(60_000)
