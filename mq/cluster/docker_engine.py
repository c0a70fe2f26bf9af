"""The Docker engine of this machine, and what it says when something is missing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mq.cluster.errors import ClusterError
from mq.cluster.polling import poll_until

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

__all__ = [
    "check_image", "check_unused", "engine", "explained", "freeze", "last_of", "make_network", "memory_ran_out", "short",
]  # fmt: skip

_FREEZE_S_MAX = 30.0
_KILLED, _NOTED_S_MAX = 137, 2.0
"""Exit status of what SIGKILL ended, whoever sent it; and until the engine has noted that it was the kernel, for memory."""


def engine() -> "DockerClient":
    """The engine of this machine. Raises: ClusterError saying what is missing."""
    try:
        # By what is in it: from a checkout, `import docker` alone finds the checkout's own folder of that name.
        from docker import errors, from_env  # noqa: PLC0415 - only this backend needs it
    except ImportError:
        raise ClusterError(f"the package `docker` is missing: {sys.executable} -m pip install 'docker>=7.2'") from None
    try:
        client = from_env(timeout=60)
        client.ping()
    except errors.DockerException as error:
        raise ClusterError(f"no Docker engine answers ({short(error)}); start one, or use --backend local") from None
    return client


def short(error: Exception) -> str:
    """What an error of the SDK says, in one line."""
    return " ".join(str(getattr(error, "explanation", None) or error).split())[:200]


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Refusals of the engine as ClusterError. what: was being done, or to whom."""
    import docker  # noqa: PLC0415

    try:
        yield
    except docker.errors.DockerException as error:
        raise ClusterError(f"{what}: the engine refuses: {short(error)}") from error
    except OSError as error:  # such as of the library below the SDK, when the engine takes too long
        raise ClusterError(f"{what}: {short(error)}") from error


def check_image(client: "DockerClient", image: str) -> None:
    """Raises: ClusterError when the image is not there, saying how to build it."""
    import docker  # noqa: PLC0415

    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        raise ClusterError(f"there is no image {image}: docker build -t {image} -f docker/Dockerfile .") from None
    except docker.errors.DockerException as error:
        raise ClusterError(f"image {image}: {short(error)}") from error


def check_unused(client: "DockerClient", label: str, where: str) -> None:
    """Nothing of an earlier cluster may be found under this label: what is in its volumes would be taken for the new one's.

    where: the new one's folder, for people. Raises: ClusterError with what removes it.
    """
    with explained(where):
        containers = [str(one.name) for one in client.containers.list(all=True, filters={"label": label})]
        volumes = [str(one.name) for one in client.volumes.list(filters={"label": label})]
    if containers or volumes:
        removes = [f"docker {what} -f {' '.join(names)}" for what, names in (("rm", containers), ("volume rm", volumes)) if names]
        raise ClusterError(
            f"{where} is new, and the engine has what an earlier cluster of a folder of that name left; take another --dir, or "
            f"remove it: {'; '.join(removes)}"
        )


def freeze(container: "Container") -> None:
    """Let a container stand still. Raises: ClusterError.

    With the first kind of the kernel's control groups, runc gives up when the processes of a busy machine do not come to rest
    within some milliseconds, and lets them go on: then it is told again.
    """
    refusals: list[Exception] = []

    def is_frozen() -> bool:
        import docker  # noqa: PLC0415

        try:
            container.pause()
        except docker.errors.APIError as error:
            if "unable to freeze" not in str(error):
                raise
            refusals.append(error)
            return False
        return True

    with explained(f"pausing {container.name}"):
        if not poll_until(is_frozen, _FREEZE_S_MAX):
            raise refusals[-1]


def make_network(client: "DockerClient", name: str, subnet: str, labels: dict[str, str], *, is_internal: bool) -> bool:
    """A network of that subnet; False when the subnet is in use. is_internal: it leads nowhere else. Raises: ClusterError."""
    import docker  # noqa: PLC0415

    pool = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)])
    try:
        client.networks.create(name, ipam=pool, labels=labels, internal=is_internal)
    except docker.errors.APIError as error:
        if "overlap" in str(error):
            return False
        raise ClusterError(f"network {name}: the engine refuses: {short(error)}") from error
    return True


def memory_ran_out(container: "Container") -> int:
    """The limit in bytes, when a container ended because it wanted more memory than that; else 0. Raises: ClusterError.

    It ends with the status of a kill then, and why is known to the engine a moment later.
    """
    if container.attrs["State"]["ExitCode"] != _KILLED:
        return 0

    def is_known() -> bool:
        with explained(container.name or "container"):
            container.reload()
        return bool(container.attrs["State"]["OOMKilled"])

    return int(container.attrs["HostConfig"]["Memory"]) if poll_until(is_known, _NOTED_S_MAX) else 0


def last_of(container: "Container", name: str, lines: int) -> str:
    """How a container ended that was to start, with the end of its log. Raises: ClusterError."""
    with explained(name):
        code, tail = container.attrs["State"]["ExitCode"], container.logs(tail=lines).decode("utf-8", "replace")
    limit = memory_ran_out(container)
    why = f"\nmemory ran out: it may use {limit >> 20:,} MiB" if limit else ""
    return f"{name} ended with exit status {code} while starting; the end of its log:\n{tail.rstrip()}{why}"
