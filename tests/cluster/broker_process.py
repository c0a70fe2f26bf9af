"""A broker in a process of its own: started, killed and started again on the same folder and port."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["BrokerProcess", "Ran", "free_port", "run_mq", "wait_until"]

_START_S_MAX = 60.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_so: Callable[[], Any], what: str, *, limit_s: float = 30.0) -> Any:
    """Ask again and again until the answer is true, and return it; fail when that takes longer than `limit_s`."""
    end_s = time.monotonic() + limit_s
    while not (answer := is_so()):
        assert time.monotonic() < end_s, f"not within {limit_s:g} s: {what}"
        time.sleep(0.01)
    return answer


class BrokerProcess:
    """One broker folder, and the process that works in it, if any. Use `with`: nothing outlives the test.

    folder: holds `data` and the process's output, `broker.log`. flags: more of `mq broker`. wrapper: a command that
    runs another one, such as `unshare`.
    """

    def __init__(
        self, folder: Path, *flags: str, environment: Mapping[str, str] | None = None, wrapper: Sequence[str] = ()
    ) -> None:
        self.data, self.log_file = folder / "data", folder / "broker.log"
        self.port = free_port()
        self.endpoint = f"127.0.0.1:{self.port}"
        self.flags: tuple[str, ...] = flags
        self._environment, self._wrapper = environment or {}, wrapper
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def __enter__(self) -> "BrokerProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        """What all processes in this folder have said so far."""
        return self.log_file.read_text(encoding="utf-8") if self.log_file.exists() else ""

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process and do not wait for it."""
        flags = list(self.flags)
        if "--metrics" not in flags:
            flags += ["--metrics", ""]
        command = [*self._wrapper, sys.executable, "-m", "mq.cli.main", "broker"]
        command += ["--data", str(self.data), "--listen", self.endpoint, *flags]
        environment = {**os.environ, **self._environment}
        with self.log_file.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        self.starts += 1
        return self.process

    def start(self) -> None:
        """Start the process and wait until it serves."""
        before = self.log.count(" serves on ")
        process = self.launch()

        def serves() -> bool:
            assert process.poll() is None, f"the broker ended with {process.returncode}:\n{self.log[-2000:]}"
            return self.log.count(" serves on ") > before

        wait_until(serves, "the broker serves", limit_s=_START_S_MAX)

    def kill(self) -> None:
        """SIGKILL: it has no time for anything."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self, *, limit_s: float = 30.0) -> int:
        """SIGTERM, and wait; returns the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(limit_s)

    def opened(self) -> list[dict[str, int]]:
        """What each start but that of a new folder read: snapshot (log index, 0 = none), replayed (entries), scanned (bytes)."""
        line = re.compile(r"snapshot at (\d+), (\d+) entries replayed, read ([\d.]+) (bytes|KiB|MiB|GiB) of the log's end")
        units = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
        return [
            {"snapshot": int(found[1]), "replayed": int(found[2]), "scanned": int(float(found[3]) * units[found[4]])}
            for found in line.finditer(self.log)
        ]

    def segments(self) -> list[Path]:
        """The files of the commit log, the oldest first."""
        return sorted((self.data / "log").glob("*.log"))

    def mq(self, *arguments: str, **options: Any) -> "Ran":
        """Run an `mq` command against this broker."""
        return run_mq(*arguments, "--endpoint", self.endpoint, **options)


class Ran:
    """What an `mq` command did."""

    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __repr__(self) -> str:
        return f"Ran(code={self.code}, out={self.out[-500:]!r}, err={self.err[-500:]!r})"

    @property
    def json(self) -> Any:
        """Its output, one JSON document."""
        return json.loads(self.out)


def run_mq(*arguments: str, environment: Mapping[str, str] | None = None, limit_s: float = 60.0) -> Ran:
    """Run an `mq` command in a process of its own."""
    command: Sequence[str] = [sys.executable, "-m", "mq.cli.main", *arguments]
    environment = {**os.environ, **(environment or {})}
    return Ran(subprocess.run(command, capture_output=True, text=True, timeout=limit_s, env=environment, check=False))
