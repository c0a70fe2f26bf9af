"""`pytest tests/transcripts --rewrite` writes what is, in place of what was expected; then a person reads the difference."""

import pytest

from mq.core.errors import IllegalArgumentError
from mq.raft.node import RaftNode
from mq.sim.load_raft import raft_of_environment


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write the transcripts anew")


def pytest_configure() -> None:
    """A Raft that cannot be loaded is told once, and not by every test."""
    try:
        raft_of_environment()
    except IllegalArgumentError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="session")
def raft_class() -> type[RaftNode]:
    """What nodes are made of: ours, or the one that RAFTMQ_RAFT names as FILE:Class."""
    return raft_of_environment()
