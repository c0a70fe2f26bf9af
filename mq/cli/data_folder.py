"""A stopped broker's data folder, opened for reading alone: nothing is repaired, nothing is written."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mq.core.errors import IllegalArgumentError, StateError
from mq.core.ports import Operation, Read
from mq.server.disk import FolderInUseError

if TYPE_CHECKING:
    from mq.broker.store.commit_log import Damage, TornTail

__all__ = ["ReadOnlyFolder", "describe_damage", "describe_torn", "locked_folder"]


def describe_torn(torn: "TornTail") -> str:
    """A torn write at the log's end, in a sentence."""
    size = f"{torn.size_bytes} bytes that were never synced"
    return f"torn write at the log's end: {torn.file}, byte {torn.at}: {torn.reason}; the next start cuts {size}"


def describe_damage(damage: "Damage") -> str:
    """A damaged place, in a sentence."""
    rest = "nothing readable follows" if damage.resumes_at is None else f"readable again from position {damage.resumes_at}"
    return (
        f"damage: {damage.file}, byte {damage.at}: {damage.reason}; entries from index {damage.first_index} are affected, {rest}"
    )


@dataclass(frozen=True)
class ReadOnlyFolder:
    """The reading half of `mq.server.disk.FileDisk`."""

    folder: Path

    def perform(self, operation: Operation) -> None:
        """Refuses. Raises: StateError."""
        raise StateError(f"{type(operation).__name__} of {operation.file}: this folder is open for reading alone")

    def read(self, read: Read) -> bytes:
        """The bytes asked for; fewer at the end of the file, none for a missing file."""
        try:
            with (self.folder / read.file).open("rb") as handle:
                handle.seek(read.at)
                return handle.read(read.size_bytes)
        except FileNotFoundError:
            return b""

    def files(self) -> Mapping[str, int]:
        """All files with their sizes; the lock and half-made replacements are not among them."""
        found = {}
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and name != "LOCK" and not name.endswith(".new"):
                found[name] = path.stat().st_size
        return found


@contextmanager
def locked_folder(folder: Path) -> Iterator[ReadOnlyFolder]:
    """A data folder that no broker works in meanwhile.

    Raises: IllegalArgumentError when there is none; FolderInUseError when a broker works in it.
    """
    if folder.exists() and not folder.is_dir():
        raise IllegalArgumentError(f"data: {folder} is a file, not a folder")
    if not folder.is_dir():
        raise IllegalArgumentError(f"data: there is no folder {folder}")
    lock = folder / "LOCK"
    if os.name == "nt" or not lock.exists():
        # Without a lock file no broker ever began here: it is a copy, or empty.
        yield ReadOnlyFolder(folder)
        return
    import fcntl  # noqa: PLC0415 - does not exist on Windows

    with lock.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            owner = handle.read().strip() or "unknown"
            raise FolderInUseError(
                f"data folder {folder} is in use by process {owner}; stop it first, or look at a copy"
            ) from None
        yield ReadOnlyFolder(folder)
