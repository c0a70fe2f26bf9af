"""Faults on demand, for tests with real processes: a disk that fills up, fails or is slow, and a machine's clock that is set.

A node that was started with `MQ_FAULTS=FOLDER` in its environment looks into `FOLDER/<group>-<node>.json`, again and again: what
stands there is wrong with its machine now. No user needs this; without the variable nothing of it is in the way.
"""

import errno
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mq.core.errors import DiskError, DiskFullError
from mq.core.ports import Create, Operation, Replace, Sync, Write
from mq.server.disk import FileDisk
from mq.server.page_cache import PageCache
from mq.server.space import free_bytes_at

__all__ = ["ENVIRONMENT_NAME", "FaultFile", "Faults", "FaultyDisk", "fault_file_of"]

ENVIRONMENT_NAME = "MQ_FAULTS"
_LOOK_EVERY_S = 0.05
_BAD_MOMENT_S_MAX = 0.25
"""So long a power cut waits for the worst moment."""
_LEFT_S = 0.002
_LOG = "log/"
"""What a node promises rests on that alone; other files may stay without a sync."""
_CUT_STATUS = 137
"""As after SIGKILL. It is no signal, since the first process of a container cannot send itself one."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Faults:
    """is_full: no file can be made or grow, and nothing is said to be free. slow_ms: each sync takes so much longer.

    is_sync_failing: a sync fails, and what it was for is lost, or a part of it. wall_shift_ms: the machine's wall clock was set
    by so much. is_power_cut: the process ends at once, and what was not synced is lost, or a part of it. seed: of which part.
    """

    is_full: bool = False
    is_sync_failing: bool = False
    slow_ms: int = 0
    wall_shift_ms: int = 0
    is_power_cut: bool = False
    seed: int = 0


class FaultFile:
    """What stands in a file now. One that is not there says that all is well; one that cannot be read changes nothing."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._seen = (0, 0)
        self._faults = Faults()
        self._is_told = False

    def now(self) -> Faults:
        """As the file is now; it is read again when it has changed. The log says, once, that it cannot be read."""
        try:
            status = self.file.stat()
            seen = (status.st_mtime_ns, status.st_ino)
            if seen != self._seen:
                self._faults, self._seen = Faults(**json.loads(self.file.read_text(encoding="utf-8"))), seen
            self._is_told = False
        except FileNotFoundError:
            self._faults, self._seen, self._is_told = Faults(), (0, 0), False
        except (OSError, ValueError, TypeError) as error:
            if not self._is_told:  # whoever asked for a fault takes it for one that happens
                self._is_told = True
                _log.warning("%s cannot be read, so this node goes by what stood there before: %s", self.file, error)
        return self._faults

    def free_bytes(self, folder: Path) -> int:
        """What is free where a folder is."""
        return 0 if self.now().is_full else free_bytes_at(folder)

    def wall_ms(self) -> int:
        """The machine's wall clock: Unix time in ms."""
        return time.time_ns() // 1_000_000 + self.now().wall_shift_ms


class FaultyDisk(FileDisk):
    """A disk on which these faults are there.

    Its power is cut in a bad moment: when somebody goes on with the log without having synced what stands there already; else
    right before a sync, when what was written for it is in danger; or soon, where nobody writes. So no sync that came back is
    ever undone, and whatever is called durable without one is. end: ends the process, with this exit status.
    """

    def __init__(self, folder: Path, faults: FaultFile, end: Callable[[int], object] = os._exit) -> None:
        super().__init__(folder)
        self._faults, self._end = faults, end
        self._never, self._is_over = threading.Event(), threading.Event()
        self._cache = PageCache(folder)
        self._is_synced = False
        self._cut_since_s: float | None = None
        self._one_at_a_time = threading.Lock()
        self._watch = threading.Thread(target=self._watch_power, name="power", daemon=True)
        self._watch.start()

    def close(self) -> None:
        """See `FileDisk`."""
        self._is_over.set()
        self._watch.join()
        super().close()

    def perform(self, operation: Operation) -> None:
        """See `FileDisk`."""
        now = self._faults.now()
        if now.is_full and self._takes_space(operation):
            raise DiskFullError(f"{_what(operation)} in {self.folder}: {os.strerror(errno.ENOSPC)} (asked for)")
        if isinstance(operation, Sync) and now.slow_ms and not now.is_sync_failing:
            self._never.wait(now.slow_ms / 1000)
        with self._one_at_a_time:
            if now.is_power_cut and self._is_bad_moment(operation):
                self._lose_power(now)
            if self._is_over.is_set():
                raise DiskError(f"{_what(operation)} in {self.folder}: the power is cut (asked for)")
            if isinstance(operation, Sync) and now.is_sync_failing:
                lost = self._cache.lose(now.seed, operation.file)
                _log.warning("the sync of %s fails (asked for): %s", operation.file, lost)
                raise DiskError(f"{_what(operation)} in {self.folder}: {os.strerror(errno.EIO)} (asked for)")
            if isinstance(operation, Write):
                self._cache.will_write(operation)
            self._is_synced = False
            super().perform(operation)
            if not self._is_synced:
                self._cache.is_done_unsynced(operation)

    def _sync_data(self, file: str, descriptor: int) -> None:
        super()._sync_data(file, descriptor)
        self._was_synced(file)

    def _sync_new(self, file: str, descriptor: int) -> None:
        super()._sync_new(file, descriptor)
        self._was_synced(file)

    def _replace_synced(self, file: str, data: bytes) -> None:
        super()._replace_synced(file, data)
        self._was_synced(file)

    def _was_synced(self, file: str) -> None:
        """Of the operation's one file: an operation that only says so is not believed."""
        self._cache.is_synced(file)
        self._is_synced = True

    def _watch_power(self) -> None:
        while not self._is_over.wait(_LOOK_EVERY_S):
            now = self._faults.now()
            with self._one_at_a_time:
                if now.is_power_cut and self._asked_for_s() >= 2 * _BAD_MOMENT_S_MAX:
                    self._lose_power(now)

    def _asked_for_s(self) -> float:
        """For how long the power was to be cut already."""
        now_s = time.monotonic()
        if self._cut_since_s is None:
            self._cut_since_s = now_s
        return now_s - self._cut_since_s

    def _is_bad_moment(self, operation: Operation) -> bool:
        for_s = self._asked_for_s()
        if isinstance(operation, Write):  # a plan's own writes follow each other at once
            return operation.file.startswith(_LOG) and self._cache.is_left(operation.file, _LEFT_S)
        return isinstance(operation, Sync) and for_s >= _BAD_MOMENT_S_MAX

    def _lose_power(self, now: Faults) -> None:
        """Does not come back where the process ends; elsewhere the disk does nothing any more."""
        if self._is_over.is_set():
            return
        _log.warning("the power is cut (asked for): %s", self._cache.lose(now.seed))
        self._end(_CUT_STATUS)
        self._is_over.set()

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
    """Where this node finds what is wrong with its machine; None when nobody wants to know.

    Raises: DiskError when it may not look there: it would play none of the faults that others say it has.
    """
    folder = environment.get(ENVIRONMENT_NAME)
    if not folder:
        return None
    file = Path(folder) / f"{name}-{node}.json"
    try:
        with suppress(FileNotFoundError):  # no fault yet
            file.open("rb").close()
    except OSError as error:
        raise DiskError(f"{ENVIRONMENT_NAME}: {file} cannot be read: {error.strerror}") from error
    return FaultFile(file)
