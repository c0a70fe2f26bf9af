import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import grpc
import pytest

from mq.cli.main import main
from mq.client.encoding import MessageEncoder
from mq.client.errors import ConnectionLostError, UnreachableError
from mq.core.errors import MqError
from mq.proto import rocketmq_v2_pb2 as v2
from mq.rpc.calling import error_of_rpc
from tests.unit.cli.conftest import Ran
from tests.unit.cli.fake_broker import FakeBroker

Mq = Callable[..., Ran]
EVERY_CLIENT_COMMAND = [
    ("topic", "list"),
    ("topic", "create", "a"),
    ("topic", "describe", "a"),
    ("topic", "delete", "a"),
    ("group", "list"),
    ("group", "create", "a"),
    ("group", "describe", "a"),
    ("group", "delete", "a"),
    ("group", "reset", "a", "--to", "earliest"),
    ("send", "a", "b"),
    ("send", "a", "--count", "200", "--timeout", "1"),
    ("consume", "a", "--group", "b"),
    ("message", "get", "a", "0", "0"),
    ("message", "query", "a", "--id", "b"),
    ("message", "peek", "a"),
    ("health",),
    ("bench", "--seconds", "1"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("command", EVERY_CLIENT_COMMAND, ids=" ".join)
def test_nobody_there_is_exit_code_3_and_one_sentence(command: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert main([*command, "--endpoint", f"127.0.0.1:{port}"]) == 3
    out, err = capfd.readouterr()
    assert out == ""
    reason = f"cannot reach 127.0.0.1:{port}: Connection refused"
    assert err == f"mq: {reason}; is a broker running there? Start one with: mq broker --data DIR\n"


class FailedCall(grpc.RpcError):
    """As gRPC raises it. details: what gRPC says, word for word."""

    def __init__(self, details: str) -> None:
        super().__init__()
        self._details = details

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return self._details


@pytest.mark.parametrize(
    ("details", "kind", "text"),
    [
        (
            "errors resolving a.invalid:1: [field:hostname lookup error:lookup failed for a.invalid:1: Domain name not found]",
            UnreachableError,
            "cannot reach a.invalid:1: Domain name not found",
        ),
        ("DNS resolution failed for a.invalid:1; more", UnreachableError, "DNS resolution failed for a.invalid:1"),
        ("failed to connect to all addresses; last error: Connection refused", UnreachableError, "Connection refused"),
        ("Socket closed", ConnectionLostError, "whether it was carried out is unknown"),
    ],
)
def test_no_connection_is_told_apart_from_one_that_broke(details: str, kind: type[MqError], text: str) -> None:
    error = error_of_rpc(FailedCall(details), "a.invalid:1", 1.0)
    assert (type(error), text in str(error)) == (kind, True)


def test_a_broker_that_does_not_answer_is_exit_code_4(capfd: pytest.CaptureFixture[str]) -> None:
    # It takes connections and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert main(["topic", "list", "--endpoint", f"127.0.0.1:{silent.getsockname()[1]}", "--timeout", "0.5"]) == 4
        assert "did not answer within 0.5 s (is it stopped?)\n" in capfd.readouterr().err
        assert main(["topic", "delete", "a", "--endpoint", f"127.0.0.1:{silent.getsockname()[1]}", "--timeout", "0.5"]) == 4
    assert "did not answer within 0.5 s; whether the call was carried out is unknown" in capfd.readouterr().err


def test_a_broker_that_always_fails_is_exit_code_1(mq: Mq, broker: FakeBroker) -> None:
    broker.failures["ListTopics"] = [grpc.StatusCode.INTERNAL] * 5
    assert mq("topic", "list").code == 1


def test_the_second_endpoint_is_tried_when_the_first_is_dead(mq: Mq, broker: FakeBroker) -> None:
    for separator in (",", ";"):
        assert mq("topic", "list", "--endpoint", f"127.0.0.1:{free_port()}{separator}{broker.endpoint}").code == 0
        assert mq("topic", "list", "--endpoint", f"[::1]:{free_port()}{separator}{broker.endpoint}").code == 0
        assert mq("health", "--endpoint", f"[::1]:{free_port()}{separator}{broker.endpoint}").code == 0
        send = ("send", "a", "--count", "100", "--endpoint", f"[::1]:{free_port()}{separator}{broker.endpoint}")
        assert mq(*send).code == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "Usage: mq"),
        (("topc",), "did you mean 'topic'"),
        (("raft",), "Usage: mq raft"),
        (("registry", "--listen", "nowhere"), "listen: 'nowhere' is not HOST:PORT"),
        (("registry", "--times", "slow"), "'slow' is not one of"),
        (("topic",), "Usage: mq topic"),
        (("topic", "create"), "Missing argument 'NAME'"),
        (("topic", "create", "a", "--type", "odd"), "'odd' is not one of"),
        (("topic", "list", "-o", "xml"), "'xml' is not one of"),
        (("topic", "list", "--endpoint", "nowhere"), "endpoint: 'nowhere' is not HOST:PORT"),
        (("topic", "list", "--endpoint", ";"), "endpoint: there is none"),
        (("topic", "list", "--endpoint", "a:70000"), "port 70000 is outside of 1 to 65535"),
        (("send", "a"), "give a BODY"),
        (("send", "a", ""), "BODY is empty"),
        (("send", "a", "b", "--delay", "5"), "'5' is not a number with a unit"),
        (("send", "a", "b", "--delay", "5s", "--group-key", "k"), "exclude each other"),
        (("send", "a", "b", "--property", "x"), "'x' is not NAME=VALUE"),
        (("consume", "a"), "Missing option '--group'"),
        (("consume", "a", "--group", "g", "--tag", "a > 5"), "looks like SQL, which comes with a later stage"),
        (("consume", "a", "--group", "g", "--tag", "a ||"), "has a place without a tag"),
        (("message", "peek", "a", "--offset", "-1"), "'-1' is not earliest, latest or an offset"),
        (("broker",), "data: a folder is needed"),
        (("broker", "--data", "d", "--peers", "1=a:1"), "cluster_secret: a:1 can be reached from other machines"),
        (
            ("broker", "--data", "d", "--peers", "2=127.0.0.1:1"),
            "peers: node 1 itself must be among them; there are [2] (--peers)",
        ),
        (("broker", "--data", "d", "--registry", "a"), "registry: 'a' is not HOST:PORT"),
        (("broker", "--data", "d", "--registry-times", "slow"), "'slow' is not one of"),
        (("broker", "--data", "d", "--parts", "no/such/place"), "parts: 'no/such/place' is no folder"),
        (("broker", "--data", "d", "--replication", "paxos"), "'paxos' is not one of"),
        (("broker", "--data", "d", "--replication", "master_slave"), "master_slave needs --peers"),
        (
            ("broker", "--data", "d", "--listen", "8081"),
            "listen: '8081' is not HOST:PORT, such as 127.0.0.1:8081 or [::1]:8081 (--listen)",
        ),
        (
            ("broker", "--data", "d", "--segment-bytes", "1KiB"),
            "segment_bytes: 1024 is outside of 65536 to 1073741824 (64.0 KiB to 1.0 GiB) (--segment-bytes)",
        ),
        (("broker", "--data", "d", "--segment-bytes", "-5"), "segment_bytes: -5 is outside of 65536 to 1073741824"),
        (("broker", "--data", "d", "--metrics", "5557"), "metrics_listen: '5557' is not HOST:PORT"),
        (("broker", "--data", "d", "--config", "no-such.yaml"), "config: no-such.yaml cannot be read: No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_wrong(
    arguments: tuple[str, ...], text: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert text in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_help_lists_every_command_and_every_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capfd.readouterr().out
    for name in ("broker", "topic", "group", "send", "consume", "message", "health", "doctor", "bench", "log"):
        assert f"\n  {name} " in text
        assert main([name, "--help"]) == 0
    for code in (0, 1, 2, 3, 4, 130, 141):
        assert f"\n    {code} " in text


def test_an_error_that_nobody_foresaw_is_a_sentence_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mq.rpc.admin_client.AdminClient.topics", lambda _self: 1 / 0)
    assert main(["topic", "list"]) == 1
    assert capfd.readouterr().err == "mq: internal error: ZeroDivisionError: division by zero (MQ_DEBUG=1 shows where)\n"
    monkeypatch.setenv("MQ_DEBUG", "1")
    assert main(["topic", "list"]) == 1
    assert "Traceback" in capfd.readouterr().err


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `mq` in a process of its own, which does not outlive the test."""
    with ExitStack() as processes:

        def run(*arguments: str, stdin: int | None = None, program: str = "") -> "subprocess.Popen[bytes]":
            command = [sys.executable, *([program] if program else ["-m", "mq.cli.main"]), *arguments]
            process = processes.enter_context(
                subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            )
            processes.callback(process.kill)
            return process

        yield run


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end, "it did not come about within 20 s"
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT between processes")
def test_ctrl_c_ends_quietly_with_130_and_says_goodbye(broker: FakeBroker, start: Start) -> None:
    broker.stored.append(MessageEncoder().encode("ID", b"one", born_ms=1))
    process = start("consume", "a", "--group", "b", "--follow", "--endpoint", broker.endpoint)
    wait_until(lambda: len(broker.acked) == 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, b"one\n", b"")
    assert broker.requests("NotifyClientTermination")


@pytest.mark.parametrize("waits", ["Connection.close = Connection.__del__", "MessageClient.say_goodbye"])
def test_ctrl_c_does_not_wait_for_a_channel_that_is_broken(broker: FakeBroker, start: Start, tmp_path: Path, waits: str) -> None:
    # What an interrupt amid gRPC's own bookkeeping leaves behind: a channel whose closing, or next call, waits for ever.
    program = tmp_path / "hanging.py"
    program.write_text(
        "import sys, threading\n"
        "from mq.cli.main import main\n"
        "from mq.rpc.calling import Connection\n"
        "from mq.rpc.message_client import MessageClient\n"
        f"{waits} = lambda self, *_: threading.Event().wait()\n"
        "sys.exit(main())\n"
    )
    broker.stored.append(MessageEncoder().encode("ID", b"one", born_ms=1))
    process = start("consume", "a", "--group", "b", "--follow", "--endpoint", broker.endpoint, program=str(program))
    wait_until(lambda: len(broker.acked) == 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130


def test_a_reader_that_has_seen_enough_ends_it_quietly_and_unacknowledged(broker: FakeBroker, start: Start) -> None:
    for number in range(32):
        broker.stored.append(MessageEncoder().encode(f"ID{number}", bytes(100_000), born_ms=1))
    process = start("consume", "a", "--group", "b", "--endpoint", broker.endpoint)
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(20) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert broker.acked == []


def test_the_lines_of_standard_input_are_sent_as_they_come(broker: FakeBroker, start: Start) -> None:
    process = start("send", "a", "-", "--endpoint", broker.endpoint, "-o", "json", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"first\n\n")
    process.stdin.flush()
    wait_until(lambda: len(broker.stored) == 1)
    process.stdin.write(b"".join(b"line %d\r\n" % number for number in range(250)) + b"last")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")
    assert b'"sent": 252' in out
    bodies = [v2.Message.FromString(raw).body for raw in broker.stored]
    assert bodies == [b"first", *(b"line %d" % number for number in range(250)), b"last"]


def unread_bytes(pipe: IO[bytes]) -> int:
    """What was written into a pipe, and nobody has read yet."""
    import fcntl  # noqa: PLC0415 - not on Windows
    import termios  # noqa: PLC0415

    pipe.flush()
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]  # type: ignore[no-any-return]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT between processes")
@pytest.mark.parametrize("lines", ["no line yet", "one line sent"])
def test_one_ctrl_c_ends_a_send_that_waits_for_a_line(lines: str, broker: FakeBroker, start: Start) -> None:
    process = start("send", "a", "-", "--endpoint", broker.endpoint, stdin=subprocess.PIPE)
    pipe = process.stdin
    assert pipe is not None
    pipe.write(b"\n" if lines == "no line yet" else b"first\n")
    wait_until(lambda: unread_bytes(pipe) == 0 and len(broker.stored) == (lines == "one line sent"))
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130, "standard input is open still"
    assert process.stderr is not None
    said = process.stderr.read()
    # Whether the answer has arrived by then is for the machine to say.
    assert said in ((b"",) if lines == "no line yet" else (b"", b"mq: before that, 1 message(s) were stored\n"))


def test_a_failure_is_told_at_once_also_when_no_other_line_comes(start: Start) -> None:
    port = free_port()
    process = start("send", "a", "-", "--endpoint", f"127.0.0.1:{port}", "--timeout", "0.5", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"first\n")
    process.stdin.flush()
    assert process.wait(20) == 3, "standard input is open still"
    assert process.stderr is not None
    said = process.stderr.read().decode()
    assert re.fullmatch(rf"mq: .*127\.0\.0\.1:{port}.*; is a broker running there\? Start one with: mq broker --data DIR\n", said)


def test_a_standard_input_that_cannot_be_read_is_told(broker: FakeBroker, start: Start, tmp_path: Path) -> None:
    with (tmp_path / "only to be written").open("wb") as file:
        process = start("send", "a", "-", "--endpoint", broker.endpoint, stdin=file.fileno())
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (1, b"mq: Bad file descriptor\n")


def test_empty_input_is_exit_code_1(broker: FakeBroker, start: Start) -> None:
    process = start("send", "a", "-", "--endpoint", broker.endpoint, stdin=subprocess.DEVNULL)
    process.communicate(timeout=20)
    assert process.returncode == 1


def test_following_survives_a_broker_that_goes_away(broker: FakeBroker, start: Start) -> None:
    broker.failures["ReceiveMessage"] = [grpc.StatusCode.UNAVAILABLE]
    broker.stored.append(MessageEncoder().encode("ID", b"one", born_ms=1))
    process = start("consume", "a", "--group", "b", "--follow", "--count", "1", "--endpoint", broker.endpoint)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, b"one\n")
    assert err.endswith(b"trying again\n")


def test_waiting_for_health_ends_when_the_broker_comes(start: Start) -> None:
    port = free_port()
    process = start("health", "--wait", "20", "--endpoint", f"127.0.0.1:{port}")
    broker = FakeBroker(port)
    try:
        out, _ = process.communicate(timeout=20)
    finally:
        broker.stop()
    assert process.returncode == 0
    assert b"broker-f" in out


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["topic", "create", "--help"]], ids=" ".join)
def test_help_loads_nothing_slow(arguments: list[str]) -> None:
    script = f"import sys; from mq.cli.main import main; code = main({arguments!r}); print(code, *sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    code, *modules = done.stderr.split()
    assert code == "0"
    assert "click" in modules
    slow = {"grpc", "google.protobuf", "rich", "asyncio", "yaml", "socket", "subprocess", "importlib.metadata"}
    assert slow.isdisjoint(modules)
