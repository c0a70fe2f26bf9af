"""Orphans: what a worker started and left behind, in a session of its own and with no mark among its variables.

On Linux a process can ask to become the parent of all such below it: it is their *subreaper*. So the grader does, while it
grades; it then finds them among its children, and ends them. Told from children that somebody else here started (a broker
beside a notebook, an engine's client) they are by the limits of workers: those are handed on to whatever a worker starts, and
nobody but root can raise them again. Other children are never touched.

It holds on Linux with /proc. It does not hold for a submission that runs as root and raises its limits, for one that kills the
grader, nor for a process that goes on splitting itself faster than it is looked for: that is for containers.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

__all__ = ["adopting", "end_orphans", "orphans"]

_SET_SUBREAPER, _GET_SUBREAPER = 36, 37
"""Of prctl(2)."""
_TOLD_BY = {"CPU": "Max cpu time", "FSIZE": "Max file size", "NOFILE": "Max open files"}
"""The limits by which a worker's are known, as /proc calls them."""
_SECONDS_MAX = 2.0
_LOOK_EVERY_S = 0.001

_lock = threading.Lock()
_graders = 0
_before = 0


@contextlib.contextmanager
def adopting(limits: Mapping[str, int]) -> Iterator[None]:
    """Meanwhile orphans of workers come to this process; at the end they are ended, and all is as it was.

    limits: those of workers. Several may do so at a time, one within the other or beside it.
    """
    _begin()
    try:
        yield
    finally:
        try:
            end_orphans(limits)
        finally:
            _end()


def _begin() -> None:
    global _graders, _before  # noqa: PLW0603 - it is a property of the process
    with _lock:
        if not _graders:
            _before = _subreaper(None)
            _subreaper(1)
        _graders += 1


def _end() -> None:
    global _graders  # noqa: PLW0603 - as above
    with _lock:
        _graders -= 1
        if not _graders:
            _subreaper(_before)


def _subreaper(wanted: int | None) -> int:
    """Set it, or with None say what it is. Where there is no such thing it is 0, and stays so."""
    if not Path("/proc/self/stat").exists():
        return 0
    try:
        import ctypes  # noqa: PLC0415 - not in every Python

        library = ctypes.CDLL(None)
        if wanted is not None:
            library.prctl(_SET_SUBREAPER, ctypes.c_ulong(wanted), *(ctypes.c_ulong(0),) * 3)
            return wanted
        found = ctypes.c_int(0)
        library.prctl(_GET_SUBREAPER, ctypes.byref(found), *(ctypes.c_ulong(0),) * 3)
    except (ImportError, OSError, AttributeError):
        return 0
    return found.value


def end_orphans(limits: Mapping[str, int], spared: Collection[int] = ()) -> None:
    """End what workers left behind, and what that leaves behind in its turn. spared: the workers that go on.

    Nothing is ended by who is not `adopting`.
    """
    deadline = time.monotonic() + _SECONDS_MAX
    while _graders and (found := orphans(limits) - {*spared}) and time.monotonic() < deadline:
        for pid in found:  # our own children until they are waited for: nobody else can have that number by now
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            _wait_for(pid, deadline)


def _wait_for(pid: int, deadline: float) -> None:
    """Once it is gone its own children are ours."""
    with contextlib.suppress(OSError):  # somebody else of us has waited for it
        while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)


def orphans(limits: Mapping[str, int]) -> set[int]:
    """Children of this process that are held to the limits of workers, the workers themselves among them."""
    told = {_TOLD_BY[name]: value for name, value in limits.items() if name in _TOLD_BY}
    if not told or _is_held(os.getpid(), told):  # then all children are, and nothing can be told
        return set()
    return {pid for pid in _children() if _is_held(pid, told)}


def _children() -> Iterator[int]:
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - names alone
    except OSError:
        return
    us = str(os.getpid())
    for name in names:
        if name.isdecimal():
            with contextlib.suppress(OSError, IndexError):  # it is gone
                # Behind the last bracket, for a program may be called by any name: its state, and its parent.
                if Path(f"/proc/{name}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1] == us:
                    yield int(name)


def _is_held(pid: int, told: Mapping[str, int]) -> bool:
    """Whether the process may not have more than that of any of these."""
    try:
        lines = Path(f"/proc/{pid}/limits").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    hard = {name: line[len(name) :].split()[1] for line in lines for name in told if line.startswith(name)}
    return hard.keys() == told.keys() and all(hard[name].isdecimal() and int(hard[name]) <= value for name, value in told.items())
