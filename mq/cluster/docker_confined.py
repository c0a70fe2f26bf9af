"""Containers for organs that nobody trusts, such as those of a student whose marks depend on them: what they may use and reach.

Their network leads nowhere but to each other, and to this machine, whose clients come from there (what listens on all of its
addresses could be reached). Their root cannot be written. What they store lies in memory, so that a flood fills neither a disk
nor more than its own limit; a *keeper*, a container that does nothing, holds it, else it were gone when a node is killed. No
capabilities and no way to get any, nobody else's processes, and limits for memory, processes, files and processors.

Whoever removes the cluster removes all of it: everything bears the cluster's label.
"""

import io
import json
import tarfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mq.cluster.docker_engine import explained
from mq.cluster.errors import ClusterError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = [
    "KEPT", "confined_options", "given_mounts", "is_confined", "note_confined", "read_kept", "start_keeper",
    "volume_options",
]  # fmt: skip

KEPT = "/kept"
"""Inside of the keeper: a folder for each node, by its name, with what it stores."""
_MEMORY, _DISK, _PROCESSES_MAX, _PROCESSORS_NANO = "768m", "384m", 256, 1_000_000_000
_KEEPER, _DATA = "-keeper", "/var/lib/mq"
_USER = 10921
"""Whom a broker runs as, see docker/Dockerfile."""
_CONFINED, _GIVEN, _YES = "confined", "given", "yes"


def note_confined(about: dict[str, str], given: Mapping[str, str]) -> None:
    """Into what a cluster's file says of its containers. given: files of this machine, each with the one whose place it takes."""
    about[_CONFINED], about[_GIVEN] = _YES, json.dumps(dict(given))


def is_confined(about: Mapping[str, str]) -> bool:
    """Whether it says so."""
    return about.get(_CONFINED) == _YES


def given_mounts(about: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What lies in the place of files of the image, as the SDK takes it."""
    found = json.loads(about.get(_GIVEN, "{}"))
    return {source: {"bind": target, "mode": "ro"} for source, target in found.items()}


def volume_options(about: Mapping[str, str]) -> dict[str, Any]:
    """Of a node's volume: nothing special for one that is trusted."""
    if not is_confined(about):
        return {}
    options = f"size={_DISK},uid={_USER},gid={_USER},mode=0750,nosuid,nodev,noexec"
    return {"driver": "local", "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": options}}


def confined_options(about: Mapping[str, str]) -> dict[str, Any]:
    """Of a node's container, as the SDK takes it: nothing special for one that is trusted."""
    if not is_confined(about):
        return {}
    import docker  # noqa: PLC0415 - only this backend needs it

    limits = [docker.types.Ulimit(name="nofile", soft=1024, hard=1024), docker.types.Ulimit(name="core", soft=0, hard=0)]
    log = docker.types.LogConfig(type="json-file", config={"max-size": "4m", "max-file": "1"})
    return {
        "read_only": True, "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=16m"},  # noqa: S108 - the container's own
        "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"], "mem_limit": _MEMORY, "memswap_limit": _MEMORY,
        "pids_limit": _PROCESSES_MAX, "nano_cpus": _PROCESSORS_NANO, "ulimits": limits, "log_config": log,
        "healthcheck": {"test": ["NONE"]},
    }  # fmt: skip


def start_keeper(client: "DockerClient", image: str, cluster: str, labels: dict[str, str], volumes: Mapping[str, str]) -> None:
    """Before any node. cluster: the name of its objects. volumes: of each node, by its name. Raises: ClusterError."""
    mounts = {volume: {"bind": f"{KEPT}/{name}", "mode": "ro"} for name, volume in volumes.items()}
    with explained("keeper"):
        client.containers.create(
            image, ["-c", "import signal; signal.pause()"], entrypoint=["/opt/raftmq/bin/python"], name=f"{cluster}{_KEEPER}",
            labels=labels, volumes=mounts, tmpfs={_DATA: "size=1m"}, network_mode="none", read_only=True, cap_drop=["ALL"],
            security_opt=["no-new-privileges"], pids_limit=16, mem_limit="64m", healthcheck={"test": ["NONE"]}, init=True,
        ).start()  # fmt: skip


def read_kept(client: "DockerClient", cluster: str, path: str, bytes_max: int) -> bytes:
    """A file that a node left, read as data, whatever the node is doing. path: below `KEPT`, such as broker-a-1/durable.

    Raises: ClusterError when it is no plain file, or is too large.
    """
    with explained(path):
        stream, about = client.containers.get(f"{cluster}{_KEEPER}").get_archive(f"{KEPT}/{path}")
    if about is None or about.get("linkTarget") or about["size"] > bytes_max:
        raise ClusterError(f"{path} is a link, or larger than {bytes_max:,} bytes")
    whole = io.BytesIO()
    for part in stream:
        whole.write(part)
        if whole.tell() > bytes_max + (1 << 20):
            raise ClusterError(f"{path} is larger than {bytes_max:,} bytes")
    whole.seek(0)
    with tarfile.open(fileobj=whole) as archive:
        first = archive.next()
        if first is None or not first.isreg() or (inside := archive.extractfile(first)) is None:
            raise ClusterError(f"{path} is no plain file")
        return inside.read(bytes_max)
