"""How long a broker is left alone after a send to it took long: RocketMQ's table.

RocketMQ: MQFaultStrategy (5.x), latencyMax and notAvailableDuration.
"""

__all__ = ["FAILED_LATENCY_MS", "back_off_ms", "latency_class"]

_TABLE = ((50, 0), (100, 0), (550, 2_000), (1_800, 5_000), (3_000, 6_000), (5_000, 10_000), (15_000, 30_000))
"""(latency from so many ms on, not chosen for so many ms)."""

FAILED_LATENCY_MS = 10_000
"""A send that failed counts as one that took so long."""


def latency_class(latency_ms: float) -> int:
    """0 for less than 50 ms, 1 for less than 100 ms, and so on: latencies of one class are taken to be equal."""
    return sum(latency_ms >= least_ms for least_ms, _ in _TABLE)


def back_off_ms(latency_ms: float) -> int:
    """For how long the broker is left alone that took so long."""
    row = latency_class(latency_ms)
    return _TABLE[row - 1][1] if row else 0
