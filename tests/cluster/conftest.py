"""Fixtures of the tests that break a broker group: one group a module, whole again before each test."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.registry_client import describe_cluster
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group, without_accident
from tests.cluster.membership import Members
from tests.interop.driving import Official
from tests.interop.place import Place

_numbers = count(1)
_LINES_SHOWN = 15


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[Any]") -> Generator[None, Any, Any]:
    """What the nodes of a failed test's group said last is part of its report."""
    report: Any = yield
    if report.failed and call.when == "call":
        for made in getattr(item, "funcargs", {}).values():
            if isinstance(made, Group | Members):
                for node in made.cluster.status().nodes:
                    lines = list(made.cluster.logs(node.name))[-_LINES_SHOWN:]
                    report.sections.append((f"{node.name}, {node.state}", "".join(lines)))
                break
    return report


@pytest.fixture(scope="module")
def running_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Three nodes for all tests of a module; whatever was done to them, none may have met a defect of its own."""
    with without_accident(tmp_path_factory.mktemp("group") / "cluster") as made:
        yield made


@pytest.fixture
def group(running_group: Group) -> Group:
    """A whole group, whatever the test before did to it."""
    running_group.mend()
    return running_group


@pytest.fixture
def official(group: Group, tmp_path: Path) -> Iterator[Official]:
    """Official clients of this test alone, which know all nodes of the group."""
    process = Official(group.endpoint, tmp_path)
    yield process
    process.kill()


@pytest.fixture
def place(group: Group) -> Iterator[Place]:
    """Topics and groups that no other test uses; they are made by whichever node can be reached."""
    with Connection(",".join(group.clients.values())) as connection, ExitStack() as stack:
        yield Place(group.endpoint, AdminClient(connection), stack, next(_numbers))


@pytest.fixture(scope="session")
def running_two_groups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Two broker groups and two registry nodes for all tests of xdist group `registry`.

    Groups of one node each: what a registry does with them is the same, and a group can be killed by one command.
    """
    plan = ClusterPlan(groups=2, nodes=1, registries=2, base_port=0, is_direct=True, settings={"registry_times": "fast"})
    made = LocalCluster.up(tmp_path_factory.mktemp("registry") / "cluster", plan)
    yield made
    mend_two_groups(made)
    logs = {one: "".join(made.logs(one)) for one in ("broker-a-1", "broker-b-1", "registry-1", "registry-2")}
    assert made.down() == 4
    assert [name for name, log in logs.items() if "Traceback" in log or " ERROR " in log] == []


@pytest.fixture
def two_groups(running_two_groups: LocalCluster) -> LocalCluster:
    """Both groups and both registry nodes are there, whatever the test before did to them."""
    mend_two_groups(running_two_groups)
    return running_two_groups


def mend_two_groups(cluster: LocalCluster) -> None:
    """Start what does not run, and wait until each registry node knows both groups as ones that take messages."""
    status = cluster.status()
    states = {one.name: one.state for one in status.registries} | {one.name: one.state for one in status.nodes}
    for name, state in states.items():
        if state == "stopped":
            cluster.start(name)
    for registry in status.registries:
        with Connection(registry.listen) as connection:

            def is_whole(connection: Connection = connection) -> bool:
                return [group.name for group in describe_cluster(connection).groups] == ["broker-a", "broker-b"]

            wait_until(is_whole, f"{registry.name} knows both groups", limit_s=10)
            for group in describe_cluster(connection).groups:
                if not group.is_writable:
                    AdminClient(connection).set_writable(group.name, is_writable=True)
