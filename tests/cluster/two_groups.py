"""Two broker groups of one node and two registry nodes, shared by the tests of a module, with topics and groups for each test."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.core.message import MessageKind
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection

__all__ = ["TwoGroups", "two_groups", "until"]


class TwoGroups:
    """endpoint: of the registry nodes, the only address that clients are given."""

    def __init__(self, cluster: LocalCluster, admin: AdminClient) -> None:
        self.cluster, self.admin = cluster, admin
        self.endpoint = cluster.status().endpoint
        self._numbers = count(1)

    def new_topic(self, kind: MessageKind = MessageKind.NORMAL, queues: int = 8) -> str:
        name = f"topic-{next(self._numbers)}"
        self.admin.create_topic(name, kind=kind, queues=queues)
        return name

    def new_group(self, *, is_fifo: bool = False, max_attempts: int = 0) -> str:
        name = f"group-{next(self._numbers)}"
        self.admin.create_group(name, is_fifo=is_fifo, max_attempts=max_attempts)
        return name

    def lag(self, group: str) -> int:
        """How many messages the group has not acknowledged, at both broker groups."""
        return sum(row.lag for row in self.admin.describe_group(group).queues)


@contextmanager
def two_groups(folder: Path) -> Iterator[TwoGroups]:
    """It must have had no accident when all is over."""
    plan = ClusterPlan(groups=2, nodes=1, registries=2, base_port=0, is_direct=True, settings={"registry_times": "fast"})
    made = LocalCluster.up(folder / "cluster", plan)
    try:
        with Connection(made.status().endpoint) as connection:
            yield TwoGroups(made, AdminClient(connection))
        logs = {one: "".join(made.logs(one)) for one in ("broker-a-1", "broker-b-1", "registry-1", "registry-2")}
    finally:
        made.down()
    assert [name for name, log in logs.items() if "Traceback" in log or " ERROR " in log] == []


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], what: str, limit_s: float = 10.0) -> None:
    """Wait in an event loop. what: for the failure."""
    end_s = asyncio.get_running_loop().time() + limit_s
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        assert asyncio.get_running_loop().time() < end_s, f"not within {limit_s:g} s: {what}"
        await asyncio.sleep(0.02)
