"""What all benchmarks share: percentiles, the machine, and processes that never outlive the run."""

import asyncio
import ctypes
import gc
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol

__all__ = [
    "MIB",
    "ROOT",
    "Latencies",
    "Measured",
    "Peer",
    "StreamEndedError",
    "announce",
    "cpu_s_of",
    "data_folder",
    "end_at_signals",
    "free_port",
    "machine",
    "memory_bytes_of",
    "percentile",
    "read_bytes",
    "run_driver",
    "run_in_loop",
    "spawn",
    "started",
    "stop",
]

ROOT = Path(__file__).resolve().parent.parent
MIB = 1 << 20
_PR_SET_PDEATHSIG = 1


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of the values lie: the nearest one that was measured."""
    if not values:
        raise ValueError("percentile of no values")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Latencies:
    """Call times of one run, in seconds, as they come."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def summary(self, elapsed_s: float) -> dict[str, float]:
        """Calls per second over `elapsed_s`, and p50 and p99 in microseconds."""
        return {
            "calls": len(self.seconds),
            "per_s": round(len(self.seconds) / elapsed_s, 1),
            "p50_us": round(percentile(self.seconds, 0.50) * 1e6, 1),
            "p99_us": round(percentile(self.seconds, 0.99) * 1e6, 1),
        }


def machine() -> dict[str, object]:
    """Size and state of the machine that a figure was measured on."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.processor()
    )
    return {
        "cores": os.cpu_count(),
        "processor": model,
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30), 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def run_in_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run a program as the broker runs itself, so that no peer is slowed down: same event loop, same settings."""
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


async def read_bytes(stream: Any) -> bytes:
    """The next message of a grpc.aio stream of raw bytes. Raises: StreamEndedError at its end."""
    message = await stream.read()
    if not isinstance(message, bytes):
        raise StreamEndedError
    return message


class StreamEndedError(Exception):
    """The other side will send no more."""


# --- processes


def cpu_s_of(pid: int) -> float:
    """Processor time that a process has used so far, in seconds, all threads."""
    # Behind the name, which may hold spaces, `utime` and `stime` are the 12th and 13th fields.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_bytes_of(pid: int) -> int:
    """Its resident memory now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Measured(Protocol):
    """A server that clients are let loose on, while its processor time is watched."""

    @property
    def endpoint(self) -> str:
        """Where it listens, as HOST:PORT."""
        ...

    def cpu_s(self) -> float:
        """Processor time that it has used so far, in seconds, all threads."""
        ...


@dataclass
class Peer:
    """A server process of a benchmark. ready: what it announced."""

    process: "subprocess.Popen[str]"
    ready: dict[str, Any]
    name: str

    @property
    def endpoint(self) -> str:
        """Where it listens, as HOST:PORT."""
        return f"127.0.0.1:{self.ready['port']}"

    def cpu_s(self) -> float:
        """Processor time that it has used so far, in seconds, all threads."""
        return cpu_s_of(self.process.pid)

    def memory_bytes(self) -> int:
        """Resident memory now."""
        return memory_bytes_of(self.process.pid)


def _die_with_parent() -> None:
    # A run that is itself killed without warning leaves nothing behind. Linux only; elsewhere `started` alone cleans up.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(arguments: Sequence[str], **more: Any) -> "subprocess.Popen[str]":
    """Start `python ARGUMENTS` in the repository's root, in a session of its own, bound to die with this process."""
    # A session of its own: Ctrl-C reaches only the run, which then ends its processes in order.
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        text=True,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - the run has one thread
        **more,
    )


def stop(process: "subprocess.Popen[str]", grace_s: float = 10.0) -> None:
    """Ask the process to end, and kill it when it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def announce(**ready: object) -> None:
    """Called by a server process once it serves: tells its starter where."""
    print(json.dumps(ready), flush=True)


@contextmanager
def started(module: str, *arguments: str) -> Iterator[Peer]:
    """A peer's server process, from its announcement to the end of the block."""
    process = spawn(["-m", module, *arguments], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{module} ended with exit code {process.wait()} before it served")
        yield Peer(process, json.loads(line), module)
    finally:
        stop(process)


def run_driver(module: str, *arguments: str, timeout_s: float = 300.0) -> dict[str, Any]:
    """Run a client process to its end and return the JSON object that it printed last."""
    process = spawn(["-m", module, *arguments], stdout=subprocess.PIPE)
    try:
        output, _ = process.communicate(timeout=timeout_s)
    finally:
        stop(process, grace_s=1.0)
    if process.returncode != 0:
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with exit code {process.returncode}")
    result: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return result


def end_at_signals() -> None:
    """Let SIGTERM and SIGHUP unwind the run as Ctrl-C does, so that every block cleans up."""

    def unwind(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), unwind)


def free_port() -> int:
    """A TCP port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def data_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder for one figure's files, removed afterwards. All parties of a figure use the same parent."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="mq-bench-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
