"""`-w` of `mq top` and `mq raft status` where there is no terminal that can do it: a picture each second, one below the other."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.broker_process import wait_until
from tests.unit.cli.fake_broker import FakeBroker

LIMIT_S = 30
COMMANDS = [("top", "-w"), ("raft", "status", "-w")]
MOMENT = re.compile(r"(?m)^\d\d:\d\d:\d\d  no node answers at ")


@pytest.fixture
def nobody(broker: FakeBroker) -> str:
    """An endpoint where nobody answers, soon."""
    broker.stop()
    return broker.endpoint


def begun(command: tuple[str, ...], endpoint: str, out: int, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "mq.cli.main", *command, "--endpoint", endpoint, "--timeout", "1"],
        stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip


def end(process: subprocess.Popen[bytes]) -> str:
    """As by Ctrl-C; what stood on standard error."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=LIMIT_S)[1].decode()


@pytest.mark.skipif(os.name == "nt", reason="there another signal stands for Ctrl-C")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_gets_each_picture_at_once(command: tuple[str, ...], nobody: str, tmp_path: Path) -> None:
    file = tmp_path / "out"
    with file.open("wb") as out:
        process = begun(command, nobody, out.fileno())
        try:
            wait_until(lambda: len(MOMENT.findall(file.read_text())) >= 2, "two pictures are there", limit_s=LIMIT_S)
        finally:
            told = end(process)
    assert "\x1b" not in file.read_text()
    assert "CLIENT" in file.read_text(), "a file is as wide as need be"
    assert "Traceback" not in told


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_whose_reader_has_enough_ends_it(command: tuple[str, ...], nobody: str) -> None:
    process = begun(command, nobody, subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert MOMENT.match(process.stdout.readline().decode())
        process.stdout.close()
        process.wait(timeout=LIMIT_S)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


@pytest.mark.skipif(os.name == "nt", reason="there are no such terminals there")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_dumb_terminal_gets_each_picture_without_control_codes(command: tuple[str, ...], nobody: str) -> None:
    import pty  # noqa: PLC0415 - does not exist on Windows

    ours, theirs = pty.openpty()
    process = begun(command, nobody, theirs, TERM="dumb", COLUMNS="300")
    os.close(theirs)
    seen, end_s = "", time.monotonic() + LIMIT_S
    try:
        while len(MOMENT.findall(seen)) < 2 and time.monotonic() < end_s:
            seen += os.read(ours, 4096).decode()
    finally:
        end(process)
        os.close(ours)
    assert len(MOMENT.findall(seen)) >= 2
    assert "\x1b" not in seen
