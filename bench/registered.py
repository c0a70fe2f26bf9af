"""A registry and brokers for a bench, as processes."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench.common import spawn, stop
from mq.core.errors import MqError
from mq.rpc.calling import Connection
from mq.rpc.registry_client import describe_cluster

__all__ = ["registered"]

_START_S = 20.0


@contextmanager
def registered(registry: str, *brokers: Sequence[str]) -> Iterator[None]:
    """registry: where it listens. brokers: the arguments of `mq broker` for one node of each group, which have all registered.

    Raises: RuntimeError, when they have not in time.
    """
    quiet = ("--log-level", "warning")
    commands = [
        ("registry", "--listen", registry, *quiet),
        *(("broker", *arguments, "--metrics", "", *quiet, "--registry", registry) for arguments in brokers),
    ]
    with ExitStack() as running:
        for command in commands:
            running.callback(stop, spawn(["-m", "mq.cli.main", *command]))
        until = time.monotonic() + _START_S
        with Connection(registry) as connection:
            while not _has(connection, len(brokers)):
                if time.monotonic() > until:
                    raise RuntimeError(f"not within {_START_S:g} s: {len(brokers)} broker groups have registered")
                time.sleep(0.1)  # nobody announces it
        yield


def _has(connection: Connection, groups: int) -> bool:
    try:
        return len(describe_cluster(connection).groups) == groups
    except MqError:
        return False
