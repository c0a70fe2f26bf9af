"""Says in the log when a disk takes a step in and does not come back with it, whoever waits for that.

In a thread of its own: in a node by itself, what waits may be the event loop. Then nothing else would say why it is mute.
"""

import logging
import threading
from collections.abc import Callable

__all__ = ["HUNG_S", "DiskWatch"]

HUNG_S = 2.0
"""So long one step takes on no disk that is only slow; clients wait for three seconds."""
_LOOK_EVERY_S = 0.5
_log = logging.getLogger(__name__)


class DiskWatch:
    """busy_s: for how long the disk has been at one step; 0 while there is none."""

    def __init__(self, busy_s: Callable[[], float]) -> None:
        self._busy_s = busy_s
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        is_told = False
        while not self._is_over.wait(_LOOK_EVERY_S):
            busy_s = self._busy_s()
            if busy_s >= HUNG_S and not is_told:
                _log.warning("the disk has not come back from one step for %.1f s", busy_s)
            is_told = busy_s >= HUNG_S

    def close(self) -> None:
        """Look no more."""
        self._is_over.set()
        self._thread.join()
