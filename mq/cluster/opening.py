"""The cluster of a folder, whatever its nodes run in."""

from pathlib import Path

from mq.cluster.backend import ClusterBackend
from mq.cluster.docker_plan import DEFAULT_IMAGE
from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan

__all__ = ["cluster_in", "cluster_up"]


def cluster_in(folder: Path) -> ClusterBackend:
    """The cluster that is there, up or down. Raises: ClusterError."""
    if ClusterFile.read(folder.resolve()).backend == "docker":
        from mq.cluster.docker import DockerCluster  # noqa: PLC0415 - needs a package that others do without

        return DockerCluster(folder)
    return LocalCluster(folder)


def cluster_up(folder: Path, plan: ClusterPlan, *, backend: str = "local", image: str = DEFAULT_IMAGE) -> ClusterBackend:
    """Start a cluster, new or as it was left, and wait until it serves. Raises: ClusterError, IllegalArgumentError."""
    if backend == "docker":
        from mq.cluster.docker import DockerCluster  # noqa: PLC0415

        return DockerCluster.up(folder, plan, image=image)
    return LocalCluster.up(folder, plan)
