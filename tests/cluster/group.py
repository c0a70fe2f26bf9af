"""A broker group of processes, three as a rule, for the tests of a module: broken on demand, whole again for the next test."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from types import TracebackType

import psutil

from mq.cluster.asking import Answer, ask_all, ask_broker, leader_of
from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import BROKER_COMMAND, ClusterPlan
from mq.core.address import parse_address
from mq.core.errors import MqError, RefusedError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import wait_until
from tests.cluster.history import Stored
from tests.cluster.load import read_queues

__all__ = ["Group", "Sent", "gap_s", "in_order", "without_accident"]

_WHOLE_S_MAX = 60.0
_SMALL = {"segment_bytes": "1MiB", "snapshot_every_bytes": "1MiB"}
"""So that there are several segments and snapshots, and little to read after a crash."""


class Group:
    """The nodes of one group, with a proxy between them. Use `with`: nothing outlives it.

    clients: HOST:PORT of each node by its name. command: starts a node, with the flags of `mq broker`. is_under_test: whether
    faults can be played (`cluster.play`).
    """

    def __init__(
        self, folder: Path, *, nodes: int = 3, command: Sequence[str] = BROKER_COMMAND, is_under_test: bool = False
    ) -> None:
        plan = ClusterPlan(nodes=nodes, base_port=0, command=tuple(command), settings=_SMALL, is_under_test=is_under_test)
        self.cluster = LocalCluster.up(folder, plan)
        file = ClusterFile.read(folder)
        self.folder = folder
        self.clients = {node.name: node.client for node in file.nodes}

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for node in self.cluster.status().nodes:
            if node.state == "paused":
                self.cluster.resume(node.name)
        self.cluster.down()

    @property
    def endpoint(self) -> str:
        """All nodes, as the official client takes them."""
        return ";".join(self.clients.values())

    @property
    def names(self) -> list[str]:
        return list(self.clients)

    @property
    def logs(self) -> str:
        """What all nodes said."""
        return "".join(line for name in self.names for line in self.cluster.logs(name))

    def log_of(self, name: str) -> str:
        return "".join(self.cluster.logs(name))

    # --- who is what

    def answers(self) -> dict[str, Answer | None]:
        """What each running node says of itself."""
        return ask_all(self.cluster.status().nodes, ask_broker)

    def leader(self, *, but: str = "", limit_s: float = _WHOLE_S_MAX) -> str:
        """The name of the node that leads; waits for one. but: another one than this."""

        def found() -> str:
            nodes = [node for node in self.cluster.status().nodes if node.name != but]
            return next(iter(leader_of(nodes, ask_all(nodes, ask_broker)).values()), "")

        return str(wait_until(found, "the group has a leader", limit_s=limit_s))

    def voters(self) -> set[tuple[int, ...]]:
        """Who decides, as each node says; empty for one that does not answer, or is just being made a voter."""
        found: set[tuple[int, ...]] = set()
        for client in self.clients.values():
            try:
                with Connection(client, timeout_s=5.0) as connection:
                    view = AdminClient(connection).describe_raft()
            except MqError:
                found.add(())
            else:
                found.add(view.voters if view.part == "full" and not view.is_changing else ())
        return found

    def others(self, name: str) -> list[str]:
        """All nodes but this one."""
        return [other for other in self.names if other != name]

    def asked_follower(self) -> str:
        """A node that follows, which an official client asks: it takes the first address of a route that answers, and stays."""
        asked = min(self.names, key=lambda name: parse_address(self.clients[name], name))
        self.make_leader(self.others(asked)[0])
        return asked

    def is_open(self, name: str) -> bool:
        """Whether somebody listens for clients there."""
        try:
            socket.create_connection(parse_address(self.clients[name], "client"), 1.0).close()
        except OSError:
            return False
        return True

    def node_of(self, pid: int) -> str:
        """The node that the official clients of a process are connected to, and no other."""
        ports = {parse_address(client, "client")[1]: name for name, client in self.clients.items()}
        connections = [one for one in psutil.Process(pid).net_connections() if one.status == "ESTABLISHED"]
        remote = {getattr(one.raddr, "port", 0) for one in connections}
        found = {name for port, name in ports.items() if port in remote}
        assert len(found) == 1, found
        return found.pop()

    def state_of(self, name: str) -> str:
        """running, paused or stopped."""
        return next(node.state for node in self.cluster.status().nodes if node.name == name)

    # --- what is done to it

    def kill_leader(self) -> str:
        """SIGKILL to whoever leads; who that was."""
        leader = self.leader()
        self.cluster.kill(leader)
        return leader

    def make_leader(self, name: str) -> None:
        """Let leaders stand still until this node leads; no connection of a client breaks."""
        while (leader := self.leader()) != name:
            self.cluster.pause(leader)
            self.leader(but=leader)
            self.cluster.resume(leader)
            self.mend()

    def hand_over(self, name: str) -> None:
        """Leadership goes to this node, as an operator orders it; comes back when it leads."""

        def leads() -> bool:
            if self.leader() == name:
                return True
            with Connection(",".join(self.clients.values())) as connection, suppress(RefusedError):  # it may be behind for now
                AdminClient(connection).transfer_leadership(self.names.index(name) + 1)
            return False

        wait_until(leads, f"{name} leads", limit_s=_WHOLE_S_MAX)

    def wipe(self, name: str) -> None:
        """SIGKILL, and the disk is lost; the node is started again with an empty folder."""
        self.cluster.kill(name)
        self.cluster.wipe(name)
        self.cluster.start(name, is_awaited=False)

    def mend(self) -> None:
        """Nothing is cut, paused or dead any more; comes back when all nodes serve and follow one leader."""
        self.cluster.heal()
        for node in self.cluster.status().nodes:
            if node.state == "paused":
                self.cluster.resume(node.name)
            elif node.state == "stopped":
                self.cluster.start(node.name, is_awaited=False)
        wait_until(self._is_whole, "all nodes serve, and one of them leads", limit_s=_WHOLE_S_MAX)

    def _is_whole(self) -> bool:
        roles = Counter(answer.role if answer is not None else "" for answer in self.answers().values())
        return roles == {"leader": 1, "follower": len(self.names) - 1}

    # --- what is stored

    def stored(self, topic: str, queues: int = 4) -> list[Stored]:
        """All that a topic holds, by queue and offset; every node must come to hold the same."""
        found: list[list[Stored]] = []

        def agree() -> bool:
            try:
                found[:] = [asyncio.run(read_queues(client, topic, queues)) for client in self.clients.values()]
            except RefusedError:
                return False  # a node has not heard of the topic yet
            return all(one == found[0] for one in found)

        wait_until(agree, f"all nodes hold the same of {topic}")
        for queue_id in range(queues):
            offsets = [one.offset for one in found[0] if one.queue_id == queue_id]
            assert offsets == list(range(len(offsets))), f"queue {queue_id}: an offset is missing, or there twice"
        return found[0]


@contextmanager
def without_accident(folder: Path, *, command: Sequence[str] = BROKER_COMMAND) -> Iterator[Group]:
    """A group of which, whatever is done to it, no node may have met a defect of its own when it ends."""
    with Group(folder, command=command) as made:
        yield made
        logs = made.logs
    bad = [line for line in logs.splitlines() if "Traceback" in line or " ERROR " in line]
    assert bad == [], logs[logs.index(bad[0]) :][:3000]


class Sent:
    """One message that an official client sent again and again until it knew, or gave up. Times are of the monotonic clock.

    error: why it gave up, or empty.
    """

    def __init__(self, began_s: float, ended_s: float, body: str, error: str) -> None:
        self.began_s, self.ended_s, self.body, self.error = began_s, ended_s, body, error

    def __repr__(self) -> str:
        return f"Sent({self.body!r}, {self.ended_s - self.began_s:.3f} s, {self.error!r})"


def gap_s(sent: Iterable[Sent], after_s: float) -> float:
    """The longest time without any acknowledgement of those that were running, or began, after a moment."""
    ends = sorted(one.ended_s for one in sent if not one.error)
    return max((later - earlier for earlier, later in pairwise(ends) if later > after_s), default=float("inf"))


def in_order(stored: Iterable[Stored]) -> list[str]:
    """Violations of the order in which each caller sent; bodies are `CALLER NUMBER`."""
    last: dict[str, int] = {}
    wrong = []
    for one in stored:
        caller, number = one.body.decode().split()
        if int(number) <= last.get(caller, -1):
            wrong.append(f"{one.body!r} comes after number {last[caller]}")
        last[caller] = int(number)
    return wrong
