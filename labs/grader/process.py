"""The worker as a process of its own: started, asked, timed, ended from outside.

*Practice mode*: a plain subprocess with limits of the system. It stops mistakes, and it stops whoever writes marks into files or
patches the tester; whoever reaches for the machine's other files, the network or other processes it stops only where Linux has
Landlock (`labs.grader.inside.shut_in`). For all of that there is `labs.grader.container`.

What a worker starts is ended with it: its group on every POSIX system; what left the group and has the worker's mark among its
variables where there is /proc (`labs.grader.leftovers`); on Linux also what has no mark any more, and nearly all of that
(`labs.grader.orphans` says what not). On macOS and Windows whatever leaves the group without a way back lives on.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from labs.grader.harmless import harmless
from labs.grader.leftovers import kill_leftovers
from labs.grader.orphans import end_orphans
from labs.grader.pipes import Pipes

__all__ = [
    "CALL_SECONDS_MAX", "LIMITS", "ImportGoneError", "Killable", "NotStartedError", "ProcessGoneError", "WorkerProcess",
    "kill_all_for_good", "note_alive", "note_ended",
]  # fmt: skip

CALL_SECONDS_MAX = 10.0
"""For one call, by the clock on the wall: long, since the machine may be busy; an endless loop is as long on any machine.

Where many processes want a processor it is longer by what `patience` of a `WorkerProcess` says.
"""
LIMITS = {"AS": 1 << 30, "CPU": 600, "CORE": 0, "FSIZE": 1 << 20, "NOFILE": 64}
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
"""`-I` would ignore the first: sets of strings would come out in another order each time."""
WORKER = ("-S", "-s", "-P", "-B", "-m", "labs.grader.inside.worker")
"""Arguments of Python."""
_START_SECONDS_MAX = 30.0
_ANSWER_BYTES_MAX = 4 << 20
_PRINTED_BYTES_MAX = 4096
_TOLD_MAX = 300
_LOOK_EVERY_S = 0.05
_DEATH_SECONDS_MAX = 2.0
_MARK = "MQ_WORKER"
_AHEAD_BYTES_MAX = 16 << 10
"""Of requests that are sent before the first of them is answered: any pipe holds as many, so nobody waits for a reader."""
_to_json = json.JSONEncoder(separators=(",", ":")).encode


class Killable(Protocol):
    """What must not outlive this grader."""

    def kill(self) -> None:
        """At once, and whatever it has started."""


_alive: set[Killable] = set()
_no_more = threading.Event()


class ProcessGoneError(Exception):
    """There was no answer: the process ended, took too long, or said something that was not asked. promise: what that breaks."""

    promise = "Every call comes back"


class ImportGoneError(ProcessGoneError):
    """As above, while a student's files were imported: nothing was called yet."""

    promise = "The import of your files comes to its end"


class NotStartedError(Exception):
    """The worker did not come up, before anything of a student's ran: the machine's fault or ours."""


def python_beside_no_course() -> str:
    """The interpreter that our environment was made of: its own path does not lead to the course's folder, and so to solutions.

    A worker needs Python's own library and nothing else.
    """
    return str(getattr(sys, "_base_executable", "") or sys.executable)


def note_alive(one: Killable) -> None:
    """It is ended with the grader. Raises: NotStartedError when that is about to leave."""
    _alive.add(one)
    _let_no_more_begin()


def _let_no_more_begin() -> None:
    if _no_more.is_set():
        raise NotStartedError("nothing was started: the grader is being stopped")


def note_ended(one: Killable) -> None:
    """It is gone."""
    _alive.discard(one)


def kill_all_for_good() -> None:
    """For a grader that is about to leave without an end: no worker is left, and none begins after this."""
    _no_more.set()
    for worker in tuple(_alive):
        worker.kill()


class WorkerProcess:
    """One worker in a box. opening: what it is told first. patience: so many times longer may it take, asked when it is late."""

    mode = "practice mode, not for marks"
    is_shut_in = True
    """Whether the process gives up what it does not need (`labs.grader.inside.shut_in`). A container does more than that."""

    def __init__(self, folder: Path, opening: dict[str, Any], patience: Callable[[], float] = lambda: 1.0) -> None:
        self._patience, self._mark = patience, secrets.token_hex(16)
        _let_no_more_begin()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program and arguments
                self.command(folder), cwd=folder, env=self.environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, start_new_session=True, bufsize=0, **self.rights(),
            )  # fmt: skip
        except OSError as error:
            raise NotStartedError(f"the worker did not start: {error}") from error
        self._deadline = self._seconds_max = self._seconds_granted = 0.0
        self._is_late = False
        self._printed = b""
        self.last_said = b""
        """The newest answer as it came, but for its id."""
        self.last_asked = b""
        """What was asked, but for its id."""
        self._is_over = threading.Event()
        _alive.add(self)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._pipes = Pipes(
            self._process.stdin, self._process.stdout, lambda: self._is_late, lambda: self._process.poll() is not None
        )
        self._listener = threading.Thread(target=self._listen, name="what a worker prints", daemon=True)
        self._listener.start()
        threading.Thread(target=self._watch, name="deadline of a worker", daemon=True).start()
        try:
            self.opened = self._open(opening)
        except BaseException:  # whoever is stopped here has nothing in hand yet that could be ended
            self.end()
            raise

    def _open(self, opening: dict[str, Any]) -> dict[str, Any]:
        package, limits = opening["organ"][0].split(".")[0], opening.pop("limits", LIMITS)
        _let_no_more_begin()  # once more: whoever ends all workers may have looked before this one was among them
        try:
            self.ask({"do": "hello", "package": package, "limits": limits, "is_shut_in": self.is_shut_in}, _START_SECONDS_MAX)
        except ProcessGoneError as error:
            said = self.printed.strip()[-_TOLD_MAX:]
            raise NotStartedError(f"the worker did not start: {error}{': ' + said if said else ''}") from None
        try:
            return self.ask({"do": "open", **opening}, _START_SECONDS_MAX)
        except ProcessGoneError as error:
            file = f"{opening['organ'][0].rpartition('.')[2]}.py"
            raise ImportGoneError(f"the import of {file}, with all that it imports: {error}") from None

    def command(self, _folder: Path) -> Sequence[str]:
        """What is started."""
        return [python_beside_no_course(), *WORKER]

    def environment(self, folder: Path) -> dict[str, str]:
        """Nothing of ours comes along but the mark by which all that it starts is found."""
        needed = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
        return {**ENVIRONMENT, **needed, "PYTHONPATH": str(folder), _MARK: self._mark}

    def rights(self) -> dict[str, Any]:
        """As whom it runs: arguments of `Popen`."""
        return {}

    def ask(self, request: dict[str, Any], seconds_max: float = 0.0) -> dict[str, Any]:
        """The answer to a request. Raises: ProcessGoneError, after which there is nothing more to ask."""
        return self.ask_written(_to_json(request).encode(), seconds_max)

    def ask_written(self, request: bytes, seconds_max: float = 0.0) -> dict[str, Any]:
        """The same for one that is JSON already."""
        self.last_asked = request
        self._begin_to_wait(seconds_max)
        return self._answer(self._sent(request))

    def ask_again(self, requests: Sequence[bytes]) -> Iterator[bytes]:
        """What it says to what another worker was asked, each as `last_said`: some are sent before the first is answered.

        Raises: ProcessGoneError, after which there is nothing more to ask.
        """
        waiting, sent, ahead_bytes = deque[str | None](), 0, 0
        for at in range(len(requests)):
            self._begin_to_wait()
            while sent < len(requests) and (sent == at or ahead_bytes + len(requests[sent]) < _AHEAD_BYTES_MAX):
                waiting.append(self._sent(requests[sent]))
                ahead_bytes += len(requests[sent])
                sent += 1
            self._answer(waiting.popleft())
            ahead_bytes -= len(requests[at])
            yield self.last_said

    def _begin_to_wait(self, seconds_max: float = 0.0) -> None:
        self._seconds_max = seconds_max or CALL_SECONDS_MAX
        self._deadline = time.monotonic() + self._seconds_max

    def _sent(self, request: bytes) -> str | None:
        """Its number; None when nobody is there to take it."""
        number = secrets.token_hex(8)
        try:
            self._pipes.send(b'{"id":"%s",%s\n' % (number.encode(), request[1:]))
        except (OSError, ValueError):
            return None
        return number

    def _answer(self, number: str | None) -> dict[str, Any]:
        try:
            line = b"" if number is None else self._pipes.line(_ANSWER_BYTES_MAX)
        except (OSError, ValueError):  # it is gone, or was ended
            line = b""
        finally:
            self._deadline = 0.0
        try:
            return self._read(line, number or "")
        except ProcessGoneError:
            self.end()
            raise

    def _read(self, line: bytes, wanted: str) -> dict[str, Any]:
        if self._is_late:
            granted = round(self._seconds_granted)
            more = f" (on this crowded machine {granted} s)" if granted > self._seconds_max else ""
            raise ProcessGoneError(f"it did not come back within {self._seconds_max:g} s{more}")
        if not line:
            raise ProcessGoneError(f"the process ended in the middle of it{self._how_it_ended()}")
        if not line.endswith(b"\n"):
            raise ProcessGoneError(
                f"it came back with more than {_ANSWER_BYTES_MAX >> 20} MiB, or the process ended while it spoke"
            )
        head = f'{{"id":"{wanted}",'.encode()
        try:
            answer = json.loads(line.decode()) if line.startswith(head) else None
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

    # --- beside it

    def _watch(self) -> None:
        """Ends the process when an answer is overdue; whoever waits for it then waits no more."""
        while not self._is_over.wait(_LOOK_EVERY_S):
            deadline = self._deadline
            if not 0 < deadline < time.monotonic():
                continue
            # How crowded it is matters only now, and costs nothing per call.
            granted = self._seconds_max * self._patience()
            if time.monotonic() > deadline - self._seconds_max + granted and self._deadline == deadline:
                self._seconds_granted, self._is_late = granted, True
                self.kill()
                return

    def _listen(self) -> None:
        """What it prints is taken as fast as it comes, and only the end of it is kept: no flood fills anything."""
        pipe = self._process.stderr
        assert pipe is not None
        try:
            while data := os.read(pipe.fileno(), 1 << 16):
                self._printed = (self._printed + data)[-_PRINTED_BYTES_MAX:]
        except (OSError, ValueError):
            pass

    @property
    def printed(self) -> str:
        """The end of what the student's code printed."""
        return harmless(self._printed.decode("utf-8", "replace"), has_lines=True)

    # --- its end

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def kill(self) -> None:
        """At once, with all that it started: in its group, by its mark, and what it left to us."""
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        kill_leftovers(f"{_MARK}={self._mark}")
        with contextlib.suppress(subprocess.TimeoutExpired):  # what it started is an orphan when it is gone, not before
            self._process.wait(_DEATH_SECONDS_MAX)
        end_orphans(LIMITS, {one.pid for one in tuple(_alive) if isinstance(one, WorkerProcess)})

    def end(self) -> None:
        """The process is gone; what it printed is still known."""
        if self._is_over.is_set():
            return
        self.kill()  # first: Ctrl-C may come now, and whoever cleans up then ends it once more
        self._is_over.set()
        self._process.wait()
        self._listener.join(1)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        _alive.discard(self)
