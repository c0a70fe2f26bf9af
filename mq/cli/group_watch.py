"""Asking all nodes of a group again and again: how each is, and how fast it goes."""

import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

from mq.cli.group_members import Key, Member, by_node, members_of, owner_of
from mq.cli.options import LOOK_S_MAX
from mq.client.raft_views import RaftView
from mq.core.address import show_address
from mq.core.errors import MqError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection, parse_endpoints

__all__ = ["COLUMNS", "GroupWatch", "NodeLine", "leader_of", "members_text", "remarks_on", "row_of"]

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
_NO_ANSWER = "no answer: dead, paused, or it turns clients away because it hears no leader; `mq cluster status` tells"
_NO_CLIENT = "not known"
_COPIES = {"async": "asynchronous", "sync": "synchronous"}


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One node at one moment, or an address without an answer of which nobody knows the node.

    client: where it answers, or else is to be reached; empty when that is not known. view: None when it does not answer.
    per_s: entries that it applied per second since the look before. lag: entries that it has not applied, of those that any
    node knows as committed.
    """

    client: str
    node: int | None
    view: RaftView | None = None
    is_learner: bool = False
    per_s: float | None = None
    lag: int | None = None


class GroupWatch:
    """Use `with`. endpoints: HOST:PORT[,...] of some nodes; the others are found by what these say of their group.

    A node that answered at one address is not asked at others: those of another network may take until the limit, each time.
    timeout_s: of one call; a node that takes longer does not answer.
    """

    def __init__(self, endpoints: str, *, timeout_s: float = LOOK_S_MAX) -> None:
        self._timeout_s = timeout_s
        self._given = tuple(dict.fromkeys(map(show_address, parse_endpoints(endpoints))))
        self._found: tuple[str, ...] = ()  # where nodes answered last
        self._members: dict[Key, Member] = {}
        self._connections: dict[str, Connection] = {}
        self._before: dict[Key, tuple[float, int]] = {}

    def __enter__(self) -> "GroupWatch":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for connection in self._connections.values():
            connection.__exit__(kind, error, traceback)

    def look(self) -> list[NodeLine]:
        """All nodes as they are now, each once, by number; last come addresses without an answer that are no member's."""
        asked: dict[str, RaftView | None] = {}
        answered: dict[Key, tuple[str, RaftView]] = {}
        to_ask = dict.fromkeys((*self._given, *self._found))
        while to_ask:
            asked.update(self._ask(list(to_ask)))
            answered = by_node(asked)
            self._learn([view for _, view in answered.values()])
            silent = [member for key, member in self._members.items() if key not in answered]
            to_ask = dict.fromkeys(client for member in silent for client in member.clients if client not in asked)
        self._found = tuple(client for client, _ in answered.values())
        self._before = {key: before for key, before in self._before.items() if key in answered}
        commit_index = max((view.commit_index for _, view in answered.values()), default=0)
        lines = [self._line(client, view, commit_index) for client, view in answered.values()]
        lines += self._silent_lines([client for client in self._given if asked[client] is None], answered.keys())
        return sorted(lines, key=lambda line: (line.node is None, line.node or 0, line.client))

    def _learn(self, views: list[RaftView]) -> None:
        """What is known of a group holds until one of its nodes says otherwise."""
        names = {view.name for view in views}
        self._members = {key: member for key, member in self._members.items() if key[0] not in names} | members_of(views)

    def _silent_lines(self, clients: Sequence[str], answered: Collection[Key]) -> list[NodeLine]:
        """Members without an answer, and those of the given addresses without one that belong to no member."""
        owners = {client: owner_of(client, self._members) for client in clients}
        lines = [NodeLine(client, None) for client, owner in owners.items() if owner is None]
        for key, member in self._members.items():
            if key not in answered:
                given = [client for client, owner in owners.items() if owner == key]
                lines.append(NodeLine(next(iter((*given, *member.clients)), ""), key[1], is_learner=member.is_learner))
        return lines

    def _ask(self, clients: Sequence[str]) -> dict[str, RaftView | None]:
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

    def _line(self, client: str, view: RaftView, commit_index: int) -> NodeLine:
        key = (view.name, view.node)
        now_s, before = time.monotonic(), self._before.get(key)
        self._before[key] = (now_s, view.applied_index)
        per_s = None
        if before is not None and now_s > before[0] and view.applied_index >= before[1]:
            per_s = (view.applied_index - before[1]) / (now_s - before[0])
        lag = max(0, commit_index - view.applied_index)
        return NodeLine(client, view.node, view, view.node in view.learners, per_s, lag)


def leader_of(lines: Sequence[NodeLine]) -> RaftView | None:
    """The leader of the highest term."""
    leaders = [line.view for line in lines if line.view is not None and line.view.role == "leader"]
    return max(leaders, key=lambda view: view.term, default=None)


def row_of(line: NodeLine) -> tuple[object, ...]:
    """The cells of a node, below `COLUMNS`."""
    view = line.view
    if view is None:
        role = "no answer (learner)" if line.is_learner else "no answer"
        return ("?" if line.node is None else line.node, role, *["-"] * (len(COLUMNS) - 3), line.client or _NO_CLIENT)
    role = view.part if view.part in {"asking", "rejoining", "learning"} else "learner" if line.is_learner else view.role_name
    return (
        view.node, role, view.term, "-" if view.leader is None else view.leader, view.first_index, view.last_index,
        view.durable_index, view.commit_index, view.applied_index, view.snapshot_index, line.lag,
        "-" if line.per_s is None else round(line.per_s), line.client,
    )  # fmt: skip


def members_text(view: RaftView) -> str:
    """Who belongs to the group, in words."""
    if view.copy:
        return f"nodes {', '.join(map(str, view.voters))}; {_COPIES[view.copy]} copy"
    parts = ["voters " + ", ".join(map(str, view.voters))]
    if view.old_voters:
        parts.append("and until the change is done " + ", ".join(map(str, view.old_voters)))
    if view.learners:
        parts.append("learners " + ", ".join(map(str, view.learners)))
    if view.is_transferring:
        parts.append("leadership is being handed over")
    return "; ".join(parts)


def remarks_on(lines: Sequence[NodeLine]) -> list[str]:
    """What is to be said below the table: of nodes without an answer, and of masters that a person has to look after."""
    remarks = []
    masters = [line.view for line in lines if line.view is not None and line.view.role_name == "master"]
    if len(masters) > 1:
        told = ", ".join(f"node {one.node} of epoch {one.term}" for one in masters)
        remarks.append(f"{len(masters)} masters: {told}; what the older one acknowledges is lost when it hears of the other")
    without = "waits for a slave and takes nothing; without one: `mq broker promote --alone`"
    remarks += [f"node {one.node} {without}" for one in masters if one.is_stalled]
    if any(line.view is None for line in lines):
        remarks.append(_NO_ANSWER)
    if any(line.node is None for line in lines):
        remarks.append("?: nobody who answers knows this address; its node may be no member any more")
    if any(not line.client for line in lines):
        remarks.append(f"{_NO_CLIENT}: where clients reach this node nobody has told yet, so it was not asked")
    return remarks
