"""Programs that a lesson starts, and that always end with it: a broker, a bakery."""

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mq.core.errors import MqError
from mq.rpc.calling import Connection

__all__ = ["Broker", "Program", "free_port", "wait_until"]

_running: "set[Program]" = set()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_so: Callable[[], bool], what: str, *, limit_s: float = 60.0) -> None:
    """Ask again and again until the answer is yes. Raises: TimeoutError."""
    end_s = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > end_s:
            raise TimeoutError(f"not within {limit_s:g} s: {what}")
        time.sleep(0.05)


class Program:
    """A Python program in a process of its own. What it prints goes to a file.

    Use `with`, or call `stop`; when the notebook's kernel ends, whatever still runs is killed.
    """

    def __init__(self, *command: str, log_file: Path) -> None:
        self.command, self.log_file = command, log_file
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Program":
        """Start it; it was not running."""
        # The pipe is never written to: it breaks when the notebook's kernel is gone, and some programs end with it.
        with self.log_file.open("ab") as output:
            self.process = subprocess.Popen([sys.executable, *self.command], stdin=subprocess.PIPE, stdout=output, stderr=output)
        _running.add(self)
        return self

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL: no time for anything, no last words. (On Windows: TerminateProcess.)"""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stdin is not None:
                self.process.stdin.close()
        _running.discard(self)

    def stop(self) -> None:
        """Ask it to end, and see to it that it does."""
        if self.is_running and self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self.kill()

    def __enter__(self) -> "Program":
        return self if self.is_running else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Broker(Program):
    """A real broker of one node on a folder. It serves when `start` returns; `endpoint` is where."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.data, self.endpoint = folder / "data", f"127.0.0.1:{free_port()}"
        command = ("-m", "mq.cli.main", "broker", "--data", str(self.data), "--listen", self.endpoint, "--metrics", "", *flags)
        super().__init__(*command, log_file=folder / "broker.log")

    def start(self) -> "Broker":
        """Start it, and wait until it serves."""
        super().start()
        wait_until(self._serves, f"the broker serves; what it said is in {self.log_file}")
        return self

    def _serves(self) -> bool:
        if not self.is_running:
            raise RuntimeError(f"the broker ended: {self.log_file.read_text(encoding='utf-8')[-2000:]}")
        try:
            with Connection(self.endpoint, timeout_s=1.0) as connection:
                return connection.is_serving()
        except MqError:
            return False


def _kill_all() -> None:
    for program in list(_running):
        program.kill()


atexit.register(_kill_all)
if os.name == "posix":  # a kernel that is told to go by SIGTERM runs no `atexit`

    def _on_term(number: int, _: object) -> None:
        _kill_all()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_term)
