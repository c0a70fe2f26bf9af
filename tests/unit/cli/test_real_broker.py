"""The command line against a real broker in a process of its own."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from mq.cli.main import main
from mq.core.address import parse_address
from mq.proto import rocketmq_v2_pb2 as v2
from mq.rpc.client import AdminClient, Connection
from mq.server.disk import FileDisk
from tests.unit.cli.conftest import Ran
from tests.unit.cli.test_exit_codes import free_port

Mq = Callable[..., Ran]


@dataclass
class RealBroker:
    """A broker process and its data folder."""

    data: Path
    endpoint: str
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        command = ["broker", "--data", str(self.data), "--listen", self.endpoint, "--metrics", "", "--segment-bytes", "64KiB"]
        with (self.data.parent / "broker.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "mq.cli.main", *command], stdout=log, stderr=log)
        assert main(["health", "--wait", "30", "--endpoint", self.endpoint]) == 0

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    @property
    def log_lines(self) -> list[str]:
        return (self.data.parent / "broker.log").read_text().splitlines()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealBroker]:
    broker = RealBroker(tmp_path / "data", f"127.0.0.1:{free_port()}")
    broker.start()
    yield broker
    if broker.process is not None and broker.process.poll() is None:
        broker.process.kill()
        broker.process.wait()


@pytest.fixture
def mq(real: RealBroker, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Mq:
    monkeypatch.setenv("MQ_ENDPOINT", real.endpoint)
    capfdbinary.readouterr()

    def run(*arguments: str) -> Ran:
        code = main(arguments)
        out, err = capfdbinary.readouterr()
        return Ran(code, out.decode(), err.decode())

    return run


def test_what_is_sent_is_consumed_also_after_the_broker_was_killed(mq: Mq, real: RealBroker) -> None:
    assert mq("topic", "create", "orders", "--queues", "2").code == 0
    assert mq("topic", "create", "orders", "--queues", "2").code == 0
    assert mq("group", "create", "bakery", "--max-attempts", "3", "-o", "json").json["max_attempts"] == 3
    assert mq("send", "orders", "bread", "--count", "1000", "-o", "json").json["sent"] == 1000
    assert mq("send", "orders", "roll", "--tag", "t", "--key", "k").code == 0
    assert len(mq("consume", "orders", "--group", "bakery", "--count", "10").out.splitlines()) == 10
    real.stop(signal.SIGKILL)
    assert mq("topic", "list").code == 3
    real.start()
    mq("health")
    ran = mq("consume", "orders", "--group", "bakery", "--wait", "1", "-o", "json")
    bodies = [json.loads(line)["body"] for line in ran.out.splitlines()]
    assert (ran.code, len(bodies), len(set(bodies))) == (0, 991, 991)
    assert "roll" in bodies
    described = mq("group", "describe", "bakery", "-o", "json").json
    assert [queue["lag"] for queue in described["queues"]] == [0, 0]
    assert real.stop() == 0
    assert not [line for line in real.log_lines if "ERROR" in line or "Traceback" in line]


def test_every_kind_of_topic_takes_its_messages_and_no_others(mq: Mq) -> None:
    for kind in ("fifo", "Delay", "TRANSACTION"):
        assert mq("topic", "create", f"t-{kind}", "--type", kind, "--queues", "1").code == 0
    assert mq("send", "t-fifo", "a", "--group-key", "anna").code == 0
    assert mq("send", "t-Delay", "b", "--delay", "300ms").code == 0
    assert mq("consume", "t-Delay", "--group", "g", "--count", "1").out == "b\n"
    for topic in ("t-fifo", "t-TRANSACTION"):
        ran = mq("send", topic, "c")
        assert (ran.code, "40014" in ran.err) == (1, True)
    ran = mq("topic", "create", "t-fifo", "--type", "normal")
    assert (ran.code, "topic t-fifo exists with type FIFO; a type cannot be changed" in ran.err) == (1, True)
    ran = mq("send", "ghost", "c")
    assert (ran.code, "mq topic create ghost" in ran.err) == (1, True)


@pytest.mark.parametrize("what", ["topic", "group"])
@pytest.mark.parametrize("verb", ["describe", "delete"])
def test_a_name_that_is_not_there_is_no_reason_to_make_it(what: str, verb: str, mq: Mq) -> None:
    ran = mq(what, verb, "oders")
    assert ran.code == 1
    assert f"there is no {what} 'oders'; `mq {what} list` shows those that there are" in ran.err
    assert "create" not in ran.err


def test_of_a_topic_that_exists_it_is_told_what_was_changed_or_that_nothing_was(mq: Mq) -> None:
    assert mq("topic", "create", "bread", "--queues", "4").err == ""
    for again in ((), ("--queues", "4"), ("--queues", "4", "--type", "normal", "--permission", "read_write")):
        ran = mq("topic", "create", "bread", *again)
        assert (ran.code, ran.out.split()[-4:]) == (0, ["bread", "normal", "4", "read_write"])
        assert ran.err == "topic bread exists already, with type normal, 4 queues, read_write: nothing was changed\n"
    ran = mq("topic", "create", "bread", "--queues", "6", "--permission", "read")
    told = "existed already, and was changed: queues 4 before, 6 now; permission read_write before, read now"
    assert (ran.code, ran.err) == (0, f"topic bread {told}\n")
    ran = mq("topic", "create", "bread", "--queues", "5")
    assert (ran.code, "topic bread has 6 queues; their number may only grow" in ran.err) == (1, True)


def test_creating_again_changes_only_what_is_given(mq: Mq) -> None:
    assert mq("topic", "create", "plain", "-o", "json").json == {
        "name": "plain", "type": "normal", "queues": 8, "permission": "read_write",
    }  # fmt: skip
    strict = {"name": "strict", "type": "fifo", "queues": 12, "permission": "read"}
    assert mq("topic", "create", "strict", "--type", "fifo", "--queues", "12", "--permission", "read").code == 0
    assert mq("topic", "create", "strict", "-o", "json").json == strict
    assert mq("topic", "create", "strict", "--permission", "read_write", "-o", "json").json == {
        **strict,
        "permission": "read_write",
    }

    assert mq("group", "create", "plain", "-o", "json").json == {"name": "plain", "is_fifo": False, "max_attempts": 17}
    assert mq("group", "create", "strict", "--fifo", "--max-attempts", "3").code == 0
    assert mq("group", "create", "strict", "-o", "json").json == {"name": "strict", "is_fifo": True, "max_attempts": 3}
    assert mq("group", "create", "strict", "--max-attempts", "5", "-o", "json").json["is_fifo"]
    assert mq("group", "create", "strict", "--no-fifo", "-o", "json").json == {
        "name": "strict",
        "is_fifo": False,
        "max_attempts": 5,
    }


def test_a_group_goes_back_and_reads_again(mq: Mq) -> None:
    mq("topic", "create", "orders", "--queues", "1")
    mq("send", "orders", "bread", "--count", "5")
    assert len(mq("consume", "orders", "--group", "bakery", "--count", "5").out.splitlines()) == 5
    assert mq("consume", "orders", "--group", "bakery", "--wait", "0.2").code == 1
    assert mq("group", "reset", "bakery", "--to", "3", "--topic", "orders").code == 0
    assert mq("consume", "orders", "--group", "bakery", "--wait", "0.2").out == "bread 4\nbread 5\n"
    assert mq("group", "reset", "bakery", "--to", "earliest").code == 0
    assert len(mq("consume", "orders", "--group", "bakery", "--wait", "0.2").out.splitlines()) == 5


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT between processes")
@pytest.mark.parametrize("end", ["Ctrl-C", "head"])
def test_what_a_consume_that_ends_early_had_not_acknowledged_is_there_at_once(mq: Mq, real: RealBroker, end: str) -> None:
    """It received more than fits into the pipe, and stands in the middle of printing."""
    mq("topic", "create", "orders", "--queues", "1")
    mq("send", "orders", "x" * 10_000, "--count", "32")
    command = [sys.executable, "-m", "mq.cli.main", "consume", "orders", "--group", "bakery", "--endpoint", real.endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process, ExitStack() as ending:
        ending.callback(process.kill)
        assert process.stdout is not None
        assert process.stdout.read(10) == b"x" * 10
        if end == "Ctrl-C":
            process.send_signal(signal.SIGINT)
        else:
            process.stdout.close()
        assert process.wait(30) == (130 if end == "Ctrl-C" else 141)
    ran = mq("consume", "orders", "--group", "bakery", "--wait", "3", "-o", "json")
    assert ran.code == 0, "they are hidden still"
    assert [json.loads(line)["offset"] for line in ran.out.splitlines()] == list(range(32))


def test_stored_messages_are_found(mq: Mq) -> None:
    mq("topic", "create", "orders", "--queues", "1")
    sent = mq("send", "orders", "bread", "--count", "3", "--property", "colour=red", "-o", "json").json["messages"]
    found = mq("message", "query", "orders", "--id", sent[1]["message_id"], "-o", "json").json
    assert [(m["offset"], m["body"], m["properties"]) for m in found] == [(1, "bread 2", {"colour": "red"})]
    assert mq("message", "get", "orders", "0", "2", "-o", "json").json["message_id"] == sent[2]["message_id"]
    assert [m["offset"] for m in mq("message", "peek", "orders", "--offset", "1", "-o", "json").json] == [1, 2]


def test_a_quick_bench_gives_three_figures(mq: Mq) -> None:
    ran = mq("bench", "--seconds", "0.3", "-o", "json")
    assert ran.code == 0
    assert len(ran.json["figures"]) == 3
    assert all(figure["per_second"] > 0 and figure["messages"] > 0 for figure in ran.json["figures"])
    assert ran.err.endswith("remove it with: mq topic delete mq-bench\n")
    # How many of the sent ones are fetched in 0.3 s is for the machine to say: that is no matter of right or wrong.


def test_a_stopped_brokers_log_is_printed_and_nothing_is_changed(mq: Mq, real: RealBroker) -> None:
    mq("topic", "create", "orders", "--queues", "1")
    mq("send", "orders", "--count", "500", "--tag", "t")
    mq("consume", "orders", "--group", "bakery", "--count", "3")
    ran = mq("log", "dump", "--data", str(real.data))
    assert ran.code == 1
    assert re.search(r"in use by process \d+; stop it first", ran.err)
    real.stop()
    before = {path: path.read_bytes() for path in real.data.rglob("*") if path.is_file()}
    entries = [json.loads(line) for line in mq("log", "dump", "--data", str(real.data), "-o", "json").out.splitlines()]
    assert [entry["index"] for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[0]["command"] == "CreateTopic"
    assert entries[0]["fields"]["name"] == "orders"
    batches = [entry["fields"] for entry in entries if entry["command"] == "AppendMessages"]
    assert sum(batch["messages"] for batch in batches) == 500
    assert {batch["tags"] for batch in batches} == {"t"}
    text = mq("log", "dump", "--data", str(real.data)).out
    assert text.split("\n")[0].split() == ["INDEX", "TERM", "POSITION", "TIME", "COMMAND", "AND", "FIELDS"]
    assert "AppendMessages topic=orders queue_id=0 message_kind=normal" in text
    assert "CreateTopic name=orders message_kind=normal queues=1 permission=read_write" in text
    assert "picks=(queue_id=0 from_offset=0 first_offset=0 next_offset=3)" in text
    assert re.search(r"AckMessages group=bakery topic=orders deliveries=0:0:\d+,0:1:\d+,0:2:\d+\n", text)
    assert not re.search(r"QueuePick|True|False|\(\(", text)
    assert len(mq("log", "dump", "--data", str(real.data), "--from", "2", "--to", "3").out.splitlines()) == 3
    assert mq("log", "dump", "--data", str(real.data), "--from", "9999").code == 1
    assert {path: path.read_bytes() for path in real.data.rglob("*") if path.is_file()} == before


def statuses(ran: Ran) -> dict[str, str]:
    return {check["name"]: check["status"] for check in ran.json["checks"]}


def test_the_doctor_knows_a_folder_in_use_a_good_a_torn_and_a_damaged_one(mq: Mq, real: RealBroker) -> None:
    mq("topic", "create", "orders", "--queues", "1")
    mq("send", "orders", "--count", "9000")
    ran = mq("doctor", "--data", str(real.data), "-o", "json")
    assert statuses(ran)["broker"] == "ok"
    assert "a broker works in it" in ran.json["checks"][-1]["text"]
    real.stop()
    ran = mq("doctor", "--data", str(real.data), "-o", "json")
    assert (ran.code, ran.json["ok"], statuses(ran)["data"], statuses(ran)["broker"]) == (0, True, "ok", "warn")
    assert re.search(r"entries 1 to \d+ in \d+ segment", ran.json["checks"][-1]["text"])
    segments = sorted((real.data / "log").iterdir())
    assert len(segments) > 2
    damaged = bytearray(segments[1].read_bytes())
    damaged[damaged.index(b"orders")] ^= 1  # within a record: not every byte of a segment is written
    segments[1].write_bytes(damaged)
    ran = mq("doctor", "--data", str(real.data), "-o", "json")
    assert (ran.code, ran.json["ok"], statuses(ran)["data"]) == (1, False, "bad")
    assert segments[1].name in ran.json["checks"][-1]["text"]
    ran = mq("log", "dump", "--data", str(real.data))
    assert ran.code == 1
    assert segments[1].name in ran.err


def test_the_doctor_tells_a_file_from_a_folder(mq: Mq, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    assert f"{file} is a file, not a folder" in mq("doctor", "--data", str(file)).out
    assert f"{file} is a file, not a folder" in mq("log", "dump", "--data", str(file)).err


def test_an_address_of_another_machine_is_told_from_one_that_is_taken(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mq.cli.main", "broker", "--data", str(tmp_path), "--listen", "192.0.2.7:8081", "--metrics", ""],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot listen on 192.0.2.7:8081: " in done.stderr
    assert "is it an address of this machine?" in done.stderr
    assert "is another broker" not in done.stderr


def test_a_log_of_a_folder_that_is_no_data_folder_is_refused(mq: Mq, tmp_path: Path) -> None:
    assert mq("log", "dump", "--data", str(tmp_path / "nowhere")).code == 2
    ran = mq("doctor", "--data", str(tmp_path / "nowhere"), "-o", "json")
    assert statuses(ran)["data"] == "ok"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_broker_on_any_free_ports_says_which_and_tells_them_in_routes(host: str, tmp_path: Path) -> None:
    command = ["broker", "--data", str(tmp_path / "data"), "--listen", f"{host}:0", "--metrics", f"{host}:0"]
    with (
        subprocess.Popen([sys.executable, "-m", "mq.cli.main", *command], stderr=subprocess.PIPE, text=True) as process,
        ExitStack() as ending,
    ):
        ending.callback(process.kill)
        assert process.stderr is not None
        lines = [process.stderr.readline(), process.stderr.readline()]
        said = re.search(r"broker-a serves on (\S+); metrics on (http://\S+/)metrics$", lines[-1].rstrip())
        assert said, lines
        endpoint, metrics = said.groups()
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=1)
            request = v2.QueryRouteRequest(topic=v2.Resource(name="orders"))
            (queue,) = connection.call("QueryRoute", request, is_idempotent=True).message_queues
        (told,) = queue.broker.endpoints.addresses
        assert (told.host, told.port) == parse_address(endpoint, "endpoint")
        with urllib.request.urlopen(metrics + "readyz", timeout=10) as answer:
            assert (answer.status, answer.read()) == (200, b"ready\n")
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.parametrize("taken", ["--listen", "--metrics"])
def test_a_port_that_is_taken_is_said_in_one_line_and_nothing_else(taken: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        addresses = {"--listen": "127.0.0.1:0", "--metrics": "127.0.0.1:0", taken: f"127.0.0.1:{other.getsockname()[1]}"}
        command = ["broker", "--data", str(tmp_path / "data"), *(part for pair in addresses.items() for part in pair)]
        done = subprocess.run(
            [sys.executable, "-m", "mq.cli.main", *command], capture_output=True, text=True, timeout=30, check=False
        )
    assert done.returncode == 1
    opened, refused = done.stderr.splitlines()
    assert " opened " in opened
    assert f"the broker cannot start: {'metrics_listen' if taken == '--metrics' else 'listen'}: cannot listen on" in refused


def test_a_start_says_whether_the_folder_is_new(mq: Mq, real: RealBroker) -> None:
    assert real.log_lines[0].endswith("new, nothing is stored yet")
    mq("topic", "create", "orders")
    real.stop()
    real.start()
    assert re.search(
        r"log index 1 to 1, snapshot at 1, 0 entries replayed, read [\d.]+ \w+ of the log's end$", real.log_lines[-2]
    )


def test_a_bench_that_meets_a_dead_node_first_prints_no_traceback(real: RealBroker) -> None:
    """What gRPC has to tell of the dead one comes when it likes: with an event loop of its own for each figure, into the next."""
    dead = f"127.0.0.1:{free_port()}"
    for _ in range(6):
        done = subprocess.run(
            [sys.executable, "-m", "mq.cli.main", "bench", "--endpoint", f"{dead},{real.endpoint}", "--seconds", "0.3"],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert [line.partition(" ")[0] for line in done.stderr.splitlines()] == ["measuring", "the"], done.stderr


def test_a_bench_has_one_event_loop(mq: Mq, monkeypatch: pytest.MonkeyPatch) -> None:
    loops, new = [0], asyncio.new_event_loop

    def counted() -> asyncio.AbstractEventLoop:
        loops[0] += 1
        return new()

    monkeypatch.setattr(asyncio.events, "new_event_loop", counted)
    assert mq("bench", "--seconds", "0.1").code == 0
    assert loops == [1]


def test_a_bench_on_a_topic_in_use_neither_narrows_nor_proposes_to_delete_it(mq: Mq) -> None:
    mq("topic", "create", "orders", "--queues", "4")
    ran = mq("bench", "--topic", "orders", "--seconds", "0.1")
    assert (ran.code, "topic delete" in ran.err) == (0, False)
    assert mq("topic", "describe", "orders", "-o", "json").json["topic"]["queues"] == 4


def test_a_second_broker_on_the_same_folder_does_not_start(mq: Mq, real: RealBroker) -> None:
    command = ["broker", "--data", str(real.data), "--listen", f"127.0.0.1:{free_port()}", "--metrics", ""]
    done = subprocess.run(
        [sys.executable, "-m", "mq.cli.main", *command], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "; stop it, or give another --data" in done.stderr
    assert "Traceback" not in done.stderr
    real.stop()
    copy = real.data.parent / "copy"
    shutil.copytree(real.data, copy)
    disk = FileDisk(copy)
    try:
        assert mq("log", "dump", "--data", str(copy)).code == 1
    finally:
        disk.close()


def test_a_folder_without_a_log_is_told(mq: Mq, tmp_path: Path) -> None:
    ran = mq("log", "dump", "--data", str(tmp_path))
    assert (ran.code, ran.out, ran.err) == (1, "", f"mq: {tmp_path} holds no commit log\n")


def test_a_refusal_names_the_flag(mq: Mq) -> None:
    for kind in ("normal", "fifo", "delay"):
        mq("topic", "create", kind, "--type", kind)
    assert "--group-key KEY" in mq("send", "fifo", "x").err
    assert "--delay DURATION" in mq("send", "delay", "--count", "200").err
    assert "leave out --group-key and --delay" in mq("send", "normal", "x", "--delay", "5s").err
    # A whole millisecond passes on the way, or none does.
    assert re.search("(399 d 23 h|400 d) from now, at most 1 d", mq("send", "delay", "x", "--delay", "400d").err)
    assert "give --id" in mq("message", "query", "normal", "--key", "k").err
