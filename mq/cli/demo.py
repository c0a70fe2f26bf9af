"""The demo: orders through a real broker, which is killed in mid-stream and loses nothing.

Four processes: a broker, an official producer and an official push consumer, and this one, which kills the broker
with SIGKILL when half of the orders are acknowledged and starts it again on the same data folder.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from mq.cli.demo_picture import draw_demo

__all__ = ["main"]

_TOPIC, _GROUP = "orders", "bakery"
_START_LIMIT_S, _END_LIMIT_S = 30.0, 120.0
_DOWN_S = 1.0
_COUNT_MIN = 8
_FOLDER = Path(".mq") / "demo"
_MARKER = ".raftmq-demo"
"""A file that says: this folder was made by the demo, so the next one may clear it."""


@dataclass
class _Demo:
    """The running processes, and where their output goes."""

    folder: Path
    count: int
    port: int
    broker: "subprocess.Popen[bytes] | None" = None
    others: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    killed_ms: int = 0
    serving_again_ms: int = 0

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start_broker(self) -> None:
        log = (self.folder / "broker.log").open("ab")
        command = [
            sys.executable,
            "-m",
            "mq.cli.main",
            "broker",
            "--data",
            str(self.folder / "data"),
            "--listen",
            self.endpoint,
            "--metrics",
            "",
        ]
        self.broker = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + _START_LIMIT_S
        while not _answers(self.port):
            if self.broker.poll() is not None or time.monotonic() > end:
                raise DemoError(f"the broker did not start; its log is {self.folder / 'broker.log'}")
            time.sleep(0.02)

    def mq(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "mq.cli.main", *arguments, "--endpoint", self.endpoint],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DemoError(f"mq {' '.join(arguments)} failed: {done.stderr.strip()}")

    def client(self, role: str) -> "subprocess.Popen[bytes]":
        log = (self.folder / f"{role}.log").open("wb")
        # The official client writes a log below its home folder as soon as it is imported; nothing goes outside of ours.
        home = str((self.folder / "home").absolute())
        process = subprocess.Popen(
            [
                sys.executable, "-m", "mq.cli.demo_clients",
                role, self.endpoint, _TOPIC, _GROUP, str(self.count), str(self.folder / f"{role}.txt"),
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE if role == "consume" else log, stderr=log,
            env={**os.environ, "HOME": home, "USERPROFILE": home},
        )  # fmt: skip
        self.others.append(process)
        return process

    def stop(self) -> None:
        for process in self.others:
            process.kill()
            process.wait()
        if self.broker is not None and self.broker.poll() is None:
            self.broker.send_signal(signal.SIGTERM)
            try:
                self.broker.wait(15)
            except subprocess.TimeoutExpired:
                self.broker.kill()


class DemoError(Exception):
    """The demo could not be shown."""


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def _clear(folder: Path) -> None:
    """An empty folder for this run. Only what an earlier demo left is deleted. Raises: DemoError."""
    if folder.exists() and not folder.is_dir():
        raise DemoError(f"--dir: {folder} is a file, not a folder")
    try:
        is_ours = (folder / _MARKER).exists() or folder.resolve() == _FOLDER.resolve()
        if folder.exists():
            if not is_ours and any(folder.iterdir()):
                raise DemoError(f"--dir: {folder} is not empty and no earlier demo made it; give another folder, or empty it")
            for inner in folder.iterdir():
                shutil.rmtree(inner) if inner.is_dir() and not inner.is_symlink() else inner.unlink()
        (folder / "home").mkdir(parents=True)
        (folder / _MARKER).write_text("Made by `run.py demo`, which may delete all in this folder.\n", encoding="utf-8")
    except OSError as error:
        raise DemoError(f"--dir: {error.filename or folder}: {error.strerror}") from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < _COUNT_MIN:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {_COUNT_MIN} on")
    return int(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _events(path: Path) -> list[tuple[int, int]]:
    """(wall ms, order number) of each whole line."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [(int(a), int(b)) for a, b in (line.split() for line in lines)]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _wait_until(demo: _Demo, what: str, file: str, reached: int) -> None:
    end, shown = time.monotonic() + _END_LIMIT_S, 0
    while True:
        seen = len({number for _, number in _events(demo.folder / file)})
        if seen >= reached:
            return
        if seen >= shown + demo.count // 4:
            shown = seen - seen % (demo.count // 4)
            _say(f"  {seen} orders {what}")
        if time.monotonic() > end:
            raise DemoError(f"only {seen} of {reached} orders were {what} within {_END_LIMIT_S:.0f} s; see {demo.folder}")
        time.sleep(0.05)


def _show(demo: _Demo) -> None:
    _say(f"1. a broker on {demo.endpoint}, data in {demo.folder / 'data'}")
    demo.start_broker()
    demo.mq("topic", "create", _TOPIC, "--queues", "4")
    demo.mq("group", "create", _GROUP)
    _say("2. an official RocketMQ push consumer, and an official producer that sends")
    consumer = demo.client("consume")
    assert consumer.stdout is not None
    consumer.stdout.readline()
    demo.client("produce")
    _wait_until(demo, "acknowledged", "produce.txt", demo.count // 2)
    assert demo.broker is not None
    demo.broker.kill()
    demo.broker.wait()
    demo.killed_ms = time.time_ns() // 1_000_000
    _say("3. SIGKILL: the broker is dead, in mid-stream")
    time.sleep(_DOWN_S)
    demo.start_broker()
    demo.serving_again_ms = time.time_ns() // 1_000_000
    _say("4. the broker is back on the same data")
    _wait_until(demo, "acknowledged", "produce.txt", demo.count)
    _wait_until(demo, "consumed", "consume.txt", demo.count)


def _summary(demo: _Demo) -> bool:
    acked, consumed = _events(demo.folder / "produce.txt"), _events(demo.folder / "consume.txt")
    lost = {n for _, n in acked} - {n for _, n in consumed}
    twice = len(consumed) - len({n for _, n in consumed})
    picture = demo.folder / "demo.png"
    # Where matplotlib keeps its list of fonts, otherwise below the home folder; it is kept for the next demo.
    os.environ.setdefault("MPLCONFIGDIR", str((_FOLDER.parent / "matplotlib").absolute()))
    draw_demo(picture, acked, consumed, demo.killed_ms, demo.serving_again_ms)
    print(f"orders acknowledged by the broker   {len(acked)}")
    print(f"orders consumed                     {len({n for _, n in consumed})}")
    print(f"acknowledged orders lost            {len(lost)}")
    print(f"consumed more than once             {twice}  (at least once is the promise; consumers must be idempotent)")
    dead_s = (demo.serving_again_ms - demo.killed_ms) / 1000
    print(f"broker dead                         {dead_s:.1f} s, by SIGKILL after {demo.count // 2} orders")
    print(f"picture                             {picture}")
    return not lost and len(acked) == demo.count


def main(arguments: list[str] | None = None) -> int:
    """Show the demo; 0 when nothing acknowledged was lost."""
    parser = argparse.ArgumentParser(prog="run.py demo", description=__doc__)
    parser.add_argument("--count", type=_count, default=2000, help=f"orders to send, {_COUNT_MIN} or more (2000)")
    parser.add_argument(
        "--dir",
        type=Path,
        default=_FOLDER,
        help="where data, logs and picture go: a new or empty folder, or an earlier demo's (.mq/demo)",
    )
    options = parser.parse_args(arguments)
    try:
        _clear(options.dir)
    except DemoError as error:
        _say(f"run.py demo: {error}")
        return 2
    demo = _Demo(options.dir, options.count, _free_port())
    try:
        _show(demo)
        is_good = _summary(demo)
    except DemoError as error:
        _say(f"the demo failed: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        demo.stop()
    print("nothing that was acknowledged is lost" if is_good else "FAILED: acknowledged orders are missing")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
