"""A real broker and the official client, each in a process of its own, shared by the tests of a module."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import BrokerProcess
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import RawClient

_numbers = count(1)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A broker that must have had no accident, and end well, when all tests of the module are over."""
    with BrokerProcess(tmp_path_factory.mktemp("broker")) as process:
        yield process
        assert process.terminate() == 0
        assert "Traceback" not in process.log
        assert " ERROR " not in process.log


@pytest.fixture(scope="module")
def official(broker: BrokerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Official]:
    process = Official(broker.endpoint, tmp_path_factory.mktemp("official"))
    yield process
    process.kill()


@pytest.fixture(scope="module")
def another_official(broker: BrokerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Official]:
    """A second process, for consumers that must not share memory with the first."""
    process = Official(broker.endpoint, tmp_path_factory.mktemp("another"))
    yield process
    process.kill()


@pytest.fixture
def place(broker: BrokerProcess) -> Iterator[Place]:
    """A topic and a group that no other test uses."""
    with Connection(broker.endpoint) as connection, ExitStack() as stack:
        yield Place(broker.endpoint, AdminClient(connection), stack, next(_numbers))


@pytest.fixture
def raw(place: Place) -> RawClient:
    """A raw client of the place's topic and group."""
    return place.raw()
