"""A node that has made something else of the log than the others is found out behind the next snapshot."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mq.broker.store.snapshot import decode_snapshot, encode_snapshot
from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import run_mq, wait_until
from tests.cluster.membership import Members
from tests.interop.raw import RawClient

pytestmark = pytest.mark.timeout(300)

TOPIC, GROUP = "orders", "bakery"
_SETTINGS = {"snapshot_every_bytes": "64KiB"}
HIDES_FOR_LONGER = """
import sys

from mq.broker.delivery.table import DeliveryTable as Reference

class DeliveryTable(Reference):
    def take(self, picks, *, deadline_ms, **rest):
        # As one does that looks at something of its own node: its clock, its folder, its memory.
        is_odd = sys.argv[sys.argv.index("--node") + 1] == "3"
        return super().take(picks, deadline_ms=deadline_ms + 7 * is_odd, **rest)
"""


def other_state(folder: Path) -> None:
    """What no check of a file finds: in the newest snapshot there, whole as it is, the group has another limit of attempts."""
    newest = max((folder / "snapshots").iterdir())
    found = decode_snapshot(f"snapshots/{newest.name}", newest.read_bytes())
    state = json.loads(found.body)
    (group,) = (group for group in state["groups"] if group[0] == GROUP)
    group[2] += 1
    newest.write_bytes(encode_snapshot(replace(found, body=json.dumps(state, separators=(",", ":")).encode())))


@pytest.mark.parametrize("differing", ["the leader", "a follower"])
def test_a_node_whose_state_is_another_leaves_and_is_given_it_anew(tmp_path: Path, differing: str) -> None:
    with Members(tmp_path / "cluster", **_SETTINGS) as members:
        with Connection(",".join(members.clients.values())) as connection:
            AdminClient(connection).create_topic(TOPIC, queues=2)
            AdminClient(connection).create_group(GROUP, max_attempts=5)
        node = next(other for other in (1, 2, 3) if other != members.leader())
        assert len(members.state_hashes(1, 2, 3)) == 1
        members.cluster.stop(members.name(node))
        other_state(members.data_folder(node))
        members.cluster.start(members.name(node))
        if differing == "the leader":
            assert members.mq("raft", "transfer", str(node)).code == 0
            wait_until(lambda: members.leader() == node, "the node that differs leads", limit_s=20.0)
        sent = members.mq("send", TOPIC, "x" * 1000, "--count", "400")
        assert sent.code == 0, sent
        wait_until(
            lambda: "which are a majority: it cannot be what the group has decided" in members.log_of(node),
            "the node finds out that its state is another", limit_s=40.0,
        )  # fmt: skip
        members.await_voters(1, 2, 3)
        assert len(members.state_hashes(1, 2, 3)) == 1
        assert (members.data_folder(node) / "damaged-1" / "snapshots").is_dir()
        with Connection(members.clients[node]) as connection:
            assert [group.max_attempts for group in AdminClient(connection).groups() if group.name == GROUP] == [5]
        for other in {1, 2, 3} - {node}:
            assert "which are a majority" not in members.log_of(other)


def test_a_table_that_comes_to_another_state_is_named_and_ends_its_node_and_the_group_goes_on(tmp_path: Path) -> None:
    (tmp_path / "organ.py").write_text(HIDES_FOR_LONGER)
    folder = tmp_path / "cluster"
    plan = ClusterPlan(base_port=0, is_direct=True, parts={"": str(tmp_path / "organ.py")}, settings=_SETTINGS)
    cluster = LocalCluster.up(folder, plan)
    try:
        endpoint = ",".join(node.client for node in ClusterFile.read(folder).nodes[:2])
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic(TOPIC, queues=1)
            AdminClient(connection).create_group(GROUP)
        with RawClient(ClusterFile.read(folder).nodes[0].client, TOPIC, GROUP) as raw:
            raw.send(b"bread")
            raw.take(1, invisible_s=300)
        assert run_mq("send", TOPIC, "x" * 1000, "--count", "400", "--endpoint", endpoint).code == 0
        wait_until(lambda: cluster.status().nodes[2].state == "stopped", "the node with the other state stops", limit_s=40.0)
        log = "".join(cluster.logs("broker-a-3"))
        assert "the broker stops: delivery_table: the state of entry" in log
        assert run_mq("send", TOPIC, "bread", "--count", "20", "--endpoint", endpoint).code == 0
        assert [node.state for node in cluster.status().nodes[:2]] == ["running", "running"]
    finally:
        cluster.down()
