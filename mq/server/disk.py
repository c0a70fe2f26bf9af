"""The real disk: the twin of `mq.sim.disk.SimDisk`.

File names are those of `mq.core.ports`, below one data folder. One process owns a folder at a time.
"""

import errno
import os
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import IO

from mq.core.errors import DiskError, DiskFullError
from mq.core.ports import Create, Operation, Read, Remove, Replace, Sync, Write
from mq.server.synced import HALF_MADE, replace_whole, sync_folder

__all__ = ["FileDisk", "FolderInUseError", "WouldBlockError"]

_NO_WAIT = getattr(os, "RWF_NOWAIT", 0) if hasattr(os, "preadv") else 0
_SYNC_DATA = getattr(os, "fdatasync", os.fsync)
_OPEN_FILES_MAX = 256
_NOTHING_BEGUN = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
"""No space, or no descriptor for one more file: the operation did not even begin, and may be repeated later."""


class FolderInUseError(DiskError):
    """Another process works in this data folder."""

    definite = True


class WouldBlockError(Exception):
    """The bytes are not in memory; reading them would hold up the caller."""


class FileDisk:
    """A folder of files.

    `perform` belongs to one thread (the storage lane), `read_now` to another (the event loop); `read` may be
    called from any. Each side has open files of its own, so that neither closes one under the other's feet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        self._writing: dict[str, int] = {}
        self._reading: dict[str, int] = {}
        self._outdated: deque[str] = deque()
        self._durable_files: set[str] = set()
        self._durable_names: set[Path] = set()
        """Files and folders whose names surely outlive a power loss."""
        self.sync_count = 0

    def _take_lock(self) -> IO[str]:
        handle = (self.folder / "LOCK").open("a+")
        try:
            if os.name == "nt":
                import msvcrt  # noqa: PLC0415 - exists on Windows only

                msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            else:
                import fcntl  # noqa: PLC0415 - does not exist on Windows

                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            owner = handle.read().strip() or "unknown"
            handle.close()
            raise FolderInUseError(
                f"data folder {self.folder} is in use by process {owner}; stop it, or give another --data"
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        return handle

    def close(self) -> None:
        """Close all files and give the folder free."""
        for table in (self._writing, self._reading):
            for descriptor in table.values():
                os.close(descriptor)
            table.clear()
        self._lock.close()

    def _open(self, table: dict[str, int], file: str, flags: int) -> int:
        """The open file of a table; the one that was opened first is closed when there are too many."""
        descriptor = table.get(file)
        if descriptor is None:
            flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
            descriptor = os.open(self.folder / file, flags, 0o644)
            if len(table) >= _OPEN_FILES_MAX:
                os.close(table.pop(next(iter(table))))
            table[file] = descriptor
        return descriptor

    def _descriptor(self, file: str) -> int:
        """The file for writing, made if need be."""
        if file not in self._writing:
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
        return self._open(self._writing, file, os.O_RDWR | os.O_CREAT)

    def _sync_names(self, file: str) -> None:
        """Make the name of a file durable, and those of the folders that it is in.

        Once in the life of a process also where they were there before: an earlier one may have been killed in between.
        """
        if file in self._durable_files:  # asked with every sync; a path costs more than the rest of it
            return
        path = self.folder / file
        while path != self.folder and path not in self._durable_names:
            self._sync_folder(path.parent)
            self._durable_names.add(path)
            path = path.parent
        self._durable_files.add(file)

    def perform(self, operation: Operation) -> None:
        """Carry out one operation.

        Raises: DiskFullError, DiskError.
        """
        try:
            match operation:
                case Write(file, at, data):
                    self._write(file, at, data)
                case Sync(file):
                    self.sync_count += 1
                    self._sync(file)
                case Create(file, size_bytes):
                    self._create(file, size_bytes)
                case Replace(file, data):
                    self._replace(file, data)
                case Remove(file):
                    self._remove(file)
        except OSError as error:
            # A sync that finds no space has begun: some of what it was to make durable may be so.
            is_full = error.errno in _NOTHING_BEGUN and not isinstance(operation, Sync)
            kind = DiskFullError if is_full else DiskError
            raise kind(f"{type(operation).__name__.lower()} of {operation.file} in {self.folder}: {error.strerror}") from error

    # --- what asks the system itself, and nothing else: where a disk's faults are played, these tell what is really durable

    def _sync_data(self, _file: str, descriptor: int) -> None:
        """Its bytes, and its size if that is another one."""
        _SYNC_DATA(descriptor)

    def _sync_new(self, _file: str, descriptor: int) -> None:
        """All of a file that was just made."""
        os.fsync(descriptor)

    def _replace_synced(self, file: str, data: bytes) -> None:
        """The file as a whole, but for its name."""
        replace_whole(self.folder / file, data)

    # --- what operations are made of

    def _sync(self, file: str) -> None:
        self._sync_data(file, self._descriptor(file))
        self._sync_names(file)

    def _write(self, file: str, at: int, data: bytes) -> None:
        descriptor, view = self._descriptor(file), memoryview(data)
        while view:
            done = os.pwrite(descriptor, view, at)
            at, view = at + done, view[done:]

    def _create(self, file: str, size_bytes: int) -> None:
        self._forget(file)
        path = self.folder / file
        path.unlink(missing_ok=True)
        descriptor = self._descriptor(file)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, size_bytes)
            else:
                os.ftruncate(descriptor, size_bytes)
        except OSError:
            self._forget(file)
            path.unlink(missing_ok=True)
            raise
        self._sync_new(file, descriptor)
        self._sync_names(file)

    def _replace(self, file: str, data: bytes) -> None:
        self._forget(file)
        (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
        self._replace_synced(file, data)
        self._sync_names(file)

    def _remove(self, file: str) -> None:
        """Durably, also where an earlier try had no time for that."""
        self._forget(file)
        path = self.folder / file
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            self._sync_folder(path.parent)

    def _sync_folder(self, folder: Path) -> None:
        sync_folder(folder)

    def _forget(self, file: str) -> None:
        """The file is about to be another one or none."""
        self._outdated.append(file)
        self._durable_files.discard(file)
        self._durable_names.discard(self.folder / file)
        descriptor = self._writing.pop(file, None)
        if descriptor is not None:
            os.close(descriptor)

    def read(self, read: Read) -> bytes:
        """The bytes asked for; fewer at the end of the file, none for a missing file. Raises: DiskError."""
        try:
            descriptor = os.open(self.folder / read.file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            try:
                return os.pread(descriptor, read.size_bytes, read.at)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise DiskError(f"read of {read.file} in {self.folder}: {error.strerror}") from error

    def read_now(self, read: Read) -> bytes:
        """Like `read`, but only what the operating system holds in memory, so that it takes microseconds.

        Raises: WouldBlockError when it does not; DiskError.
        """
        while self._outdated:
            descriptor = self._reading.pop(self._outdated.popleft(), None)
            if descriptor is not None:
                os.close(descriptor)
        if not _NO_WAIT:
            return self.read(read)
        try:
            descriptor = self._open(self._reading, read.file, os.O_RDONLY)
            buffer = bytearray(read.size_bytes)
            done = os.preadv(descriptor, [buffer], read.at, _NO_WAIT)
        except FileNotFoundError:
            return b""
        except BlockingIOError:
            raise WouldBlockError from None
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
                return self.read(read)
            raise DiskError(f"read of {read.file} in {self.folder}: {error.strerror}") from error
        if 0 < done < read.size_bytes:
            # Either the file ends here or the rest is not in memory: only a waiting read can tell.
            raise WouldBlockError
        return bytes(buffer) if done else b""

    def remove_half_made(self) -> None:
        """Remove what a crash left of files that were being replaced."""
        for path in self.folder.rglob(f"*{HALF_MADE}"):
            path.unlink(missing_ok=True)

    def files(self) -> Mapping[str, int]:
        """All files with their sizes; the lock and half-made replacements are not among them."""
        found = {}
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if name != "LOCK" and not name.endswith(HALF_MADE):
                with suppress(FileNotFoundError):  # the lane removes files meanwhile
                    status = path.stat()
                    if S_ISREG(status.st_mode):
                        found[name] = status.st_size
        return found
