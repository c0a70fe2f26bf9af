"""The worker as a process of its own: started, asked, timed, ended from outside.

*Practice mode*: a plain subprocess with limits of the system. It stops mistakes, and it stops whoever writes marks into
files or patches
the tester; it does not stop a program that reaches for the network or for other processes of the same user. That takes a
container.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

__all__ = ["CALL_SECONDS_MAX", "LIMITS", "ProcessGoneError", "WorkerProcess"]

CALL_SECONDS_MAX = 10.0
"""For one call, by the clock on the wall: long, since the machine may be busy; an endless loop is as long on any machine."""
LIMITS = {"AS": 1 << 30, "CPU": 120, "CORE": 0, "FSIZE": 1 << 20, "NOFILE": 64}
_ANSWER_BYTES_MAX = 4 << 20
_PRINTED_BYTES_MAX = 4096
_LOOK_EVERY_S = 0.05
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
"""`-I` would ignore the first: sets of strings would come out in another order each time."""


class ProcessGoneError(Exception):
    """There was no answer: the process ended, took too long, or said something that was not asked."""


class WorkerProcess:
    """One worker in a box. command: what to start in the box's place, for a container; then `environment` is its own affair."""

    mode = "practice mode, not for marks"

    def __init__(self, folder: Path, opening: dict[str, Any], command: Sequence[str] = ()) -> None:
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        place = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own arguments
            command or [sys.executable, "-S", "-s", "-P", "-B", "-m", "labs.grader.inside.worker"],
            cwd=folder, env={**ENVIRONMENT, **place, "PYTHONPATH": str(folder)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._printed, start_new_session=True,
        )  # fmt: skip
        self._deadline = 0.0
        self._is_late = False
        self.last_said = b""
        """The newest answer as it came, but for its id."""
        self._is_over = threading.Event()
        threading.Thread(target=self._watch, name="deadline of a worker", daemon=True).start()
        try:
            self.opened = self.ask({"do": "open", "limits": LIMITS, **opening})
        except ProcessGoneError:
            self.close()
            raise

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request. Raises: ProcessGoneError, after which there is nothing more to ask."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request["id"] = secrets.token_hex(8)
        self._deadline = time.monotonic() + CALL_SECONDS_MAX
        try:
            self._process.stdin.write(json.dumps(request, separators=(",", ":")).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline(_ANSWER_BYTES_MAX)
        except (OSError, ValueError):  # it is gone, or was ended
            line = b""
        finally:
            self._deadline = 0.0
        try:
            return self._read(line, request["id"])
        except ProcessGoneError:
            self.end()
            raise

    def _read(self, line: bytes, wanted: str) -> dict[str, Any]:
        if self._is_late:
            raise ProcessGoneError(f"it did not come back within {CALL_SECONDS_MAX:g} s")
        if not line:
            raise ProcessGoneError(f"the process ended in the middle of it{self._how_it_ended()}")
        if not line.endswith(b"\n"):
            raise ProcessGoneError(
                f"it came back with more than {_ANSWER_BYTES_MAX >> 20} MiB, or the process ended while it spoke"
            )
        head = f'{{"id":"{wanted}",'.encode()
        try:
            answer = json.loads(line) if line.startswith(head) else None
        except (ValueError, RecursionError):
            answer = None
        if type(answer) is not dict or answer.get("id") != wanted:
            raise ProcessGoneError("something wrote into the pipe that belongs to the grader")
        self.last_said = line[len(head) :]
        return answer

    def _how_it_ended(self) -> str:
        try:
            status = self._process.wait(2)
        except subprocess.TimeoutExpired:
            return ""
        if status >= 0:
            return f" (exit status {status})"
        return f" (by {signal.Signals(-status).name})" if -status in set(signal.Signals) else ""

    def _watch(self) -> None:
        """Ends the process when an answer is overdue; whoever waits for it then reads the end of the pipe."""
        while not self._is_over.wait(_LOOK_EVERY_S):
            if 0 < self._deadline < time.monotonic():
                self._is_late = True
                self._kill()
                return

    def printed(self) -> str:
        """The end of what the student's code printed."""
        size = self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, size - _PRINTED_BYTES_MAX))
        return self._printed.read().decode("utf-8", "replace")

    def _kill(self) -> None:
        try:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        except OSError:
            self._process.kill()

    def end(self) -> None:
        """The process and all that it started in its group are gone."""
        if self._is_over.is_set():
            return
        self._is_over.set()
        self._kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def close(self) -> None:
        """Ended, and nothing is kept of it."""
        self.end()
        self._printed.close()
