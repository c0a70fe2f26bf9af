"""The demo itself: two groups of three brokers, a registry, two customers, and the moment in which a leader dies."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mq.chaos.notes import TraceNotes
from mq.cli.demo_record import read_record
from mq.cluster.asking import ask_all, ask_broker, leader_of
from mq.cluster.errors import ClusterError
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.cluster.polling import poll_until
from mq.core.errors import MqError
from mq.core.message import MessageKind
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection

__all__ = ["CLUSTER_FOLDER", "Demo", "DemoError", "say"]

CLUSTER_FOLDER = "cluster"
"""Where in the demo's folder its brokers are, for `mq cluster`, too."""

_TOPIC, _GROUP = "orders", "bakery"
_END_LIMIT_S, _LEADER_LIMIT_S = 120.0, 20.0
_SETTINGS = {"segment_bytes": "8MiB"}
"""Less to read for the broker that comes back."""
_QUEUES = 8


class DemoError(Exception):
    """The demo could not be shown."""


def say(text: str) -> None:
    """For people, beside the figures."""
    print(text, file=sys.stderr, flush=True)


@dataclass
class Demo:
    """The running processes, and where their output goes.

    killed: the leader that was killed; killed_ms, replaced_ms: when, and when another one was known to lead, by the wall clock.
    killed_trace_ms: the former by the traces' clock.
    """

    folder: Path
    count: int
    killed: str = ""
    killed_ms: int = 0
    killed_trace_ms: int = 0
    replaced_ms: int = 0
    _others: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @cached_property
    def cluster(self) -> LocalCluster:
        """Two groups of three brokers, with their traces, and a registry. Raises: DemoError."""
        settings = {**_SETTINGS, "trace": str(self.traces.absolute() / "{name}-{node}.trace")}
        self.traces.mkdir(parents=True, exist_ok=True)
        try:
            plan = ClusterPlan(groups=2, nodes=3, registries=1, base_port=0, settings=settings, is_direct=True)
            return LocalCluster.up(self.folder / CLUSTER_FOLDER, plan)
        except MqError as error:
            raise DemoError(str(error)) from error

    @property
    def traces(self) -> Path:
        """The folder of the brokers' traces."""
        return self.folder / "traces"

    @property
    def group(self) -> str:
        """Of the leader that was killed."""
        return self.killed.rpartition("-")[0]

    def leader(self, group: str, *, but: str = "") -> str:
        """The name of the broker that leads a group; waits for one. but: it is dead, which others may not know yet.

        Raises: DemoError.
        """
        found: list[str] = []

        def is_known() -> bool:
            nodes = [node for node in self.cluster.status().nodes if node.group == group]
            found[:] = [name for name in leader_of(nodes, ask_all(nodes, ask_broker)).values() if name != but]
            return bool(found)

        if not poll_until(is_known, _LEADER_LIMIT_S):
            raise DemoError(f"no broker of {group} leads; their logs are in {self.folder / CLUSTER_FOLDER / 'logs'}")
        return found[0]

    def show(self) -> None:
        """The whole story, in five sentences. Raises: DemoError."""
        say("1. two groups of three brokers, and a registry that knows them")
        status = self.cluster.status()
        say(f"   {status.registries[0].name} on {status.endpoint}")
        for group in sorted({node.group for node in status.nodes}):
            addresses = ", ".join(f"{node.name} on {node.client}" for node in status.nodes if node.group == group)
            say(f"   {addresses}; {self.leader(group)} leads")
        self._make_topic()
        say(f"   topic {_TOPIC}: {_QUEUES} queues, half of them at each group")
        say("2. an official RocketMQ push consumer, and an official producer that sends; they know the registry alone")
        consumer = self._client("consume", "consume")
        assert consumer.stdout is not None
        consumer.stdout.readline()
        self._client("offer", "produce")
        self.wait_until("acknowledged", "produce.txt", self.count // 2)
        self.kill_the_leader()
        self.wait_until("acknowledged", "produce.txt", self.count)
        self.wait_until("consumed", "consume.txt", self.count)
        self._bring_back()

    def _make_topic(self) -> None:
        try:
            with Connection(self.cluster.status().endpoint) as connection:
                admin = AdminClient(connection)
                admin.create_topic(_TOPIC, kind=MessageKind.NORMAL, queues=_QUEUES)
                admin.create_group(_GROUP)
        except MqError as error:
            raise DemoError(f"the topic cannot be made: {error}") from error

    def kill_the_leader(self) -> None:
        """SIGKILL for the broker that leads the first group; returns when another one does. Raises: DemoError."""
        self.killed = self.leader(self.cluster.status().nodes[0].group)
        number = next(node.node for node in self.cluster.status().nodes if node.name == self.killed)
        notes = TraceNotes(self.traces / "zz-demo.trace")
        self.killed_ms = time.time_ns() // 1_000_000
        with notes.doing(number, "kill") as began_us:  # the effect takes no longer than the signal: the moment before it counts
            self.killed_trace_ms = began_us // 1000
            self.cluster.kill(self.killed)
        notes.close()
        say(f"3. SIGKILL: {self.killed}, the leader, is dead, in mid-stream; the other group goes on")
        leader = self.leader(self.group, but=self.killed)
        self.replaced_ms = time.time_ns() // 1_000_000
        say(f"4. {leader} leads; nobody told the producer, and it goes on")

    def _bring_back(self) -> None:
        try:
            self.cluster.start(self.killed)
        except ClusterError as error:
            raise DemoError(f"{self.killed} does not come back: {error}") from error

        def has_all() -> bool:
            members = [node for node in self.cluster.status().nodes if node.group == self.group]
            answers = ask_all(members, ask_broker).values()
            return len({answer.last_index if answer is not None else -1 for answer in answers}) == 1

        if not poll_until(has_all, _LEADER_LIMIT_S):
            raise DemoError(f"{self.killed} does not catch up; its log is in {self.folder / CLUSTER_FOLDER / 'logs'}")
        say(f"5. {self.killed} is back, and has all that it missed")

    def _client(self, role: str, name: str) -> "subprocess.Popen[bytes]":
        # The official client writes a log below its home folder as soon as it is imported; nothing goes outside of ours.
        home = str((self.folder / "home").absolute())
        endpoint = self.cluster.status().endpoint
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "mq.cli.demo_clients",
                    role, endpoint, _TOPIC, _GROUP, str(self.count), str(self.folder / f"{name}.txt"),
                ],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE if role == "consume" else log, stderr=log,
                env={**os.environ, "HOME": home, "USERPROFILE": home},
            )  # fmt: skip
        self._others.append(process)
        return process

    def wait_until(self, what: str, file: str, reached: int) -> None:
        """Until so many orders stand in a customer's file; says how many there are meanwhile. Raises: DemoError."""
        end, shown = time.monotonic() + _END_LIMIT_S, 0
        while True:
            seen = len({record.order for record in read_record(self.folder / file)})
            if seen >= reached:
                if reached == self.count:
                    say(f"   all {reached} orders {what}")
                return
            if seen >= shown + self.count // 4:
                shown = seen - seen % (self.count // 4)
                say(f"   {seen} orders {what}")
            if time.monotonic() > end:
                raise DemoError(f"only {seen} of {reached} orders were {what} within {_END_LIMIT_S:.0f} s; see {self.folder}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End all processes that were started."""
        for process in self._others:
            process.kill()
            process.wait()
        if "cluster" in self.__dict__:
            self.cluster.down()
