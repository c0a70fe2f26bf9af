"""What an `up` that failed takes back: a cluster that was not there before, or what it changed of one that was.

Logs stay, since they say why, and so does the lock, on which others may wait. And so does a new cluster that had a leader before
it failed: somebody may know its ports, and have something stored.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from mq.cluster.errors import ClusterError
from mq.cluster.files import CLUSTER, CUTS, DATA, FAULTS, LOGS, PIDS, SECRET, TRACES, ClusterFile

__all__ = ["Before", "lines_left"]

_MADE = (PIDS, FAULTS, TRACES, CUTS, SECRET, CLUSTER)
"""What makes a cluster of a folder comes last: as long as it is there, what is stored belongs to it."""


class Before:
    """How a folder is before `up`. cluster: what is in it; None when there is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.cluster = ClusterFile.read(folder) if ClusterFile.exists(folder) else None
        self._were = set(folder.glob("*")) | set((folder / DATA).glob("*"))

    def take_back(self, *, has_led: bool, also: Callable[[], None] = lambda: None) -> None:
        """Let the folder be as it was, when nothing runs in it any more. What cannot be taken back stays.

        has_led: whether there was a leader. also: takes away what a new cluster has outside of its folder.
        """
        if self.cluster is not None:
            with suppress(ClusterError):
                self.cluster.write()
            return
        if has_led:
            return
        with suppress(ClusterError):
            also()
        for one in (*(self._folder / DATA).glob("*"), *(self._folder / name for name in _MADE)):
            if one not in self._were:
                _remove(one)
        with suppress(OSError):  # there is something in it
            (self._folder / DATA).rmdir()


def lines_left(folder: Path, name: str) -> Iterator[str]:
    """What a node, or the proxy, said in an `up` that failed and left no cluster. Raises: ClusterError."""
    found = {file.stem: file for file in sorted((folder / LOGS).glob("*.log"))}
    if name not in found:
        raise ClusterError(f"there is no cluster in {folder}, and no log of {name!r}; there are {', '.join(found)}")
    with found[name].open(encoding="utf-8", errors="replace") as handle:
        yield from handle


def _remove(one: Path) -> None:
    if one.is_dir() and not one.is_symlink():
        shutil.rmtree(one, ignore_errors=True)
    else:
        with suppress(OSError):
            one.unlink()
