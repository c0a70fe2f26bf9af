"""The cluster of a folder, whatever its nodes run in."""

from pathlib import Path

from mq.cluster.backend import ClusterBackend
from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan

__all__ = ["backend_of", "cluster_in", "cluster_up"]


def backend_of(folder: Path, wanted: str | None = None) -> str:
    """What nodes run in: what is wanted, or what those of the folder ran in, or else local. Raises: ClusterError."""
    folder = folder.resolve()
    return wanted or (ClusterFile.read(folder).backend if ClusterFile.exists(folder) else "local")


def cluster_in(folder: Path) -> ClusterBackend:
    """The cluster that is there, up or down. Raises: ClusterError."""
    if ClusterFile.read(folder.resolve()).backend == "docker":
        from mq.cluster.docker import DockerCluster  # noqa: PLC0415 - needs a package that others do without

        return DockerCluster(folder)
    return LocalCluster(folder)


def cluster_up(folder: Path, plan: ClusterPlan, *, backend: str | None = None, image: str | None = None) -> ClusterBackend:
    """Start a cluster, new or as it was (`mq.cluster.earlier`), and wait until it serves.

    backend, image: None stands for what they were, in a new folder for local processes and the usual image.
    Raises: ClusterError, IllegalArgumentError.
    """
    if backend_of(folder, backend) == "docker":
        from mq.cluster.docker import DockerCluster  # noqa: PLC0415

        return DockerCluster.up(folder, plan, image=image)
    return LocalCluster.up(folder, plan)
