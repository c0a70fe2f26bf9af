"""When a group begins: a lone caller never waits; a crowd does, as long as more of it keeps coming."""

from mq.server.pacing import Pacing


def after_a_crowd(callers: int) -> Pacing:
    """So many callers were in hand a moment ago, at time 1."""
    pacing = Pacing()
    for number in range(callers):
        pacing.arrived(number + 1, 1.0)
    return pacing


def turns_until_complete(pacing: Pacing, arrivals: list[int], now_s: float = 1.001, turn_s: float = 0.00001) -> tuple[int, int]:
    """(turns of the loop, commands) until the group is written. arrivals: in each turn, then none."""
    gathered, turns = 1, 0
    pacing.begin(gathered, now_s)
    while not pacing.is_complete(gathered, now_s):
        gathered += arrivals[turns] if turns < len(arrivals) else 0
        turns, now_s = turns + 1, now_s + turn_s
        assert turns < 10_000
    return turns, gathered


def test_a_lone_caller_never_waits_however_fast_it_is() -> None:
    pacing = Pacing()
    for step in range(1000):
        pacing.arrived(1, step * 0.0001)
        assert pacing.is_lone
        assert turns_until_complete(pacing, [], step * 0.0001) == (0, 1)


def test_a_crowd_that_keeps_coming_is_waited_for() -> None:
    assert turns_until_complete(after_a_crowd(20), [1] * 30) == (19, 20)
    assert turns_until_complete(after_a_crowd(20), [0, 0, 3, 0, 0, 0, 9]) == (11, 13)
    assert not after_a_crowd(2).is_lone


def test_nobody_waits_for_a_crowd_that_does_not_come() -> None:
    assert turns_until_complete(after_a_crowd(20), [])[0] <= 4


def test_a_large_group_does_not_wait_for_a_larger_one() -> None:
    assert turns_until_complete(after_a_crowd(500), [10] * 99)[1] < 50


def test_no_group_waits_for_long() -> None:
    turns, gathered = turns_until_complete(after_a_crowd(500), [1] * 25, turn_s=0.0005)
    assert (turns, gathered) == (9, 10)


def test_a_crowd_that_left_is_forgotten() -> None:
    pacing = after_a_crowd(64)
    pacing.arrived(1, 1.03)
    assert not pacing.is_lone
    pacing.arrived(1, 1.06)
    assert pacing.is_lone
