"""The demo: orders through a real broker, which is killed in mid-stream and loses nothing.

Four processes: a broker, an official producer and an official push consumer, and this one, which kills the broker
with SIGKILL when half of the orders are acknowledged and starts it again on the same data folder.
"""

import argparse
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
        process = subprocess.Popen(
            [
                sys.executable, "-m", "mq.cli.demo_clients",
                role, self.endpoint, _TOPIC, _GROUP, str(self.count), str(self.folder / f"{role}.txt"),
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE if role == "consume" else log, stderr=log,
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
    parser.add_argument("--count", type=int, default=2000, help="orders to send (2000)")
    parser.add_argument("--dir", type=Path, default=Path(".mq") / "demo", help="where data, logs and picture go (.mq/demo)")
    options = parser.parse_args(arguments)
    shutil.rmtree(options.dir, ignore_errors=True)
    options.dir.mkdir(parents=True)
    demo = _Demo(options.dir, max(8, options.count), _free_port())
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
