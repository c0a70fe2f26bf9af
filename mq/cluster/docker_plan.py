"""What the containers of a cluster are: their addresses, settings, names and labels."""

import hashlib
import secrets
from dataclasses import replace
from pathlib import Path

from mq.cluster.docker_confined import given_mounts, is_confined, note_confined
from mq.cluster.errors import ClusterError
from mq.cluster.files import FAULTS, TRACES, ClusterFile, NodeEntry, RegistryEntry
from mq.cluster.plan import CLIENT_PORT, RAFT, REGISTRY_PORT, ClusterPlan, environment_of
from mq.cluster.ports import PortPicker
from mq.core.address import parse_address
from mq.server.config_sources import ENVIRONMENT_PREFIX
from mq.server.group_settings import PEER_PORT

__all__ = [
    "CLUSTER_LABEL", "DATA", "DEFAULT_IMAGE", "NODE_LABEL", "OUTSIDE_PORT", "cluster_id", "image_of", "inside_host", "make",
    "mounts_of", "moved", "object_name", "random_subnet", "registry_command", "settings_of",
]  # fmt: skip

DEFAULT_IMAGE = "raftmq:latest"
"""Made from docker/Dockerfile."""
CLUSTER_LABEL, NODE_LABEL = "raftmq.cluster", "raftmq.node"
"""On everything that is made: whose it is, and of which node."""
DATA = "/var/lib/mq"
"""Inside of a container: where a node stores."""
OUTSIDE_PORT = 8082
"""Inside of a container: for clients on this machine."""
_PARTS, _UNDER_TEST = "/parts", "/under-test"
_HOST = "127.0.0.1"
_FIRST_ADDRESS, _FIRST_REGISTRY = 11, 231
"""Up to 26 groups of 7 nodes, and 9 registry nodes."""


def cluster_id(folder: Path) -> str:
    """Tells the clusters of a machine apart: it follows from the folder."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:10]


def object_name(folder: Path, name: str = "") -> str:
    """The name of a container and of its volume, or of the network."""
    return f"raftmq-{cluster_id(folder)}" + (f"-{name}" if name else "")


def random_subnet() -> str:
    """A subnet that is unlikely to be in use; whoever makes a network there is told when it is."""
    return f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(256)}.0/24"


def _address(subnet: str, number: int) -> str:
    """The address of the n-th node, from 0."""
    return f"{subnet.rpartition('.')[0]}.{_FIRST_ADDRESS + number}"


def moved(nodes: list[NodeEntry], subnet: str) -> list[NodeEntry]:
    """The same nodes in another subnet."""
    return [
        replace(
            node,
            peer=f"{_address(subnet, number)}:{PEER_PORT}",
            client=node.client if node.client.startswith(_HOST) else f"{_address(subnet, number)}:{CLIENT_PORT}",
        )
        for number, node in enumerate(nodes)
    ]


def image_of(folder: Path) -> str:
    """What the containers of a folder's cluster are made from, and of a new one. Raises: ClusterError."""
    earlier = ClusterFile.read(folder).docker if ClusterFile.exists(folder) else {}
    return earlier.get("image", DEFAULT_IMAGE)


def make(folder: Path, plan: ClusterPlan, image: str) -> ClusterFile:
    """The cluster, with ports of this machine that are free now. Raises: ClusterError, IllegalArgumentError."""
    if plan.is_confined and plan.registry_count():
        raise ClusterError("--groups, --registries: confined containers are one group without a registry")
    names = plan.names()
    subnet = random_subnet()
    with PortPicker() as ports:
        base = CLIENT_PORT if plan.base_port is None else plan.base_port
        clients = ports.row(base, len(names), is_needed=bool(plan.base_port))
        base = 0 if plan.base_port == 0 else REGISTRY_PORT - 10
        registries = [f"{_HOST}:{port}" for port in ports.row(base, plan.registry_count(), is_needed=False)]
    nodes = [
        NodeEntry(f"{group}-{node}", group, node, f"{_HOST}:{client}", f"{_address(subnet, number)}:{PEER_PORT}")
        for number, ((group, node), client) in enumerate(zip(names, clients, strict=True))
    ]
    made = ClusterFile(
        folder, nodes, [], dict(plan.settings), backend="docker", docker={"image": image, "subnet": subnet},
        is_under_test=plan.is_under_test,
        registries=[RegistryEntry(f"registry-{number}", listen) for number, listen in enumerate(registries, 1)],
    )  # fmt: skip
    if plan.is_confined:  # nothing of this machine leads to them: clients come to where they are
        note_confined(made.docker, plan.given)
        made.nodes = [replace(node, client=f"{_address(subnet, number)}:{CLIENT_PORT}") for number, node in enumerate(made.nodes)]
    plan.put_parts(made)
    plan.check_settings(made)
    return made


def inside_host(file: ClusterFile, name: str) -> str:
    """The address of a node or of a registry node in the containers' network. Raises: ClusterError."""
    names = [one.name for one in file.registries]
    if name in names:
        return f"{file.docker['subnet'].rpartition('.')[0]}.{_FIRST_REGISTRY + names.index(name)}"
    return parse_address(file.node(name).peer, "peer")[0]


def registry_command(file: ClusterFile, name: str) -> list[str]:
    """What a registry node's container runs."""
    doors = [
        "--listen", f"0.0.0.0:{REGISTRY_PORT}", "--advertise", f"{inside_host(file, name)}:{REGISTRY_PORT}",
        "--listen-outside", f"0.0.0.0:{OUTSIDE_PORT}", "--advertise-outside", file.places(name)[0],
    ]  # fmt: skip
    return ["registry", *doors, "--times", file.settings.get("registry_times", "usual")]


def settings_of(file: ClusterFile, name: str) -> dict[str, str]:
    """The environment of one node's container, or of a registry node's."""
    if file.registry(name) is not None:
        return {"MQ_ENDPOINT": f"127.0.0.1:{REGISTRY_PORT}"}  # for `mq health`
    own = file.node(name)
    group = [node for node in file.nodes if node.group == own.group]
    inside = [f"{parse_address(node.peer, 'peer')[0]}:{CLIENT_PORT}" for node in group]
    settings = {
        "name": own.group, "node": str(own.node), "replication": file.settings.get("replication", RAFT),
        "listen": f"0.0.0.0:{CLIENT_PORT}",
        "advertise": ",".join(inside), "listen_outside": f"0.0.0.0:{OUTSIDE_PORT}",
        "advertise_outside": ",".join(node.client for node in group),
        "peers": ",".join(f"{node.node}={node.name}:{PEER_PORT}" for node in group),
        "cluster_secret": file.secret_file().read_text(encoding="utf-8").strip(),
    }  # fmt: skip
    if is_confined(file.docker):
        del settings["listen_outside"], settings["advertise_outside"]
    if file.registries:
        settings["registry"] = ",".join(f"{inside_host(file, one.name)}:{REGISTRY_PORT}" for one in file.registries)
    if name in file.parts:
        settings["parts"] = f"{_PARTS}/{Path(file.parts[name]).name}" if Path(file.parts[name]).exists() else file.parts[name]
    return {**environment_of(file, _UNDER_TEST), **{f"{ENVIRONMENT_PREFIX}{key.upper()}": text for key, text in settings.items()}}


def mounts_of(file: ClusterFile, name: str) -> dict[str, dict[str, str]]:
    """What is mounted into one node's container, as the SDK takes it."""
    mounts = {object_name(file.folder, name): {"bind": DATA, "mode": "rw"}}
    if file.is_under_test:
        mounts[str(file.folder / TRACES)] = {"bind": f"{_UNDER_TEST}/{TRACES}", "mode": "rw"}
        mounts[str(file.folder / FAULTS)] = {"bind": f"{_UNDER_TEST}/{FAULTS}", "mode": "ro"}
    mounts |= given_mounts(file.docker)
    parts = file.parts.get(name, "")
    if parts and Path(parts).exists():
        mounts[parts] = {"bind": f"{_PARTS}/{Path(parts).name}", "mode": "ro"}
    return mounts
