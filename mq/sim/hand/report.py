"""What can be seen of a group: logs as rows of terms, states as lines, and expectations."""

from collections.abc import Callable, Sequence

from mq.core.errors import IllegalArgumentError, StateError
from mq.raft.node import RaftNode
from mq.raft.view import NodeView, PeerView
from mq.sim.hand.group import HandGroup
from mq.sim.hand.member import Member
from mq.sim.hand.words import configuration_text, table

__all__ = ["FACTS", "expect", "log_lines", "member_lines", "status_lines"]


def log_lines(group: HandGroup, ids: Sequence[int] = ()) -> list[str]:
    """Logs as the paper draws them.

    `|` stands behind what the node knows to be committed, `( )` around what is not durable, `s` for what only a snapshot holds.
    """
    shown = ids or sorted(group.members)
    last = max(group.member(node_id).log.last_index for node_id in shown)
    rows = [["", "log", *(str(index) for index in range(1, last + 1))]]
    for node_id in shown:
        member = group.member(node_id)
        rows.append([str(node_id), *_who(member), *(_cell(member, index) for index in range(1, member.log.last_index + 1))])
    return table(rows)


def _who(member: Member) -> list[str]:
    node = member.node
    return ["down" if node is None else f"{node.role} t{node.term}"]


def _cell(member: Member, index: int) -> str:
    entries = member.log.entries(index, index)
    term = str(entries[0].term) if entries else "s"
    text = f"({term})" if index > member.log.durable_index else term
    node = member.node
    return f"{text}|" if node is not None and index == node.commit_index else text


def status_lines(group: HandGroup, ids: Sequence[int] = ()) -> list[str]:
    """One line a node; then one for each follower of a leader, as the leader knows it."""
    rows, known = [], []
    for node_id in ids or sorted(group.members):
        member = group.member(node_id)
        if member.node is None:
            rows.append([str(node_id), "down"])
            continue
        view = member.node.view()
        rows.append([*_node_row(view), f"state: {member.state_text()}"])
        known += [[f"{node_id} of {peer.node_id}:", *_peer_row(peer)] for peer in view.peers]
    return [*table(rows), *(table(known) if known else ())]


def _node_row(view: NodeView) -> list[str]:
    return [
        str(view.node_id), view.role, f"term {view.term}", f"vote {view.vote or '-'}", f"leader {view.leader or '-'}",
        f"commit {view.commit_index}", f"applied {view.applied_index}", f"log {view.first_index}..{view.last.index}",
        f"durable {view.durable_index}",
    ]  # fmt: skip


def _peer_row(peer: PeerView) -> list[str]:
    active = "heard of" if peer.is_active else "silent"
    return [peer.state, f"match {peer.match_index}", f"next {peer.next_index}", f"unanswered {peer.in_flight}", active]


def member_lines(group: HandGroup, ids: Sequence[int] = ()) -> list[str]:
    """The configuration in force at each node."""
    rows = []
    for node_id in ids or sorted(group.members):
        node = group.member(node_id).node
        rows.append([str(node_id), "down" if node is None else configuration_text(node.configuration)])
    return table(rows)


FACTS: dict[str, Callable[[Member, RaftNode], object]] = {
    "role": lambda _, node: node.role,
    "term": lambda _, node: node.term,
    "vote": lambda _, node: node.vote or "none",
    "leader": lambda _, node: node.leader or "none",
    "commit": lambda _, node: node.commit_index,
    "applied": lambda member, _: member.applied_index,
    "log": lambda member, _: " ".join(str(entry.term) for entry in member.log.entries(1, member.log.last_index)) or "empty",
    "state": lambda member, _: member.state_text(),
    "members": lambda _, node: configuration_text(node.configuration),
}
"""What can be expected of a node, by its word."""


def expect(group: HandGroup, node_id: int, what: str, wanted: str) -> None:
    """Raises: StateError unless it is so."""
    if what not in FACTS:
        raise IllegalArgumentError(f"{what!r} cannot be expected; these can: {' '.join(FACTS)}")
    found = str(FACTS[what](group.member(node_id), group.node(node_id)))
    if found != wanted:
        raise StateError(f"{what} of node {node_id} is {found}, not {wanted}")
