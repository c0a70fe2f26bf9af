"""The demo's folder: one demo at a time has it, and what an earlier one left there is ended before it is deleted."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mq.cli.demo_show import CLUSTER_FOLDER, DemoError, say
from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile, locked
from mq.cluster.local import LocalCluster

__all__ = ["DEFAULT_FOLDER", "FolderError", "own_folder"]

DEFAULT_FOLDER = Path(".mq") / "demo"
_MARKER = ".raftmq-demo"
"""A file that says: this folder was made by the demo, so the next one may clear it."""


class FolderError(DemoError):
    """The folder cannot be had: it is somebody else's, another demo is at work in it, or it cannot be cleared."""


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Inside, the folder is this demo's alone, and empty at first. Only what an earlier demo left is ended and deleted.

    Raises: FolderError.
    """
    with ExitStack() as held:
        try:
            _check(folder)
            whole = folder.resolve()  # by whatever name another demo calls it
            # Beside the folder: a lock in it would be gone for those who delete the folder while a demo runs, and start another.
            held.enter_context(locked(whole.parent, name=f"{whole.name}.lock", holder="demo", limit_s=0))
            _end_earlier(folder)
            _clear(folder)
        except ClusterError:
            wait = "wait until it is over, or give this one another folder with --dir"
            raise FolderError(f"--dir: another demo is at work in {folder}; {wait}") from None
        except OSError as error:
            # That a file stands where a folder should is said of a folder that is to be made as: it exists.
            why = os.strerror(errno.ENOTDIR) if isinstance(error, FileExistsError) else error.strerror
            raise FolderError(f"--dir: {error.filename or folder}: {why}") from None
        yield


def _check(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise FolderError(f"--dir: {folder} is a file, not a folder")
    is_ours = (folder / _MARKER).exists() or folder.resolve() == DEFAULT_FOLDER.resolve()
    if folder.exists() and not is_ours and any(folder.iterdir()):
        raise FolderError(f"--dir: {folder} is not empty and no earlier demo made it; give another folder, or empty it")


def _end_earlier(folder: Path) -> None:
    """End the nodes of a demo that was killed: they live in sessions of their own, and only the folder knows of them."""
    cluster = folder / CLUSTER_FOLDER
    if not ClusterFile.exists(cluster):
        return
    try:
        ended = LocalCluster(cluster).down()
    except ClusterError as error:
        raise FolderError(f"--dir: what an earlier demo started cannot be ended: {error}") from None
    if ended:
        say(f"0. an earlier demo was killed; what it left running, {ended} process(es), is ended")


def _clear(folder: Path) -> None:
    """Whoever is killed amid this leaves a folder that is the demo's still."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARKER).write_text("Made by `run.py demo`, which may delete all in this folder.\n", encoding="utf-8")
    for inner in folder.iterdir():
        if inner.name != _MARKER:
            shutil.rmtree(inner) if inner.is_dir() and not inner.is_symlink() else inner.unlink()
    (folder / "home").mkdir()
