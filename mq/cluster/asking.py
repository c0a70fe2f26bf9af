"""Asking the nodes themselves: who answers, who leads, and who is a member."""

import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mq.client.raft_views import MembersView, RaftView
from mq.cluster.backend import ClusterStatus, NodeInfo
from mq.cluster.errors import ClusterError
from mq.cluster.files import full_name
from mq.core.address import parse_address
from mq.core.errors import MqError

if TYPE_CHECKING:
    from mq.rpc.admin_client import AdminClient

__all__ = [
    "ASKING",
    "Answer",
    "Ask",
    "ask_all",
    "ask_broker",
    "foreign_leaders",
    "leader_of",
    "listens",
    "no_members",
    "resolve",
    "serves",
]

_ASK_S_MAX = 1.0
_LEADER, ASKING = "leader", "asking"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node says of the one that answered: its number, its role, and how far its log goes.

    role: of one that is no full member yet the part that it takes: asking, rejoining or learning.
    node: another's than the asked one's, if the question was passed on. members: as the one that was asked knows them; None
    when it does not say, or while they are being changed. leader: whom it follows, if anybody. needs_person: nobody leads, and
    nobody will by itself: with `master_slave` a person says who.
    """

    node: int
    role: str
    last_index: int
    members: MembersView | None = None
    leader: int | None = None
    needs_person: bool = False


Ask = Callable[[str], Answer | None]
"""Asks the node that listens for clients at HOST:PORT; None when it does not answer."""


def listens(place: str) -> bool:
    """Whether somebody listens at HOST:PORT."""
    try:
        socket.create_connection(parse_address(place, "address"), _ASK_S_MAX).close()
    except OSError:
        return False
    return True


def serves(place: str) -> bool:
    """Whether whoever listens at HOST:PORT says that it serves."""
    from mq.rpc.calling import Connection  # noqa: PLC0415 - as below

    try:
        with Connection(place, timeout_s=_ASK_S_MAX) as connection:
            return connection.is_serving()
    except MqError:
        return False


def ask_broker(client: str) -> Answer | None:
    """Ask a broker."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415 - gRPC takes a tenth of a second to load
    from mq.rpc.calling import Connection  # noqa: PLC0415

    if not listens(client):  # much cheaper than a call, as long as nobody does
        return None
    try:
        with Connection(client, timeout_s=_ASK_S_MAX) as connection:
            if not connection.is_serving():
                return None
            admin = AdminClient(connection)
            found = admin.describe_broker()
            view = _raft_of(admin)
            members = None if view is None or view.is_changing else MembersView(view.voters, view.learners)
            leader = None if view is None else view.leader
            needs_person = view is not None and bool(view.copy) and leader is None
            return Answer(found.node, found.role, found.last_index, members, leader, needs_person)
    except MqError:
        return None


def _raft_of(admin: "AdminClient") -> RaftView | None:
    try:
        return admin.describe_raft()
    except MqError:
        return None


def ask_all(nodes: Iterable[NodeInfo], ask: Ask) -> dict[str, Answer | None]:
    """What each node answers, by name; those that do not run are not asked."""
    nodes = list(nodes)
    running = [node for node in nodes if node.state == "running"]
    found: dict[str, Answer | None] = {node.name: None for node in nodes}
    if running:
        with ThreadPoolExecutor(len(running)) as pool:
            found.update(zip((node.name for node in running), pool.map(lambda node: ask(node.client), running), strict=True))
    return found


def leader_of(nodes: Iterable[NodeInfo], answers: Mapping[str, Answer | None]) -> dict[str, str]:
    """The leader of each group that has one, by group. Of two that both say so, the one whose log goes further."""
    nodes = list(nodes)
    found: dict[str, tuple[int, str]] = {}
    for node in nodes:
        answer = answers.get(node.name)
        if answer is None or answer.role != _LEADER:
            continue
        names = [other.name for other in nodes if other.group == node.group and other.node == answer.node]
        if names and answer.last_index > found.get(node.group, (-1, ""))[0]:
            found[node.group] = (answer.last_index, names[0])
    return {group: name for group, (_, name) in found.items()}


def foreign_leaders(nodes: Iterable[NodeInfo], answers: Mapping[str, Answer | None]) -> dict[str, int]:
    """The number of the leader of each group that is led by a node of somebody's own, which joined it (`mq raft add`)."""
    nodes = list(nodes)
    own = {(node.group, node.node) for node in nodes}
    found = ((node.group, answers.get(node.name)) for node in nodes)
    told = [(group, one.node if one.role == _LEADER else one.leader) for group, one in found if one is not None]
    led = leader_of(nodes, answers)
    return {group: leader for group, leader in told if leader is not None and group not in led and (group, leader) not in own}


def no_members(nodes: Iterable[NodeInfo], answers: Mapping[str, Answer | None]) -> frozenset[str]:
    """The nodes that their group has let go (`mq raft remove`): its leader and a majority of its voters say so, in one voice.

    A node whose disk was lost is none for a moment, too, on its way back (`mq.server.readmitting`).
    """
    nodes = list(nodes)
    found: set[str] = set()
    for group, leader in leader_of(nodes, answers).items():
        told = answers[leader]
        if told is None or told.members is None:
            continue
        of_group = [node for node in nodes if node.group == group]
        agreeing = {node.node for node in of_group if (one := answers[node.name]) is not None and one.members == told.members}
        if 2 * len(agreeing.intersection(told.members.voters)) > len(told.members.voters):
            members = {*told.members.voters, *told.members.learners}
            found.update(node.name for node in of_group if node.node not in members)
    return frozenset(found)


def resolve(text: str, status: ClusterStatus, ask: Ask) -> str:
    """The name of a node: `broker-a-1`, `1` where there is one group, or `leader`, `leader:broker-a` for who leads now.

    Raises: ClusterError.
    """
    names = [*(node.name for node in status.nodes), *(one.name for one in status.registries)]
    groups = sorted({node.group for node in status.nodes})
    if (name := full_name(text, groups)) in names:
        return name
    word, _, group = text.partition(":")
    if word != _LEADER or (group and group not in groups):
        raise ClusterError(f"there is no node {text!r}; there are {', '.join(names)}, and leader:{', leader:'.join(groups)}")
    if not group and len(groups) > 1:
        raise ClusterError(f"leader of which group? There are leader:{', leader:'.join(groups)}")
    wanted = group or groups[0]
    members = [node for node in status.nodes if node.group == wanted]
    answers = ask_all(members, ask)
    leader = leader_of(members, answers).get(wanted)
    if leader is None:
        if (foreign := foreign_leaders(members, answers).get(wanted)) is not None:
            raise ClusterError(
                f"the leader, node {foreign}, is none of this cluster's own processes: whoever started it can end it"
            )
        raise ClusterError(f"{wanted} has no leader now")
    return leader
