"""Asking the nodes themselves: who answers, and who leads."""

import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mq.cluster.backend import ClusterStatus, NodeInfo
from mq.cluster.errors import ClusterError
from mq.core.address import parse_address
from mq.core.errors import MqError

__all__ = ["Answer", "Ask", "ask_all", "ask_broker", "leader_of", "missing_of", "resolve", "serves"]

_ASK_S_MAX = 1.0
_LEADER, _ASKING = "leader", "asking"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node says of the one that answered: its number, its role, and how far its log goes.

    role: of one that is no full member yet the part that it takes: asking, rejoining or learning.
    node: another's than the asked one's, if the question was passed on.
    """

    node: int
    role: str
    last_index: int


Ask = Callable[[str], Answer | None]
"""Asks the node that listens for clients at HOST:PORT; None when it does not answer."""


def ask_broker(client: str) -> Answer | None:
    """Ask a broker."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415 - gRPC takes a tenth of a second to load
    from mq.rpc.calling import Connection  # noqa: PLC0415

    address = parse_address(client, "client")
    try:
        # Much cheaper than a call, as long as nobody listens.
        socket.create_connection(address, _ASK_S_MAX).close()
    except OSError:
        return None
    try:
        with Connection(client, timeout_s=_ASK_S_MAX) as connection:
            if not connection.is_serving():
                return None
            found = AdminClient(connection).describe_broker()
    except MqError:
        return None
    return Answer(found.node, found.role, found.last_index)


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


def missing_of(nodes: Iterable[NodeInfo], answers: Mapping[str, Answer | None]) -> list[str]:
    """Why a cluster cannot be called up yet, in sentences: all answer, each group has a leader, nobody could be taken for new.

    A node that dies while it holds nothing yet comes back as one that lost its disk.
    """
    nodes = list(nodes)
    leaderless = {node.group for node in nodes} - set(leader_of(nodes, answers))
    missing = [f"{name} does not answer" for name, answer in answers.items() if answer is None]
    missing += [f"{name} holds nothing yet" for name, found in answers.items() if found is not None and found.role == _ASKING]
    return missing + [f"{group} has no leader" for group in sorted(leaderless)]


def serves(name: str, nodes: Iterable[NodeInfo], ask: Ask) -> bool | None:
    """Whether a node answers, and its group has a leader; without one it turns clients away.

    None: it answers, and there will be no leader before others are started: no majority of the group runs.
    """
    nodes = list(nodes)
    own = next(node for node in nodes if node.name == name)
    if ask_all([own], ask)[name] is None:
        return False
    members = [node for node in nodes if node.group == own.group]
    if leader_of(members, ask_all(members, ask)):
        return True
    running = sum(node.state == "running" for node in members)
    return False if 2 * running > len(members) else None


def resolve(text: str, status: ClusterStatus, ask: Ask) -> str:
    """The name of a node: `broker-a-1`, or `leader` or `leader:broker-a` for who leads now. Raises: ClusterError."""
    names = [node.name for node in status.nodes]
    if text in names:
        return text
    word, _, group = text.partition(":")
    groups = sorted({node.group for node in status.nodes})
    if word != _LEADER or (group and group not in groups):
        raise ClusterError(f"there is no node {text!r}; there are {', '.join(names)}, and leader:{', leader:'.join(groups)}")
    if not group and len(groups) > 1:
        raise ClusterError(f"leader of which group? There are leader:{', leader:'.join(groups)}")
    wanted = group or groups[0]
    members = [node for node in status.nodes if node.group == wanted]
    leader = leader_of(members, ask_all(members, ask)).get(wanted)
    if leader is None:
        raise ClusterError(f"{wanted} has no leader now")
    return leader
