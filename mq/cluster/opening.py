"""The cluster of a folder, whatever its nodes run in."""

from pathlib import Path
from typing import TYPE_CHECKING

from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster

if TYPE_CHECKING:
    from mq.cluster.docker import DockerCluster

__all__ = ["cluster_in"]


def cluster_in(folder: Path) -> "LocalCluster | DockerCluster":
    """The cluster that is there, up or down. Raises: ClusterError."""
    if ClusterFile.read(folder.resolve()).backend == "docker":
        from mq.cluster.docker import DockerCluster  # noqa: PLC0415 - needs a package that others do without

        return DockerCluster(folder)
    return LocalCluster(folder)
