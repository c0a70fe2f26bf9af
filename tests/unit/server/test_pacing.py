"""When a group begins: a lone caller never waits, a crowd does, for a moment."""

from mq.server.pacing import Pacing


def closed_loop(callers: int, call_s: float, seconds: float) -> list[float]:
    """Callers that each send again `call_s` after their answer, served one by one; the waits that their groups got."""
    pacing, now_s, waits = Pacing(), 0.0, list[float]()
    while now_s < seconds:
        for number in range(callers):
            now_s += call_s / callers
            pacing.arrived(number + 1)
        waits.append(pacing.wait_s(now_s, 1))
    return waits


def test_a_lone_caller_never_waits_however_fast_it_is() -> None:
    waits = closed_loop(callers=1, call_s=0.0002, seconds=1)
    assert len(waits) > 4000
    assert set(waits) == {0.0}


def test_a_crowd_waits_for_company() -> None:
    waits = closed_loop(callers=64, call_s=0.015, seconds=1)
    assert all(0 < wait <= 0.004 for wait in waits[4:])


def test_a_slow_crowd_does_not_wait() -> None:
    assert set(closed_loop(callers=8, call_s=0.2, seconds=4)) == {0.0}


def test_a_group_that_is_large_enough_does_not_wait() -> None:
    pacing = Pacing()
    for step in range(4):
        for number in range(64):
            pacing.arrived(number + 1)
        pacing.wait_s(0.021 * (step + 1), 1)
    assert pacing.wait_s(0.085, 31) > 0
    assert pacing.wait_s(0.085, 32) == 0


def test_a_crowd_that_left_is_forgotten() -> None:
    pacing = Pacing()
    for step in range(100):
        for number in range(64 if step < 50 else 1):
            pacing.arrived(number + 1)
        wait_s = pacing.wait_s(0.021 * (step + 1), 1)
        assert (wait_s > 0) == (step < 50)
