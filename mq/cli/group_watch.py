"""Asking all nodes of a group again and again: how each is, and how fast it goes."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

from mq.cli.options import LOOK_S_MAX
from mq.client.raft_views import RaftView
from mq.core.address import show_address
from mq.core.errors import MqError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection, parse_endpoints

__all__ = ["COLUMNS", "GroupWatch", "NodeLine", "leader_of", "members_text", "row_of"]

COLUMNS = (
    "node",
    "role",
    "term",
    "leader",
    "first",
    "last",
    "durable",
    "commit",
    "applied",
    "snapshot",
    "lag",
    "per s",
    "client",
)


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One node at one moment.

    view: None when it does not answer. per_s: entries that it applied per second since the look before. lag: entries that it has
    not applied, of those that any node knows as committed.
    """

    client: str
    node: int | None
    view: RaftView | None
    per_s: float | None
    lag: int | None


class GroupWatch:
    """Use `with`. endpoints: HOST:PORT[,...] of some nodes; the others are found by what these say of their group.

    timeout_s: of one call; a node that takes longer does not answer.
    """

    def __init__(self, endpoints: str, *, timeout_s: float = LOOK_S_MAX) -> None:
        self._timeout_s = timeout_s
        self._clients: dict[str, int | None] = dict.fromkeys(map(show_address, parse_endpoints(endpoints)))
        self._connections: dict[str, Connection] = {}
        self._before: dict[str, tuple[float, int]] = {}

    def __enter__(self) -> "GroupWatch":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for connection in self._connections.values():
            connection.__exit__(kind, error, traceback)

    def look(self) -> list[NodeLine]:
        """All nodes as they are now, by number; those that do not answer come last, but where their number is known."""
        views = self._ask(list(self._clients))
        for view in list(views.values()):
            self._learn(view)
        views.update(self._ask([client for client in self._clients if client not in views]))
        commit_index = max((view.commit_index for view in views.values() if view is not None), default=0)
        lines = [self._line(client, view, commit_index) for client, view in views.items()]
        return sorted(lines, key=lambda line: (line.node is None, line.node or 0, line.client))

    def _learn(self, view: RaftView | None) -> None:
        if view is None:
            return
        members = {*view.voters, *view.old_voters, *view.learners}
        for address in view.addresses:
            if address.client and address.node in members:
                self._clients[address.client] = address.node

    def _ask(self, clients: Sequence[str]) -> dict[str, RaftView | None]:
        if not clients:
            return {}
        with ThreadPoolExecutor(len(clients)) as pool:
            return dict(zip(clients, pool.map(self._ask_one, clients), strict=True))

    def _ask_one(self, client: str) -> RaftView | None:
        connection = self._connections.get(client)
        if connection is None:
            connection = self._connections[client] = Connection(client, timeout_s=self._timeout_s)
        try:
            return AdminClient(connection).describe_raft()
        except MqError:
            connection.close()  # one that failed would wait before it tries again
            del self._connections[client]
            return None

    def _line(self, client: str, view: RaftView | None, commit_index: int) -> NodeLine:
        if view is None:
            self._before.pop(client, None)
            return NodeLine(client, self._clients.get(client), None, None, None)
        self._clients[client] = view.node
        now_s, before = time.monotonic(), self._before.get(client)
        self._before[client] = (now_s, view.applied_index)
        per_s = None
        if before is not None and now_s > before[0] and view.applied_index >= before[1]:
            per_s = (view.applied_index - before[1]) / (now_s - before[0])
        return NodeLine(client, view.node, view, per_s, max(0, commit_index - view.applied_index))


def leader_of(lines: Sequence[NodeLine]) -> RaftView | None:
    """The leader of the highest term."""
    leaders = [line.view for line in lines if line.view is not None and line.view.role == "leader"]
    return max(leaders, key=lambda view: view.term, default=None)


def row_of(line: NodeLine) -> tuple[object, ...]:
    """The cells of a node, below `COLUMNS`."""
    view = line.view
    if view is None:
        return ("?" if line.node is None else line.node, "no answer", *["-"] * (len(COLUMNS) - 3), line.client)
    is_learner = view.node in view.learners
    role = view.part if view.part in {"asking", "rejoining", "learning"} else "learner" if is_learner else view.role
    return (
        view.node, role, view.term, "-" if view.leader is None else view.leader, view.first_index, view.last_index,
        view.durable_index, view.commit_index, view.applied_index, view.snapshot_index, line.lag,
        "-" if line.per_s is None else round(line.per_s), line.client,
    )  # fmt: skip


def members_text(view: RaftView) -> str:
    """Who belongs to the group, in words."""
    parts = ["voters " + ", ".join(map(str, view.voters))]
    if view.old_voters:
        parts.append("and until the change is done " + ", ".join(map(str, view.old_voters)))
    if view.learners:
        parts.append("learners " + ", ".join(map(str, view.learners)))
    if view.is_transferring:
        parts.append("leadership is being handed over")
    return "; ".join(parts)
