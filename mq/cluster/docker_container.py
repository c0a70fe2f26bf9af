"""The containers of a cluster as they are made: a broker's, a registry node's, and one that is there for a moment."""

from typing import TYPE_CHECKING, Any

from mq.cluster import docker_plan as planned
from mq.cluster.docker_confined import confined_options, is_confined
from mq.cluster.docker_engine import explained
from mq.cluster.files import ClusterFile
from mq.core.address import parse_address

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["make_container", "run_beside"]


def _storage(file: ClusterFile, name: str) -> dict[str, Any]:
    """A node's volume. A registry node stores nothing: in memory, as the engine would make a volume that nobody removes."""
    if file.registry(name) is not None:
        return {"tmpfs": {planned.DATA: "size=1m"}}
    return {"volumes": planned.mounts_of(file, name)}


def make_container(engine: "DockerClient", file: ClusterFile, name: str, labels: dict[str, str]) -> None:
    """Make and start the container of a node or of a registry node. Raises: ClusterError."""
    network, made = planned.object_name(file.folder), planned.object_name(file.folder, name)
    port = parse_address(file.places(name)[0], "client")[1]
    with explained(name):
        endpoint = engine.api.create_endpoint_config(ipv4_address=planned.inside_host(file, name), aliases=[name])
        engine.containers.create(
            file.docker["image"], planned.registry_command(file, name) if file.registry(name) is not None else None, name=made,
            hostname=name, init=True, labels=labels, environment=planned.settings_of(file, name),
            ports={} if is_confined(file.docker) else {f"{planned.OUTSIDE_PORT}/tcp": ("127.0.0.1", port)},
            network=network, networking_config={network: endpoint}, **_storage(file, name), **confined_options(file.docker),
        ).start()  # fmt: skip


def run_beside(
    engine: "DockerClient", file: ClusterFile, name: str, labels: dict[str, str], command: list[str], **more: Any
) -> None:
    """A container that is there for a moment, with what a node stores. Raises what the engine does."""
    volume = {planned.object_name(file.folder, name): {"bind": planned.DATA, "mode": "rw"}}
    storage = _storage(file, name) if file.registry(name) is not None else {"volumes": volume}
    engine.containers.run(
        file.docker["image"], command[1:], entrypoint=command[:1], labels=labels, remove=True,
        healthcheck={"test": ["NONE"]}, **storage, **more,
    )  # fmt: skip
