"""What a cluster is to be: nodes, ports, settings."""

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mq.cluster.files import FAULTS, TRACES, ClusterFile, NodeEntry, RegistryEntry, full_name
from mq.cluster.ports import PortPicker
from mq.core.errors import IllegalArgumentError
from mq.server.config import load_config
from mq.server.config_sources import ENVIRONMENT_PREFIX
from mq.server.faults import ENVIRONMENT_NAME
from mq.server.group_settings import PEER_PORT

__all__ = ["BROKER_COMMAND", "RAFT", "ClusterPlan", "environment_of", "flags_of", "registry_command"]

BROKER_COMMAND = (sys.executable, "-m", "mq.cli.main", "broker")
"""What starts a node, together with its flags."""
_REGISTRY_COMMAND = (sys.executable, "-m", "mq.cli.main", "registry")

CLIENT_PORT = 8081
REGISTRY_PORT = 9876
_HOST = "127.0.0.1"
_GROUPS, _NODES = 1, 3
RAFT = "raft"
_REPLICATIONS = (RAFT, "master_slave")
_GROUPS_MAX, _NODES_MAX, _REGISTRIES_MAX = 26, 7, 9
_OWN = frozenset({
    "data", "listen", "advertise", "name", "node", "peers", "peer_listen", "cluster_secret", "cluster_secret_file",
    "metrics_listen", "registry",
})  # fmt: skip
"""Settings that follow from what the cluster is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlan:
    """What `up` is asked for. None: as it is in the folder already; in a new one 1 group of 3 nodes.

    registries: how many registry nodes; None is none for one group, and one for several, which clients find by it.

    base_port: node n listens for clients at base_port + 10 n; 0 takes any free ports; None is 8081, and any free port in place
    of one that is taken. settings: of `mq broker`, by field name. parts: replaced organs, by node; "" for all nodes; an
    empty place stands for our own. is_direct: nodes reach each other without a proxy in between, so that nothing can be cut.
    is_under_test: see `ClusterBackend`. is_confined, given: of containers alone, see `mq.cluster.docker_confined`. command:
    starts a node, given the flags of `mq broker`.
    """

    groups: int | None = None
    nodes: int | None = None
    registries: int | None = None
    base_port: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    is_direct: bool = False
    is_under_test: bool = False
    is_confined: bool = False
    given: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = BROKER_COMMAND

    def __post_init__(self) -> None:
        if self.groups is not None and not 1 <= self.groups <= _GROUPS_MAX:
            raise IllegalArgumentError(f"groups: {self.groups} is outside of 1 to {_GROUPS_MAX}")
        if self.nodes is not None and not 1 <= self.nodes <= _NODES_MAX:
            raise IllegalArgumentError(f"nodes: {self.nodes} is outside of 1 to {_NODES_MAX}")
        if self.registries is not None and not 0 <= self.registries <= _REGISTRIES_MAX:
            raise IllegalArgumentError(f"registries: {self.registries} is outside of 0 to {_REGISTRIES_MAX}")
        if (self.groups or _GROUPS) > 1 and self.registries == 0:
            raise IllegalArgumentError(
                f"registries: clients find {self.groups} groups by a registry node, so at least 1 is needed"
            )
        for name in self.settings:
            if name in _OWN:
                raise IllegalArgumentError(f"{name}: a cluster sets this itself")
        if self.settings.get("replication", RAFT).lower() not in _REPLICATIONS:
            raise IllegalArgumentError(f"replication: a cluster copies by one of {', '.join(_REPLICATIONS)}")

    def names(self) -> list[tuple[str, int]]:
        """(group, number) of each node of a new cluster."""
        groups, nodes = self.groups or _GROUPS, self.nodes or _NODES
        return [(f"broker-{chr(ord('a') + group)}", node) for group in range(groups) for node in range(1, nodes + 1)]

    def registry_count(self) -> int:
        """Of a new cluster."""
        return self.registries if self.registries is not None else int((self.groups or _GROUPS) > 1)

    def put_parts(self, made: ClusterFile) -> None:
        """Put the replaced organs in. Raises: ClusterError when there is no such node."""
        for name, parts in self.parts.items():
            for node in [made.node(full_name(name, [node.group for node in made.nodes]))] if name else made.nodes:
                made.parts.pop(node.name, None)
                if parts:
                    made.parts[node.name] = str(Path(parts).resolve()) if Path(parts).exists() else parts

    def check_settings(self, made: ClusterFile) -> None:
        """Raises: IllegalArgumentError for a wrong one."""
        for node in made.nodes:
            own: dict[str, object] = {
                "data": str(made.data_folder(node.name)),
                "listen": node.client,
                "name": node.group,
                "node": node.node,
            }
            if made.settings.get("replication", RAFT) != RAFT:
                own["peers"] = f"{node.node}={node.peer}"
            load_config(None, {}, {**made.settings, **own})

    def make(self, folder: Path) -> ClusterFile:
        """A new cluster, with ports that are free now. Raises: ClusterError, IllegalArgumentError for a wrong setting."""
        names = self.names()
        with PortPicker() as ports:
            clients = ports.row(
                CLIENT_PORT if self.base_port is None else self.base_port, len(names), is_needed=bool(self.base_port)
            )
            peers = ports.row(0 if self.base_port == 0 else PEER_PORT, len(names), is_needed=False)
            nodes = [
                NodeEntry(f"{group}-{node}", group, node, f"{_HOST}:{client}", f"{_HOST}:{peer}")
                for (group, node), client, peer in zip(names, clients, peers, strict=True)
            ]
            made = ClusterFile(folder, nodes, list(self.command), dict(self.settings), is_under_test=self.is_under_test)
            base = 0 if self.base_port == 0 else REGISTRY_PORT - 10
            registries = ports.row(base, self.registry_count(), is_needed=False)
            made.registries = [RegistryEntry(f"registry-{n}", f"{_HOST}:{port}") for n, port in enumerate(registries, 1)]
            if not self.is_direct:
                made.token, made.control = secrets.token_hex(16), ports.any()
                made.proxied = [(source, target, ports.any()) for source, target in made.links()]
        self.put_parts(made)
        self.check_settings(made)
        return made


def environment_of(cluster: ClusterFile, folder: str) -> dict[str, str]:
    """What all nodes share, as `mq broker` takes it from the environment. folder: of the cluster, as nodes see it."""
    found = {f"{ENVIRONMENT_PREFIX}{name.upper()}": text for name, text in cluster.settings.items()}
    if cluster.is_under_test:
        found[ENVIRONMENT_NAME] = f"{folder}/{FAULTS}"
        found[f"{ENVIRONMENT_PREFIX}TRACE"] = f"{folder}/{TRACES}/{{name}}-{{node}}.trace"
    return found


def flags_of(cluster: ClusterFile, name: str) -> list[str]:
    """The flags of `mq broker` for one node: it dials the others where the proxy listens for it, and tells clients of all."""
    own = cluster.node(name)
    ports = cluster.proxy_ports()
    group = [node for node in cluster.nodes if node.group == own.group]
    places = {node.node: f"{_HOST}:{ports[name, node.name]}" if (name, node.name) in ports else node.peer for node in group}
    flags = [
        "--data", str(cluster.data_folder(name)), "--listen", own.client, "--advertise", ",".join(node.client for node in group),
        "--name", own.group, "--node", str(own.node),
        "--peers", ",".join(f"{node}={place}" for node, place in places.items()), "--peer-listen", own.peer,
        "--replication", cluster.settings.get("replication", RAFT),
        "--cluster-secret-file", str(cluster.secret_file()), "--metrics", "",
    ]  # fmt: skip
    if cluster.registries:
        flags += ["--registry", ",".join(one.listen for one in cluster.registries)]
    return [*flags, "--parts", cluster.parts[name]] if name in cluster.parts else flags


def registry_command(cluster: ClusterFile, registry: RegistryEntry) -> list[str]:
    """What starts a registry node, which goes by the same times as the brokers."""
    return [*_REGISTRY_COMMAND, "--listen", registry.listen, "--times", cluster.settings.get("registry_times", "usual")]
