"""`pytest tests/transcripts --rewrite` writes what is, in place of what was expected; then a person reads the difference."""

import os

import pytest

from mq.raft.node import RaftNode
from mq.sim.load_raft import load_raft


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write the transcripts anew")


@pytest.fixture(scope="session")
def raft_class() -> type[RaftNode]:
    """What nodes are made of: ours, or the one that RAFTMQ_RAFT names as FILE:Class."""
    where = os.environ.get("RAFTMQ_RAFT")
    return load_raft(where) if where else RaftNode
