"""The last of a disk's space belongs to consumers: to receive and to acknowledge needs a little of it, too.

RocketMQ: DefaultMessageStore, which refuses messages when a disk is nearly full.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from mq.core.errors import DiskFullError

__all__ = ["SpaceGuard"]

_LOOK_EVERY_S = 0.05


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class SpaceGuard:
    """Says when a data folder's disk is too full for more messages.

    reserve_bytes: what is kept free for everything else. free_bytes: how much is free where a folder is.
    """

    def __init__(self, folder: Path, *, reserve_bytes: int, free_bytes: Callable[[Path], int] = _free_bytes) -> None:
        self._folder, self._reserve_bytes, self._free_bytes = folder, reserve_bytes, free_bytes
        self._free, self._looked_s = 0, float("-inf")

    def check(self) -> None:
        """Looks a few times a second at most. Raises: DiskFullError."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= _LOOK_EVERY_S:
            self._free, self._looked_s = self._free_bytes(self._folder), now_s
        if self._free < self._reserve_bytes:
            raise DiskFullError(
                f"no space left for messages: {self._free} bytes are free where {self._folder} is, "
                f"the last {self._reserve_bytes} are kept for consumers"
            )
