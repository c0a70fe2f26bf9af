"""Small files beside the log, whole at any moment: after a crash there is the old one or the new one, never a half."""

import os
from pathlib import Path

__all__ = ["sync_folder", "write_synced"]


def write_synced(file: Path, data: bytes) -> None:
    """Durable when this comes back. Raises: OSError; the old file is then still there."""
    half_made = file.with_name(file.name + ".new")  # a name that opening a data folder clears away
    try:
        with half_made.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        half_made.replace(file)
    except OSError:
        half_made.unlink(missing_ok=True)  # on a full disk its part would take the last space
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """The names in it. Where a folder cannot be synced (Windows), its file system writes them down by itself."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
