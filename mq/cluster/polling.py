"""Waiting for what nobody announces."""

import time
from collections.abc import Callable

__all__ = ["poll_until"]

_POLL_S = 0.01


def poll_until(is_so: Callable[[], bool], limit_s: float, *, every_s: float = _POLL_S) -> bool:
    """Ask again and again until the answer is yes; whether it came within the limit. every_s: more where asking is dear."""
    end_s = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() >= end_s:
            return False
        time.sleep(every_s)
    return True
