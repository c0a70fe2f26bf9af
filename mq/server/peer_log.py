"""Log lines about what others do, which must not fill the disk however often they do it."""

import logging
import time
from collections.abc import Callable

__all__ = ["RareLog"]

_REST_S = 10.0


class RareLog:
    """One line, then none for `rest_s` seconds; the next line says how many there would have been.

    A text that differs from the last one is written at once when `is_new_told`; that is for texts no stranger can make up.
    """

    def __init__(
        self,
        log: logging.Logger,
        *,
        is_new_told: bool = False,
        rest_s: float = _REST_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._is_new_told, self._rest_s, self._now_s = log, is_new_told, rest_s, now_s
        self._quiet_until_s: float | None = None
        self._last, self._omitted = "", 0

    def warning(self, text: str) -> None:
        """Write it, or count it."""
        now_s = self._now_s()
        is_new = self._is_new_told and text != self._last
        if self._quiet_until_s is not None and now_s < self._quiet_until_s and not is_new:
            self._omitted += 1
            return
        more = f" (and {self._omitted} more like it)" if self._omitted else ""
        self._log.warning("%s%s", text, more)
        self._last, self._omitted, self._quiet_until_s = text, 0, now_s + self._rest_s

    def reset(self) -> None:
        """What was wrong is mended: the next line is news again."""
        self._last, self._omitted, self._quiet_until_s = "", 0, None
