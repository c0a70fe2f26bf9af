"""Who belongs to a group, and whose is which address: a node has several, and is to be shown once.

Each listener of a node tells the addresses of its own side (of a network of containers, say), and a person may call a node by
a name that nobody tells. So a node is known by its group's name and its number alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mq.client.raft_views import RaftView
from mq.core.address import parse_address

__all__ = ["Key", "Member", "by_node", "members_of", "owner_of"]

Key: TypeAlias = tuple[str, int]
"""A node: its group's name, and its number."""

_LOCAL = {"localhost": ("127.0.0.1", "::1")}


@dataclass(frozen=True, slots=True)
class Member:
    """A member, as those of its group that answer tell. clients: where it is reached. hosts: what it is called by others."""

    clients: tuple[str, ...]
    hosts: frozenset[str]
    is_learner: bool


def by_node(asked: Mapping[str, RaftView | None]) -> dict[Key, tuple[str, RaftView]]:
    """Each node that answered, once: where it was asked first, and what it said there."""
    found: dict[Key, tuple[str, RaftView]] = {}
    for client, view in asked.items():
        if view is not None:
            found.setdefault((view.name, view.node), (client, view))
    return found


def members_of(views: Iterable[RaftView]) -> dict[Key, Member]:
    """All members of the groups that these nodes are of, as the one that knows best says: the leader of the latest term."""
    groups: dict[str, list[RaftView]] = {}
    for view in sorted(views, key=lambda view: (view.term, view.role == "leader", view.commit_index), reverse=True):
        groups.setdefault(view.name, []).append(view)
    return {(name, node): _member(node, told) for name, told in groups.items() for node in _numbers(told[0])}


def _numbers(view: RaftView) -> set[int]:
    return {view.node} if view.part == "alone" else {*view.voters, *view.old_voters, *view.learners}


def _member(node: int, told: list[RaftView]) -> Member:
    found = [address for view in told for address in view.addresses if address.node == node]
    clients = tuple(dict.fromkeys(address.client for address in found if address.client))
    hosts = frozenset(
        parse_address(text, "address", is_zero_port_allowed=True)[0] for text in (*clients, *(one.peer for one in found)) if text
    )
    return Member(clients, hosts, node in told[0].learners)


def owner_of(client: str, members: Mapping[Key, Member]) -> Key | None:
    """Whose address this is: it tells it, or has that port and goes by that host's name; None where that is not one node."""
    exact = [key for key, member in members.items() if client in member.clients]
    if exact:
        return exact[0]
    host, port = parse_address(client, "endpoint")
    names = {host, *_LOCAL.get(host, ())}
    likely = [
        key for key, member in members.items()
        if names & member.hosts and any(parse_address(one, "address")[1] == port for one in member.clients)
    ]  # fmt: skip
    return likely[0] if len(likely) == 1 else None
