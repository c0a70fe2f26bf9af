"""How `mq cluster` shows a cluster: its nodes, who leads, and what somebody should know who looks at it."""

from typing import TYPE_CHECKING, Any

from mq.cli.output import note, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mq.cluster.asking import Answer
    from mq.cluster.backend import ClusterStatus, NodeInfo

__all__ = ["note_no_members", "print_nodes", "promised", "show_status"]

_NO_MEMBER = "no member"
_NO_MEMBER_NOTE = "{} is no member of its group any more (`mq raft remove`), and turns clients away; the group serves without it"
_ON_THE_WAY = ("asking", "rejoining", "learning")


def promised(status: "ClusterStatus") -> dict[str, Any]:
    """What scripts rely on."""
    nodes = [
        {
            **{key: getattr(node, key) for key in ("name", "group", "node")},
            **({"container": node.container} if node.container is not None else {"pid": node.pid}),
            **{key: getattr(node, key) for key in ("client", "data")},
        }
        for node in status.nodes
    ]
    return {"endpoint": status.endpoint, "registries": [one.listen for one in status.registries], "nodes": nodes}


def note_no_members(status: "ClusterStatus") -> list[str]:
    """Say which nodes their groups have let go; these."""
    from mq.cluster.asking import ask_all, ask_broker, no_members  # noqa: PLC0415 - not needed for --help

    found = sorted(no_members(status.nodes, ask_all(status.nodes, ask_broker)))
    for name in found:
        note(_NO_MEMBER_NOTE.format(name))
    return found


def print_nodes(status: "ClusterStatus", roles: "Mapping[str, str] | None" = None) -> None:
    """A table of the nodes. roles: by name; None leaves them out."""
    columns = ("node", "state", *(("role",) if roles is not None else ()), "client", "peer", "runs in", "data")
    rows = [
        (
            n.name, n.state, *((roles[n.name],) if roles is not None else ()), n.client, n.peer, n.container or n.pid or "-",
            n.data,
        )
        for n in status.nodes
    ]  # fmt: skip
    rows += [
        (
            one.name,
            one.state,
            *(("registry",) if roles is not None else ()),
            one.listen,
            "-",
            one.container or one.pid or "-",
            "-",
        )
        for one in status.registries
    ]
    print_table(columns, rows)
    for node in status.nodes:
        if node.parts:
            note(f"{node.name} has organs of {node.parts}")


def show_status(status: "ClusterStatus", folder: "Path", *, is_json: bool) -> None:
    """Ask all nodes what they are, and print all that is known. folder: the cluster's."""
    from mq.cluster.asking import ask_all, ask_broker, leader_of, no_members  # noqa: PLC0415

    answers = ask_all(status.nodes, ask_broker)
    leaders = leader_of(status.nodes, answers).values()
    gone = no_members(status.nodes, answers)
    roles = {n.name: _role(n, answers[n.name], is_leader=n.name in leaders, is_gone=n.name in gone) for n in status.nodes}
    if is_json:
        found = promised(status)
        for shown, node in zip(found["nodes"], status.nodes, strict=True):
            shown.update(state=node.state, role=roles[node.name], peer=node.peer)
        print_json({**found, "network": status.network, "cuts": status.cuts, "delays": status.delays})
        return
    print_nodes(status, roles)
    _note_ended(status, folder)
    _note_leaders(status, answers)
    for source, target in status.cuts:
        note(f"cut: {target} hears nothing from {source}")
    for source, target, delay_ms in status.delays:
        note(f"slow: {target} hears {source} {delay_ms} ms later")
    if status.network == "stopped" and any(node.state != "stopped" for node in status.nodes):
        note("the proxy between the nodes does not run, so they do not reach each other; `mq cluster down`, then `up`")


def _role(node: "NodeInfo", answer: "Answer | None", *, is_leader: bool, is_gone: bool) -> str:
    """What a node is in its group, as far as that is known; "-" when it does not answer."""
    if is_leader:
        return "leader"
    if is_gone and (answer is None or answer.role not in _ON_THE_WAY):
        return _NO_MEMBER
    if answer is None:
        return "-"
    # Where a question is passed on to the leader, a node's own role is not known from it.
    return answer.role if answer.node == node.node else "follower"


def _note_ended(status: "ClusterStatus", folder: "Path") -> None:
    """Nobody who sees `stopped` can tell a node that was killed on purpose from one whose organ failed."""
    for node in status.nodes:
        if node.has_ended_itself:
            note(f"{node.name} ended without a command of `mq cluster`; `mq cluster logs {node.name} --dir {folder}` may say why")


def _note_leaders(status: "ClusterStatus", answers: "Mapping[str, Answer | None]") -> None:
    """Who leads from outside of the cluster, and why nobody does, as far as that can be seen from here."""
    from mq.cluster.asking import foreign_leaders, leader_of  # noqa: PLC0415

    for group, leader in foreign_leaders(status.nodes, answers).items():
        note(f"node {leader} leads {group}, and is none of this cluster's own processes")
    led = {*leader_of(status.nodes, answers), *foreign_leaders(status.nodes, answers)}
    for group in sorted({node.group for node in status.nodes} - led):
        states = [node.state for node in status.nodes if node.group == group]
        running, needed = states.count("running"), len(states) // 2 + 1
        if 0 < running < needed:
            note(
                f"{group} has no leader: {running} of {len(states)} nodes {'runs' if running == 1 else 'run'}, and {needed} are "
                "needed; clients are turned away (`mq cluster start NODE`)"
            )
        elif running:
            note(f"{group} has no leader now: clients are turned away until it has")
