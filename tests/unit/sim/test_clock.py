"""The virtual clock: what is due is called in order, and time passes only when it is told to."""

import pytest

from mq.sim.clock import SimClock


def test_timers_are_called_at_their_times_in_order() -> None:
    clock, seen = SimClock(), list[tuple[str, int]]()
    for name, due_ms in (("late", 30), ("early", 10), ("early too", 10)):
        clock.at(due_ms, lambda name=name: seen.append((name, clock.now_ms)))  # type: ignore[misc]
    assert clock.next_due_ms() == 10
    assert clock.advance(29) == 2
    assert seen == [("early", 10), ("early too", 10)]
    assert clock.advance(1) == 1
    assert (seen[-1], clock.now_ms, clock.next_due_ms()) == (("late", 30), 30, None)


def test_a_timer_may_set_another_one_that_is_due_in_the_same_span() -> None:
    clock, seen = SimClock(5), list[int]()

    def again() -> None:
        seen.append(clock.now_ms)
        if len(seen) < 3:
            clock.after(10, again)

    clock.after(10, again)
    clock.advance(100)
    assert seen == [15, 25, 35]
    assert clock.now_ms == 105


def test_a_cancelled_timer_is_not_called() -> None:
    clock, seen = SimClock(), list[str]()
    clock.at(10, lambda: seen.append("cancelled")).cancel()
    clock.at(20, lambda: seen.append("kept"))
    assert clock.next_due_ms() == 20
    assert clock.advance(50) == 1
    assert seen == ["kept"]


def test_what_is_past_is_due_at_once_and_time_does_not_go_back() -> None:
    clock, seen = SimClock(100), list[int]()
    clock.at(50, lambda: seen.append(clock.now_ms))
    clock.advance(0)
    assert seen == [100]
    with pytest.raises(ValueError, match="time does not go back"):
        clock.advance(-1)
