"""Tests of the paper's sentences, for our node or any other class that RAFTMQ_RAFT names as FILE:Class."""

from collections.abc import Callable, Iterable

import pytest

from mq.core.errors import IllegalArgumentError
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.sim.hand.group import HandGroup
from mq.sim.load_raft import raft_of_environment
from tests.paper.lone import Lone


def pytest_configure() -> None:
    """A Raft that cannot be loaded is told once, and not by every test."""
    try:
        raft_of_environment()
    except IllegalArgumentError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="session")
def raft_class() -> type[RaftNode]:
    """What nodes are made of."""
    return raft_of_environment()


@pytest.fixture
def lone(raft_class: type[RaftNode]) -> Callable[..., Lone]:
    """Makes a node that hears what a test says: see `Lone`."""

    def make(voters: int = 3, terms: Iterable[int] = (), **settings: object) -> Lone:
        return Lone(raft_class, voters, list(terms), settings)

    return make


@pytest.fixture
def group(raft_class: type[RaftNode]) -> Callable[..., HandGroup]:
    """Makes a group that is moved by hand. Pre-vote and check-quorum are off unless a test is about them."""

    def make(voters: int = 3, logs: dict[int, list[int]] | None = None, **options: object) -> HandGroup:
        settings = RaftOptions(**{"has_pre_vote": False, "has_check_quorum": False, **options})  # type: ignore[arg-type]
        made = HandGroup(range(1, voters + 1), options=settings, raft_class=raft_class)
        for node_id, terms in (logs or {}).items():
            made.give_log(node_id, terms)
        return made

    return make
