"""An official client that sends through faults (`bench.failover_client`), and what it tells of them meanwhile."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.common import spawn, stop
from bench.local_group import Group, until
from mq.core.address import parse_address

__all__ = ["SendingClient", "sending_client"]

Failed = tuple[float, float, str]


class SendingClient:
    """The running client."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._ends: list[float] = []
        self._failed: list[Failed] = []

    def _look(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the client ended with exit code {self._process.wait()}")
        new = json.loads(line)
        self._ends += new["ends"]
        self._failed += [(begin, end, error) for begin, end, error in new["failed"]]

    def take(self) -> tuple[list[float], list[Failed]]:
        """When sends succeeded, in order, and which failed, since this was asked last; the last success comes again."""
        self._look()
        ends, failed = sorted(self._ends), self._failed
        self._ends, self._failed = ends[-1:], []
        return ends, failed

    def await_success(self, after: float) -> None:
        """Until a send has succeeded after this moment of the monotonic clock. Raises: RuntimeError."""

        def came() -> bool:
            self._look()
            return bool(self._ends) and max(self._ends) > after

        until(came, f"the client sends again, {time.monotonic() - after:.1f} s after the fault")

    def node(self, group: Group) -> str:
        """The name of the one node that it is connected to. Raises: RuntimeError."""
        names = {parse_address(node.endpoint, "client")[1]: node.name for node in group.nodes()}
        found: set[str] = set()

        def is_one() -> bool:
            connections = psutil.Process(self._process.pid).net_connections("tcp")
            ports = {getattr(one.raddr, "port", 0) for one in connections if one.status == "ESTABLISHED"}
            found.clear()
            found.update(names[port] for port in ports & names.keys())
            return len(found) == 1

        until(is_one, "the client is connected to one node")
        return next(iter(found))


@contextmanager
def sending_client(addresses: str, folder: Path) -> Iterator[SendingClient]:
    """The client, from its first success to the end of the block. addresses: HOST:PORT[;HOST:PORT...]."""
    # It writes a log below its home folder as soon as it is imported.
    environment = {**os.environ, "HOME": str(folder), "USERPROFILE": str(folder)}
    process = spawn(["-m", "bench.failover_client", addresses], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError(f"the client ended with exit code {process.wait()} before it sent")
        yield SendingClient(process)
    finally:
        stop(process, grace_s=1.0)
        if process.stdin is not None:
            process.stdin.close()
