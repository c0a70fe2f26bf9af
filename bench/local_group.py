"""A broker group under measurement: three nodes, started as `mq cluster up --direct` does, and bound to die with the run."""

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.broker import SERVICE, create_topic
from bench.common import cpu_s_of, memory_bytes_of
from bench.http2 import unary
from mq.cluster.asking import Answer, ask_all, leader_of
from mq.cluster.backend import NodeInfo
from mq.cluster.local import LocalCluster
from mq.cluster.plan import BROKER_COMMAND, ClusterPlan
from mq.core.address import parse_address
from mq.proto import broker_v1_pb2 as pb

__all__ = ["Group", "Node", "local_group", "until"]

_OK = 20000
_ASK_S_MAX = 1.0
_TELL_S_MAX = 5.0
_WHOLE_S_MAX = 60.0
_POLL_S = 0.02


def until(is_so: Callable[[], bool], what: str, limit_s: float = _WHOLE_S_MAX) -> None:
    """Ask again and again until the answer is yes. Raises: RuntimeError when it does not come in time."""
    end = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {limit_s:g} s: {what}")
        time.sleep(_POLL_S)  # nobody announces it


def _ask(client: str) -> Answer | None:
    # Without gRPC: a process that starts others has one thread, so that nothing is held while it forks.
    try:
        raw = unary(client, f"/{SERVICE}/DescribeBroker", b"", _ASK_S_MAX)
    except OSError:
        return None
    found = pb.DescribeBrokerResponse.FromString(raw)
    return Answer(found.node_id, found.role, found.last_index) if found.code == _OK else None


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a group; see `bench.common.Measured`."""

    name: str
    number: int
    endpoint: str
    pid: int

    def cpu_s(self) -> float:
        """Processor time that it has used so far, in seconds, all threads."""
        return cpu_s_of(self.pid)

    def memory_bytes(self) -> int:
        """Resident memory now."""
        return memory_bytes_of(self.pid)

    def is_listening(self) -> bool:
        """Whether somebody listens for clients there."""
        try:
            socket.create_connection(parse_address(self.endpoint, "client"), _ASK_S_MAX).close()
        except OSError:
            return False
        return True


class Group:
    """Three nodes. cluster: what can be done to them."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.cluster = cluster

    def nodes(self) -> list[Node]:
        """Those that run."""
        return [Node(info.name, info.node, info.client, info.pid or 0) for info in self._running()]

    def _running(self) -> list[NodeInfo]:
        return [info for info in self.cluster.status().nodes if info.state == "running"]

    def leader(self) -> Node:
        """Who leads now; waits for one. Raises: RuntimeError."""
        found: list[str] = []

        def leads() -> bool:
            running = self._running()
            found[:] = leader_of(running, ask_all(running, _ask)).values()
            return bool(found)

        until(leads, "the group has a leader")
        return next(node for node in self.nodes() if node.name == found[0])

    def followers(self) -> list[Node]:
        """The others that run."""
        leader = self.leader()
        return [node for node in self.nodes() if node.name != leader.name]

    def states(self) -> list[pb.DescribeRaftResponse]:
        """What each running node says of its part in Raft. Raises: OSError when one does not answer."""
        request = pb.DescribeRaftRequest().SerializeToString()
        raws = [unary(node.endpoint, f"/{SERVICE}/DescribeRaft", request, _TELL_S_MAX) for node in self.nodes()]
        return [pb.DescribeRaftResponse.FromString(raw) for raw in raws]

    def term(self) -> int:
        """The highest that any running node knows. Raises: RuntimeError when one does not answer for long."""
        found: list[int] = []

        def is_known() -> bool:
            try:
                found[:] = [int(state.term) for state in self.states()]
            except OSError:
                return False
            return True

        until(is_known, "all nodes tell their terms")
        return max(found)

    def await_whole(self) -> None:
        """Until all nodes run, one leads, and the others hold all that its log held when this was asked. Raises: RuntimeError."""
        wanted: list[int] = []

        def is_whole() -> bool:
            try:
                states = self.states()
            except OSError:
                return False
            if sorted(state.role for state in states) != ["follower", "follower", "leader"]:
                return False
            if not wanted:
                wanted.append(next(int(state.last_index) for state in states if state.role == "leader"))
            return all(int(state.applied_index) >= wanted[0] for state in states)

        until(is_whole, "all nodes follow one leader and have caught up")

    def let_lead(self, name: str) -> None:
        """Hand leadership over to this node; its clients stay connected. Raises: RuntimeError."""

        def leads() -> bool:
            leader = self.leader()
            if leader.name == name:
                return True
            number = next(node.number for node in self.nodes() if node.name == name)
            request = pb.TransferLeadershipRequest(to=number).SerializeToString()
            try:
                unary(leader.endpoint, f"/{SERVICE}/TransferLeadership", request)
            except OSError:
                return False
            return self.leader().name == name

        until(leads, f"{name} leads")


def _bound_command() -> tuple[str, ...]:
    """Starts a node that does not outlive the run, even a killed one. Linux only; elsewhere `local_group` alone cleans up."""
    binder = shutil.which("setpriv")
    return (binder, "--pdeathsig", "KILL", *BROKER_COMMAND) if binder else BROKER_COMMAND


@contextmanager
def local_group(folder: Path, *, settings: Mapping[str, str] | None = None, with_topic: bool = True) -> Iterator[Group]:
    """A new group with its data in `folder`, from when every node answers and one leads to the end of the block."""
    plan = ClusterPlan(base_port=0, is_direct=True, settings=settings or {}, command=_bound_command())
    cluster = LocalCluster.up(folder / f"group-{os.urandom(4).hex()}", plan, ask=_ask)
    try:
        group = Group(cluster)
        if with_topic:
            create_topic(group.leader())
        yield group
    finally:
        # Killed, not stopped: nothing of it is used again, and a node that stands still could not end in good order.
        for info in cluster.status().nodes:
            if info.state != "stopped":
                cluster.kill(info.name)
