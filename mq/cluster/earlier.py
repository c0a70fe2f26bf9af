"""A cluster that was in its folder before: what `up` keeps of it, what it changes when it is told to, and what it refuses.

Kept is what the cluster is: its nodes, their ports, settings and organs, and whether there is a proxy. Settings and organs that
are given anew change what they name, and leave the rest. Whatever else is given has to be as it was: clients know the ports, and
what is stored belongs to the nodes. What starts a node, and whether it is under test, is the caller's own affair each time.
"""

from dataclasses import replace

from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile
from mq.cluster.plan import RAFT, ClusterPlan
from mq.cluster.ports import PortPicker
from mq.core.address import parse_address

__all__ = ["as_it_was"]

_OR_ELSE = "leave the flag out, or give another --dir"


def as_it_was(plan: ClusterPlan, earlier: ClusterFile) -> ClusterFile:
    """The earlier cluster, with what the plan changes of it, on ports that are free now.

    Raises: ClusterError naming the flag that contradicts, or the port that is taken; IllegalArgumentError for a wrong setting.
    """
    _refuse_other_nodes(plan, earlier)
    _refuse_other_ports(plan, earlier)
    if plan.is_direct and earlier.backend == "local" and earlier.token:
        raise ClusterError(f"--direct: the cluster in {earlier.folder} was made with a proxy between its nodes; {_OR_ELSE}")
    found = replace(
        earlier, nodes=list(earlier.nodes), proxied=list(earlier.proxied), command=list(plan.command),
        is_under_test=plan.is_under_test, settings={**earlier.settings, **plan.settings}, parts=dict(earlier.parts),
        docker=dict(earlier.docker), registries=list(earlier.registries),
    )  # fmt: skip
    plan.put_parts(found)
    plan.check_settings(found)
    _take_ports(plan, found)
    return found


def _refuse_other_nodes(plan: ClusterPlan, earlier: ClusterFile) -> None:
    groups = len({node.group for node in earlier.nodes})
    nodes = len(earlier.nodes) // groups
    for flag, wanted, is_so in (("--groups", plan.groups, groups), ("--nodes", plan.nodes, nodes)):
        if wanted not in {None, is_so}:
            raise ClusterError(f"{flag} {wanted}: {earlier.folder} holds a cluster of {groups} x {nodes} nodes; {_OR_ELSE}")
    copies_by = earlier.settings.get("replication", RAFT)
    if (other := plan.settings.get("replication", copies_by)) != copies_by:
        raise ClusterError(f"--replication {other}: the cluster in {earlier.folder} copies by {copies_by}; {_OR_ELSE}")
    if plan.registries not in {None, len(earlier.registries)}:
        had = len(earlier.registries)
        raise ClusterError(f"--registries {plan.registries}: the cluster in {earlier.folder} was made with {had}; {_OR_ELSE}")


def _refuse_other_ports(plan: ClusterPlan, earlier: ClusterFile) -> None:
    ports = [_port(node.client) for node in earlier.nodes]
    if plan.base_port and ports != [plan.base_port + 10 * number for number in range(1, len(ports) + 1)]:
        raise ClusterError(
            f"--port {plan.base_port}: the nodes of the cluster in {earlier.folder} listen for clients on "
            f"{', '.join(map(str, ports))}; {_OR_ELSE}"
        )


def _port(place: str) -> int:
    return parse_address(place, "address")[1]


def _at(place: str, port: int) -> str:
    return f"{place.rpartition(':')[0]}:{port}"


def _take_ports(plan: ClusterPlan, found: ClusterFile) -> None:
    """The same ports; others only where nobody but the cluster itself knows them, or where any will do."""
    with PortPicker() as picker:

        def kept(port: int) -> int:
            return port if picker.take(port) else picker.any()

        for number, node in enumerate(found.nodes):
            port = _port(node.client)
            client = kept(port)
            if client != port and plan.base_port != 0:
                raise ClusterError(
                    f"port {port} of {node.name} is taken by another program; end it, or give --port 0 for any free ones"
                )
            # Peers of containers are in a network of their own.
            peer = kept(_port(node.peer)) if found.backend == "local" else _port(node.peer)
            found.nodes[number] = replace(node, client=_at(node.client, client), peer=_at(node.peer, peer))
        for number, registry in enumerate(found.registries):
            found.registries[number] = replace(registry, listen=_at(registry.listen, kept(_port(registry.listen))))
        if found.token:
            found.control = kept(found.control)
            found.proxied = [(source, target, kept(port)) for source, target, port in found.proxied]
