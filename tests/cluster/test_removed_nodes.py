"""A cluster of which a node was taken out of its group (`mq raft remove`): it is called up and its nodes are started as ever."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mq.cluster.files import ClusterFile
from tests.cluster.broker_process import Ran, run_mq, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

GONE = "broker-a-3 is no member of its group any more (`mq raft remove`), and turns clients away; the group serves without it\n"


class Cluster:
    """A folder, and `mq` commands about it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mq(self, *arguments: str) -> Ran:
        return run_mq("cluster", *arguments, "--dir", str(self.folder), limit_s=120)

    def ask(self, *arguments: str) -> Ran:
        """A command of a client."""
        clients = [node.client for node in ClusterFile.read(self.folder).nodes]
        return run_mq(*arguments, "--endpoint", ",".join(clients))

    def roles(self) -> dict[str, str]:
        return {node["name"]: node["role"] for node in self.mq("status", "-o", "json").json["nodes"]}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes, of which the third is none of the group any more; down."""
    made = Cluster(tmp_path / "cluster")
    try:
        assert made.mq("up", "--port", "0", "--direct").code == 0
        assert made.ask("topic", "create", "orders").code == 0
        removed = made.ask("raft", "remove", "3")
        assert (removed.code, removed.out) == (0, "voters 1, 2\n"), removed
        assert made.mq("down").code == 0
        yield made
    finally:
        made.mq("down")


def test_it_is_up_when_the_members_serve_and_says_who_is_none(cluster: Cluster) -> None:
    up = cluster.mq("up")
    assert up.code == 0, up
    assert GONE in up.err
    assert cluster.ask("send", "orders", "two loaves").code == 0
    wait_until(lambda: cluster.roles()["broker-a-3"] == "no member", "status tells it")
    roles = cluster.roles()
    assert sorted((roles["broker-a-1"], roles["broker-a-2"])) == ["follower", "leader"]


def test_the_node_itself_is_started_and_told_of_and_a_member_is_waited_for(cluster: Cluster) -> None:
    assert cluster.mq("up").code == 0
    for node in ("broker-a-3", "broker-a-2"):
        assert cluster.mq("kill", node).code == 0
    started = cluster.mq("start", "broker-a-2")
    assert (started.code, started.err) == (0, "broker-a-2 serves\n")
    started = cluster.mq("start", "broker-a-3")
    assert (started.code, started.err) == (0, GONE)
