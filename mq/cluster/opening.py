"""The cluster of a folder, whatever its nodes run in."""

from pathlib import Path

from mq.cluster.backend import ClusterBackend
from mq.cluster.errors import ClusterError
from mq.cluster.files import CLUSTER, ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan

__all__ = ["backend_of", "check_is_for_a_cluster", "cluster_in", "cluster_up"]

_OURS = (CLUSTER, "lock", "chaos.lock")
"""A folder that one of these is in, was a cluster's or a run's before."""


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


def check_is_for_a_cluster(folder: Path) -> None:
    """Raises: ClusterError when there are other things in it, which a cluster would leave its data and its secret among."""
    if folder.is_dir() and any(folder.iterdir()) and not any((folder / name).exists() for name in _OURS):
        raise ClusterError(
            f"{folder} is neither empty nor of a cluster or a run of `mq chaos`, and much is left there; give another --dir"
        )


def cluster_up(
    folder: Path, plan: ClusterPlan, *, backend: str | None = None, image: str | None = None, others_go_on: bool = False
) -> ClusterBackend:
    """Start a cluster, new or as it was (`mq.cluster.earlier`), and wait until it serves.

    backend, image: None stands for what they were, in a new folder for local processes and the usual image. others_go_on: see
    `LocalCluster.up`; containers do not.
    Raises: ClusterError, IllegalArgumentError.
    """
    if backend_of(folder, backend) == "docker":
        from mq.cluster.docker import DockerCluster  # noqa: PLC0415

        return DockerCluster.up(folder, plan, image=image)
    return LocalCluster.up(folder, plan, others_go_on=others_go_on)
