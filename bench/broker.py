"""The broker under measurement: started as a user starts it, in a process of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.common import Measured, Peer, free_port, spawn, stop
from bench.http2 import unary
from mq.proto import broker_v1_pb2 as pb

__all__ = ["QUEUES", "bytes_read", "create_topic", "describe", "forget_cached", "kill", "serving"]

SERVICE = "raftmq.broker.v1.Broker"
QUEUES = 8
COMMAND = ("-m", "mq.cli.main", "broker")
_OK = 20000
_SERVES_WITHIN_S = 60.0


@contextmanager
def serving(folder: Path, *, with_topic: bool = True) -> Iterator[Peer]:
    """A broker with its data in `folder`, from the first answered call to the end of the block.

    `ready` holds its port, and in `seconds` how long it took from the start of the process to the first answer.
    What it logs goes to `broker.log` beside its data.
    """
    port = free_port()
    # As a user's, whatever the variables of this shell; its metrics on any free port, for other brokers may run here.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MQ_BROKER_")}
    environment["MQ_BROKER_METRICS_LISTEN"] = "127.0.0.1:0"
    with (folder / "broker.log").open("a") as log:
        begin = time.perf_counter()
        process = spawn(
            [*COMMAND, "--data", str(folder / "data"), "--listen", f"127.0.0.1:{port}"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_serving(process, port, folder)
        peer = Peer(process, {"port": port, "seconds": time.perf_counter() - begin}, "broker")
        if with_topic:
            create_topic(peer)
        yield peer
    finally:
        stop(process)


def wait_serving(process: "subprocess.Popen[str]", port: int, folder: Path) -> None:
    """Wait until the broker answers a call. Raises: RuntimeError."""
    end = time.perf_counter() + _SERVES_WITHIN_S
    while time.perf_counter() < end:
        try:
            unary(f"127.0.0.1:{port}", f"/{SERVICE}/DescribeBroker", b"")
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.005)  # polled, since a broker has no other way to say that it serves
        else:
            return
    last = (folder / "broker.log").read_text().splitlines()[-20:]
    raise RuntimeError("the broker does not serve; the end of its log:\n" + "\n".join(last))


def create_topic(broker: Measured, name: str = "bench") -> None:
    """A topic of NORMAL messages with 8 queues."""
    request = pb.CreateTopicRequest(name=name, queues=QUEUES).SerializeToString()
    reply = pb.CreateTopicResponse.FromString(unary(broker.endpoint, f"/{SERVICE}/CreateTopic", request))
    if reply.code != _OK:
        raise RuntimeError(f"topic {name}: {reply.code} {reply.message}")


def describe(broker: Peer) -> pb.DescribeBrokerResponse:
    """What the broker says about itself."""
    return pb.DescribeBrokerResponse.FromString(unary(broker.endpoint, f"/{SERVICE}/DescribeBroker", b""))


def bytes_read(broker: Peer) -> tuple[int, int]:
    """Bytes that the process has read so far: by system calls, and from the disk (the others were cached). Linux only."""
    lines = Path(f"/proc/{broker.process.pid}/io").read_text().splitlines()
    fields = {name: int(value) for name, value in (line.split(": ") for line in lines)}
    return fields["rchar"], fields["read_bytes"]


def kill(broker: Peer) -> None:
    """SIGKILL: no chance to finish anything."""
    os.kill(broker.process.pid, signal.SIGKILL)
    broker.process.wait()


def forget_cached(folder: Path) -> None:
    """Let the system forget the cached contents of all files in the folder, so that reading them means the disk."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
