"""Fixtures of the tests that break a broker group: one group a module, whole again before each test."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
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
