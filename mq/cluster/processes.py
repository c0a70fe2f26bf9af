"""Processes that outlive the one that started them: started apart, found again by number and time of birth, ended for sure."""

import atexit
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mq.cluster.errors import ClusterError
from mq.cluster.files import read_json, write_json
from mq.cluster.polling import poll_until

__all__ = ["PAUSED", "RUNNING", "STOPPED", "Process", "can_pause", "end_all", "uninterrupted"]

RUNNING, PAUSED, STOPPED = "running", "paused", "stopped"

_KILL_S_MAX = 20.0
_WHOLE_GROUP = 4
"""PIDFD_SIGNAL_PROCESS_GROUP of linux/pidfd.h, since Linux 6.9."""
_WAIT_FIRST = 'read -r go && exec "$@" < /dev/null'
"""As a program of the shell, which stays one and the same process when it becomes another program."""
_children: dict["Process", "subprocess.Popen[bytes]"] = {}
"""Those that this very process started: until somebody asks for its exit status, a child that ended keeps its number."""


@atexit.register
def _let_go() -> None:
    """They may outlive this process, which is no mistake that Python should warn of at its end."""
    for child in _children.values():
        if child.poll() is None:
            child.returncode = 0


def can_pause() -> bool:
    """Whether this system can stop a process and let it go on."""
    return hasattr(signal, "SIGSTOP")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """SIGINT and SIGTERM wait until the end of `with`. Masking them would not do: processes that are started inherit a mask."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: caught.append(number)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        for late in caught:
            signal.raise_signal(late)


def _launch(command: Sequence[str], log_file: Path, environment: Mapping[str, str], folder: Path) -> "subprocess.Popen[bytes]":
    """A process that becomes `command` when it is told a line, and ends when it is told nothing. On Windows it is it at once.

    Raises: ClusterError when there is no such command.
    """
    if shutil.which(command[0], path=environment.get("PATH")) is None:
        raise ClusterError(f"{command[0]} cannot be started: {os.strerror(errno.ENOENT)}")
    with log_file.open("ab") as log:
        if os.name == "nt":  # a process group of its own, and no console
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=environment,
                creationflags=0x00000200 | 0x00000008,
            )  # fmt: skip
        return subprocess.Popen(
            ["/bin/sh", "-c", _WAIT_FIRST, *command[:1], *command], stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=folder,
            env=environment, start_new_session=True,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told from a later one with the same number by when it was born (in words of the system)."""

    pid: int
    born: str

    @classmethod
    def start(
        cls, command: Sequence[str], log_file: Path, environment: Mapping[str, str], folder: Path, note_file: Path
    ) -> "Process":
        """Start a command in a session of its own, so that no Ctrl-C reaches it; what it says is added to `log_file`.

        It is written down in `note_file` before it does anything: whoever starts it may be killed at any moment, or find no room,
        and leaves no process behind that nobody finds again. (But on Windows.)
        Raises: ClusterError when there is no such command, or it cannot be written down.
        """
        log_file.parent.mkdir(parents=True, exist_ok=True)
        child = _launch(command, log_file, environment, folder)
        try:
            found = _look(child.pid)
            process = cls(child.pid, found[0] if found else "")
            _children[process] = child
            write_json(note_file, {"pid": process.pid, "born": process.born})
            if child.stdin is not None:
                with suppress(BrokenPipeError):  # somebody has ended it already
                    child.stdin.write(b"go\n")
                    child.stdin.flush()
        except BaseException:
            child.kill()
            child.wait()
            raise
        finally:
            if child.stdin is not None:
                with suppress(BrokenPipeError):
                    child.stdin.close()
        return process

    @classmethod
    def read(cls, file: Path) -> "Process | None":
        """The process that is written down in a file, if any; it need not be there any more. Raises: ClusterError."""
        match read_json(file):
            case None:
                return None
            case {"pid": int(pid), "born": str(born)} if pid > 0:
                return cls(pid, born)
        raise ClusterError(f"{file} is not what it should be; end the process it was made for, and delete it")

    @property
    def state(self) -> str:
        """RUNNING, PAUSED or STOPPED; the last one also when its number belongs to another process now."""
        if self.exit_status is not None:
            return STOPPED
        found = _look(self.pid)
        return found[1] if found and found[0] == self.born else STOPPED

    @property
    def exit_status(self) -> int | None:
        """How a process ended that this one started; None when it runs, or was started by another one."""
        child = _children.get(self)
        return child.poll() if child is not None else None

    def signal(self, number: int) -> None:
        """Send a signal to it and to what it started; nothing happens when it is gone."""
        with suppress(ProcessLookupError), _held(self.pid) as handle:
            if self.state == STOPPED or (handle is not None and _is_sent(handle, number)):
                return
            try:
                _send(self.pid, number)
            except PermissionError:
                if self.state != STOPPED:  # macOS says so of one that has just ended
                    raise

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Raises: ClusterError when it does not go."""
        end_all([self], grace_s=0)


def end_all(processes: Iterable[Process], *, grace_s: float) -> list[Process]:
    """SIGTERM to all at once, SIGKILL to those that are still there after `grace_s`; returns those that had to be killed.

    Raises: ClusterError when one cannot be ended.
    """
    left = [process for process in processes if process.state != STOPPED]
    if grace_s > 0:
        for process in left:
            process.signal(signal.SIGTERM)
            if can_pause():
                process.signal(signal.SIGCONT)  # one that is paused would not hear of it
        poll_until(lambda: all(process.state == STOPPED for process in left), grace_s)
    killed = [process for process in left if process.state != STOPPED]
    for process in killed:
        process.signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    if not poll_until(lambda: all(process.state == STOPPED for process in killed), _KILL_S_MAX):
        alive = ", ".join(str(process.pid) for process in killed if process.state != STOPPED)
        raise ClusterError(f"these processes cannot be ended: {alive}")
    return killed


# --- a process may end, and its number be another one's, between a look at it and a signal to it


@contextmanager
def _held(pid: int) -> Iterator[int | None]:
    """A handle of the process that has this number now, whoever has it later; None where the system has no such thing.

    What is seen of the process while the handle is there, is so of the handle's. Raises: ProcessLookupError.
    """
    handle = None
    if sys.platform == "linux":
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            raise
        except OSError:  # a kernel, or a container's rules, without it
            handle = None
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def _is_sent(handle: int, number: int) -> bool:
    """Whether a signal went to a handle's process and its group. Raises: ProcessLookupError when there is nobody any more."""
    if sys.platform == "linux":
        try:
            signal.pidfd_send_signal(handle, number, None, _WHOLE_GROUP)
        except ProcessLookupError:
            raise
        except OSError:  # an older kernel
            return False
        return True
    return False


def _send(pid: int, number: int) -> None:
    if os.name == "nt":
        os.kill(pid, number)
    else:
        os.killpg(pid, number)


# --- what the system knows of a process: (when it was born, RUNNING or PAUSED), or None


def _look(pid: int) -> tuple[str, str] | None:
    if sys.platform == "win32":
        return _look_on_windows(pid)
    return _look_in_proc(pid) if Path("/proc/self/stat").exists() else _look_with_ps(pid)


def _look_in_proc(pid: int) -> tuple[str, str] | None:
    try:
        # The name of the program, in parentheses, may hold blanks and parentheses.
        parts = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, born_ticks = parts[0], parts[19]
    return None if state in "ZXx" else (f"{boot} {born_ticks}", PAUSED if state in "Tt" else RUNNING)


def _look_with_ps(pid: int) -> tuple[str, str] | None:
    done = subprocess.run(  # a number is all that is put in
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],  # noqa: S607 - where ps is, differs
        # A birth is told in the words and the zone of whoever asks, and has to be the same for all who do.
        capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C", "TZ": "UTC0"},
    )  # fmt: skip
    state, _, born = done.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else (born.strip(), PAUSED if state.startswith("T") else RUNNING)


def _look_on_windows(pid: int) -> tuple[str, str] | None:
    done = subprocess.run(
        ["powershell", "-NoProfile", "-Command", f"(Get-Process -Id {int(pid)}).StartTime.ToFileTimeUtc()"],  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return (done.stdout.strip(), RUNNING) if done.returncode == 0 and done.stdout.strip() else None
