"""Waiting for what nobody announces."""

import time
from collections.abc import Callable

__all__ = ["poll_until"]

_POLL_S = 0.01


def poll_until(is_so: Callable[[], bool], limit_s: float) -> bool:
    """Ask again and again until the answer is yes; whether it came within the limit."""
    end_s = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() >= end_s:
            return False
        time.sleep(_POLL_S)
    return True
