"""A failing run made short: steps are left out as long as the same promise breaks."""

from collections.abc import Callable

__all__ = ["shrunk"]

_TRIES_MAX = 160


def shrunk(count: int, still_fails: Callable[[tuple[int, ...]], bool]) -> tuple[int, ...]:
    """The numbers of the steps that are needed, out of `count`.

    It is the number of tries that is limited, not the time, so that the same run always comes to the same end.
    """
    kept = tuple(range(count))
    tries, size = 0, max(1, count // 2)
    while size and tries < _TRIES_MAX:
        at, is_smaller = 0, False
        while at < len(kept) and tries < _TRIES_MAX:
            fewer = kept[:at] + kept[at + size :]
            tries += 1
            if still_fails(fewer):
                kept, is_smaller = fewer, True
            else:
                at += size
        if not is_smaller or size > len(kept):
            size //= 2
    return kept
