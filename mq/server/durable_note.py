"""How far a node's log was durable, in a file of a few bytes beside it: `docs/decisions/019-a-note-of-what-was-durable.md`.

A log is opened with what is there, and what is not there leaves no trace in it. The node says to others what its log holds, and
must not forget that: so a log that ends before the note is a proof that something is lost, whatever the reason. A note that is
lower, missing or not readable proves nothing.

It is a map of memory: writing it is no system call, and what was written outlives the process. Only a power loss may bring back
an older one. That is lower, and harmless; for where entries are about to be superseded, the lower note is synced first.
"""

import logging
import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from struct import Struct
from zlib import crc32

from mq.core.errors import DiskError
from mq.core.ports import Disk, Read

__all__ = ["DURABLE_FILE", "DurableNote", "noted_index", "proves_loss"]

DURABLE_FILE = "durable"
"""In the data folder."""
_MAGIC = b"MQDN"
_BODY, _SUM = Struct("<4sQ"), Struct("<I")
_SIZE_BYTES = _BODY.size + _SUM.size
_LOG = "log/"
_log = logging.getLogger(__name__)


def noted_index(disk: Disk) -> int | None:
    """What the note in a data folder says; None when there is none, or none that can be read."""
    return _index_in(disk.read(Read(DURABLE_FILE, 0, _SIZE_BYTES + 1)))


def proves_loss(disk: Disk, files: Mapping[str, int], last_index: int) -> int | None:
    """Up to where this log was durable, when it ends before that now.

    Never of a folder without a log: whoever took that away by hand knows it. Others are asked then what the node had promised.
    """
    noted = noted_index(disk)
    if noted is None or noted <= last_index or not any(file.startswith(_LOG) for file in files):
        return None
    return noted


def _index_in(data: bytes) -> int | None:
    if len(data) != _SIZE_BYTES or _SUM.unpack_from(data, _BODY.size)[0] != crc32(data[: _BODY.size]):
        return None
    magic, index = _BODY.unpack_from(data)
    return int(index) if magic == _MAGIC else None


def _as_bytes(index: int) -> bytes:
    body = _BODY.pack(_MAGIC, index)
    return body + _SUM.pack(crc32(body))


class DurableNote:
    """The note of a log that is open. index: what it says.

    A folder in which nothing can be mapped is worked in without one.
    """

    def __init__(self, folder: Path, index: int) -> None:
        self.index = index
        self._file = folder / DURABLE_FILE
        self._map: mmap.mmap | None = None
        try:
            self._map = _mapped(self._file)
            before = _index_in(self._map[:])
            self._map[:] = _as_bytes(index)
            if before is not None and before > index:
                self._map.flush()
        except (OSError, ValueError) as error:
            self.close()
            self._do_without(error)

    def _do_without(self, error: Exception) -> None:
        """An old note must not stay: it would be taken for true."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as trouble:
            raise DiskError(f"{self._file} can neither be written nor removed: {trouble.strerror}") from trouble
        _log.warning("%s cannot be kept, a log that forgets its end will not be noticed: %s", self._file, error)

    def raise_to(self, index: int) -> None:
        """The log says that so much is durable."""
        if index > self.index and self._map is not None:
            self._map[:] = _as_bytes(index)
            self.index = index

    def lower_to(self, index: int) -> None:
        """What is behind this is about to be superseded. Durable when it comes back, if there was more. Raises: DiskError."""
        if index < self.index and self._map is not None:
            self._map[:] = _as_bytes(index)
            self.index = index
            try:
                self._map.flush()
            except OSError as error:
                raise DiskError(f"sync of {self._file}: {error.strerror}") from error

    def close(self) -> None:
        """It stays as it is."""
        if self._map is not None:
            self._map.close()
            self._map = None


def _mapped(file: Path) -> mmap.mmap:
    """All of the file, made if need be. Its bytes are written first, so that none of them needs room on the disk later."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0), 0o644)
    try:
        if os.fstat(descriptor).st_size != _SIZE_BYTES:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, bytes(_SIZE_BYTES))
        return mmap.mmap(descriptor, _SIZE_BYTES)
    finally:
        os.close(descriptor)
