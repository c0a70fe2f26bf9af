"""Ends a lesson's cluster for sure: a process of its own that waits until the lesson lets go of it, or its kernel is gone.

    python -m lessons.cluster_guard FOLDER        a folder that is not there yet

It alone ends clusters, so that a Ctrl-C, or a kernel that is killed, comes between nothing: it has a session of its own, and
its standard input ends when the kernel does.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from lessons.showing import ROOT
from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile, locked
from mq.cluster.opening import cluster_in

__all__ = ["Guard", "end_left_behind"]

_HERE = b"here\n"
_END_S_MAX = 120.0


def _lock_of(folder: Path) -> str:
    return f"{folder.name}.lock"


def _said_of(folder: Path) -> Path:
    """What its guard has to say."""
    return folder.parent / f"{folder.name}.said"


def _end(folder: Path) -> int:
    """End what runs there, and delete the folder; how many nodes ran. Raises: ClusterError."""
    ended = 0
    if ClusterFile.exists(folder):
        cluster = cluster_in(folder)
        ended = sum(node.state != "stopped" for node in cluster.status().nodes)
        cluster.remove()
    shutil.rmtree(folder, ignore_errors=True)
    (folder.parent / _lock_of(folder)).unlink(missing_ok=True)
    return ended


def end_left_behind(top: Path) -> int:
    """End the clusters below `top` that nobody guards any more; how many nodes still ran. Raises: ClusterError."""
    return sum(_end(folder) for folder in sorted(top.glob("cluster-*/")) if not _is_guarded(folder))


def _is_guarded(folder: Path) -> bool:
    try:
        with locked(folder.parent, name=_lock_of(folder), limit_s=0):
            return False
    except ClusterError:
        return True


class Guard:
    """Of one folder, which it makes. Begins at once. Raises: ClusterError."""

    def __init__(self, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._said = _said_of(folder).open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lessons.cluster_guard", str(folder)], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._said, start_new_session=os.name == "posix",
        )  # fmt: skip
        assert self._process.stdout is not None
        if self._process.stdout.readline() != _HERE:
            self._process.communicate()
            raise ClusterError(f"nobody would end the cluster: {self._last_words()}")

    def let_go(self) -> None:
        """It ends the cluster now; returns when that is done. It goes on when that is interrupted. Raises: ClusterError."""
        try:
            self._process.communicate(timeout=_END_S_MAX)
        except subprocess.TimeoutExpired:
            raise ClusterError(f"the cluster takes more than {_END_S_MAX:g} s to end") from None
        if self._process.returncode:
            raise ClusterError(f"the cluster could not be ended: {self._last_words()}")
        self._said.close()
        Path(self._said.name).unlink(missing_ok=True)

    def _last_words(self) -> str:
        self._said.seek(0)
        words = self._said.read().decode("utf-8", "replace").strip()[-500:]
        self._said.close()
        return words


def main() -> int:
    """Returns 0 when all is ended."""
    folder = Path(sys.argv[1])
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    with locked(folder.parent, name=_lock_of(folder), holder="lesson", limit_s=0):
        folder.mkdir()  # only now: nobody finds it without its guard
        sys.stdout.buffer.write(_HERE)
        sys.stdout.flush()
        sys.stdin.buffer.read()
        try:
            _end(folder)
        except ClusterError as error:
            print(error, file=sys.stderr)
            return 1
    with suppress(OSError):  # there are systems on which nobody can delete what is open
        _said_of(folder).unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
