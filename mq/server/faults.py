"""Faults on demand, for tests with real processes: a disk that fills up, fails or is slow, and a machine's clock that is set.

A node that was started with `MQ_FAULTS=FOLDER` in its environment looks into `FOLDER/<group>-<node>.json`, again and again: what
stands there is wrong with its machine now. No user needs this; without the variable nothing of it is in the way.
"""

import errno
import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mq.core.errors import DiskError, DiskFullError
from mq.core.ports import Create, Operation, Replace, Sync, Write
from mq.server.disk import FileDisk
from mq.server.space import free_bytes_at

__all__ = ["ENVIRONMENT_NAME", "FaultFile", "Faults", "FaultyDisk", "fault_file_of"]

ENVIRONMENT_NAME = "MQ_FAULTS"


@dataclass(frozen=True, slots=True)
class Faults:
    """is_full: no file can be made or grow, and nothing is said to be free. slow_ms: each sync takes so much longer.

    is_sync_failing: a sync fails, and what it was for may be lost. wall_shift_ms: the machine's wall clock was set by so much.
    """

    is_full: bool = False
    is_sync_failing: bool = False
    slow_ms: int = 0
    wall_shift_ms: int = 0


class FaultFile:
    """What stands in a file now; a file that is not there, or not whole, says that all is well."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._seen = (0, 0)
        self._faults = Faults()

    def now(self) -> Faults:
        """As the file is now; it is read again when it has changed."""
        try:
            status = self.file.stat()
            seen = (status.st_mtime_ns, status.st_ino)
            if seen != self._seen:
                self._faults, self._seen = Faults(**json.loads(self.file.read_text(encoding="utf-8"))), seen
        except FileNotFoundError:
            self._faults, self._seen = Faults(), (0, 0)
        except (OSError, ValueError, TypeError):
            return self._faults
        return self._faults

    def free_bytes(self, folder: Path) -> int:
        """What is free where a folder is."""
        return 0 if self.now().is_full else free_bytes_at(folder)

    def wall_ms(self) -> int:
        """The machine's wall clock: Unix time in ms."""
        return time.time_ns() // 1_000_000 + self.now().wall_shift_ms


class FaultyDisk(FileDisk):
    """A disk on which these faults are there."""

    def __init__(self, folder: Path, faults: FaultFile) -> None:
        super().__init__(folder)
        self._faults = faults
        self._never = threading.Event()

    def perform(self, operation: Operation) -> None:
        """See `FileDisk`."""
        now = self._faults.now()
        if now.is_full and self._takes_space(operation):
            raise DiskFullError(f"{_what(operation)} in {self.folder}: {os.strerror(errno.ENOSPC)} (asked for)")
        if isinstance(operation, Sync):
            if now.is_sync_failing:
                raise DiskError(f"{_what(operation)} in {self.folder}: {os.strerror(errno.EIO)} (asked for)")
            if now.slow_ms:
                self._never.wait(now.slow_ms / 1000)
        super().perform(operation)

    def _takes_space(self, operation: Operation) -> bool:
        match operation:
            case Create() | Replace():
                return True
            case Write(file, at, data):
                path = self.folder / file
                return at + len(data) > (path.stat().st_size if path.exists() else 0)
        return False


def _what(operation: Operation) -> str:
    return f"{type(operation).__name__.lower()} of {operation.file}"


def fault_file_of(name: str, node: int, environment: Mapping[str, str]) -> FaultFile | None:
    """Where this node finds what is wrong with its machine; None when nobody wants to know."""
    folder = environment.get(ENVIRONMENT_NAME)
    return FaultFile(Path(folder) / f"{name}-{node}.json") if folder else None
