"""The processes that grade the submissions of a class, one each: started, heard, and stopped with all that they started.

What one of them found comes back on its standard output, which nothing of a student's holds. The files that it writes are for
people: what a submission left behind may have written into them.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

from labs.grader.box import ROOT

__all__ = ["Graders", "Heard"]

_SECONDS_MAX = 3600.0
_END_SECONDS_MAX = 20.0
"""To end its workers, and itself. In containers that takes some."""
_TOLD_MAX = 200
_STDERR_BYTES_MAX = 4096


class Heard(NamedTuple):
    """found: the grade as data, {} when there is none; then reason says why."""

    found: dict[str, Any]
    reason: str


class Graders:
    """All that run now."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._is_stopped = False

    def ask(self, wanted: Mapping[str, object]) -> Heard:
        """Grade one in a process of its own, to its end. wanted: see `labs.grader.one`. Raises: OSError."""
        command = [sys.executable, "-m", "labs.grader.one"]
        with (
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(  # noqa: S603 - our own program
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
            ) as process,
        ):
            with self._lock:
                self._running.add(process)
                is_stopped = self._is_stopped
            timer = threading.Timer(_SECONDS_MAX, _end, (process,))
            try:
                if is_stopped:
                    _end(process)
                timer.start()
                said = _said(process, json.dumps(wanted).encode() + b"\n")
                status = process.wait()
            finally:
                timer.cancel()
                with self._lock:
                    self._running.discard(process)
            return _heard(said, status, complaints)

    def stop(self) -> None:
        """All of them, and none begins after this."""
        with self._lock:
            self._is_stopped = True
            running = tuple(self._running)
        for process in running:
            _close(process)
        for process in running:
            _end(process)


def _said(process: "subprocess.Popen[bytes]", wanted: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError, ValueError):  # it has ended, or is being stopped
        process.stdin.write(wanted)
        process.stdin.flush()  # it stays open: the grader ends with us
    return process.stdout.read()


def _heard(said: bytes, status: int, complaints: IO[bytes]) -> Heard:
    if status == 0:
        try:
            found = json.loads(said.strip().rpartition(b"\n")[2])
        except ValueError:
            found = None
        return Heard(found, "") if isinstance(found, dict) else Heard({}, "the grader ended without a result")
    complaints.seek(max(0, complaints.seek(0, 2) - _STDERR_BYTES_MAX))
    last = complaints.read().decode("utf-8", "replace").strip().rpartition("\n")[2][:_TOLD_MAX]
    return Heard({}, f"the grader ended with {status}{': ' + last if last else ''}")


def _close(process: "subprocess.Popen[bytes]") -> None:
    """It takes that for the wish that it ends, and its workers with it: killed, it would leave those behind that hang."""
    assert process.stdin is not None
    with contextlib.suppress(OSError, ValueError):
        process.stdin.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    _close(process)
    try:
        process.wait(_END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
