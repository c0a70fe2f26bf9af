"""Small files beside the log, whole at any moment: after a crash there is the old one or the new one, never a half."""

import os
from pathlib import Path

__all__ = ["HALF_MADE", "replace_whole", "sync_folder", "write_synced"]

HALF_MADE = ".new"
"""How the names of files end that are being made; opening a data folder clears them away."""


def write_synced(file: Path, data: bytes) -> None:
    """Durable when this comes back. Raises: OSError; the old file is then still there."""
    replace_whole(file, data)
    sync_folder(file.parent)


def replace_whole(file: Path, data: bytes) -> None:
    """Synced, but for its name: that is in the folder. Raises: OSError; the old file is then still there."""
    half_made = file.with_name(file.name + HALF_MADE)
    try:
        with half_made.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        half_made.replace(file)
    except OSError:
        half_made.unlink(missing_ok=True)  # on a full disk its part would take the last space
        raise


def sync_folder(folder: Path) -> None:
    """The names in it. Where a folder cannot be synced (Windows), its file system writes them down by itself."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
