"""The last of a disk's space belongs to consumers: to receive and to acknowledge needs a little of it, too.

RocketMQ: DefaultMessageStore, which refuses messages when a disk is nearly full.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from mq.core.errors import DiskFullError

__all__ = ["SpaceGuard", "free_bytes_at"]

_LOOK_EVERY_S = 0.05
_SHORT = 1.25
_ROOMY = 1.5
"""In reserves. Between the two a node neither gives up leadership for want of space, nor is given it by one that does."""


def free_bytes_at(folder: Path) -> int:
    """What is free where a folder is."""
    return shutil.disk_usage(folder).free


class SpaceGuard:
    """Says when a data folder's disk is too full for more messages.

    reserve_bytes: what is kept free for everything else. free_bytes: how much is free where a folder is.
    """

    def __init__(self, folder: Path, *, reserve_bytes: int, free_bytes: Callable[[Path], int] = free_bytes_at) -> None:
        self._folder, self._reserve_bytes, self._free_bytes = folder, reserve_bytes, free_bytes
        self._free, self._looked_s = 0, float("-inf")

    def _look(self) -> int:
        """What is free; looks a few times a second at most."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= _LOOK_EVERY_S:
            self._free, self._looked_s = self._free_bytes(self._folder), now_s
        return self._free

    def check(self) -> None:
        """Whether there is space for messages. Raises: DiskFullError."""
        if self._look() < self._reserve_bytes:
            raise DiskFullError(
                f"no space left for messages: {self._free} bytes are free where {self._folder} is, "
                f"the last {self._reserve_bytes} are kept for consumers"
            )

    @property
    def is_short(self) -> bool:
        """Whether messages are about to be refused here."""
        return self._look() < _SHORT * self._reserve_bytes

    @property
    def is_roomy(self) -> bool:
        """Whether messages will be taken here for a good while."""
        return self._look() >= _ROOMY * self._reserve_bytes
