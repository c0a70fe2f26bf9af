"""A log whose newest synced entries are gone without a trace is found out when it is opened: its note says how far it went."""

from pathlib import Path

from mq.cluster.asking import ask_broker
from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.core.errors import Code
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import BrokerProcess, wait_until
from tests.cluster.caller import Caller
from tests.cluster.test_damaged_folders import refused_start, stored, used_bytes
from tests.cluster.test_replaced_organs import send

MESSAGES = 40


def forget_the_end(data: Path) -> None:
    """As if the newest half had never been written; snapshots, which would know better, are gone as well."""
    for snapshot in (data / "snapshots").glob("*"):
        snapshot.unlink()
    segment = max((data / "log").iterdir())
    content, half = segment.read_bytes(), used_bytes(segment) // 2
    segment.write_bytes(content[:half] + bytes(len(content) - half))


def test_a_broker_by_itself_does_not_start_and_goes_on_without_them_when_it_is_told_to(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        assert broker.mq("topic", "create", "orders", "--queues", "1").code == 0
        with Caller(broker.endpoint) as client:
            for number in range(MESSAGES):
                assert client.send("orders", f"id-{number}", b"%d " % number + b"x" * 500).status.code == Code.OK
        broker.kill()
        forget_the_end(broker.data)
        said = refused_start(broker)
        assert f", and entries up to {MESSAGES + 1} were durable here (the file `durable` says so): they are lost" in said
        ran = broker.mq("doctor", "--data", str(broker.data))
        assert ran.code == 1
        assert f"entries up to {MESSAGES + 1} were durable: they are lost" in ran.out
        (broker.data / "durable").unlink()
        broker.start()
        left = stored(broker)
        assert left == [b"%d" % number for number in range(len(left))]
        assert 10 < len(left) < 30


def test_a_member_comes_back_by_what_the_others_hold(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    cluster = LocalCluster.up(folder, ClusterPlan(base_port=0, is_direct=True))
    try:
        nodes = ClusterFile.read(folder).nodes
        endpoint = ",".join(node.client for node in nodes[:2])
        with Connection(endpoint) as connection:
            AdminClient(connection).create_topic("orders", queues=2)
        send(endpoint, 30)
        end = ask_broker(nodes[0].client)
        assert end is not None
        wait_until(lambda: (own := ask_broker(nodes[2].client)) and own.last_index >= end.last_index, "node 3 has all")
        cluster.kill("broker-a-3")
        data = folder / "data" / "broker-a-3"
        forget_the_end(data)
        cluster.start("broker-a-3", is_awaited=False)
        wait_until(lambda: "is a voter of its group again" in "".join(cluster.logs("broker-a-3")), "it is a voter again")
        told = "".join(cluster.logs("broker-a-3"))
        assert "the stored data is damaged: log/" in told
        assert "were durable here (the file `durable` says so): they are lost" in told
        assert (data / "damaged-1" / "durable").exists()
        send(endpoint, 3)
        with Connection(nodes[2].client) as connection:
            assert AdminClient(connection).describe_raft().last_index > end.last_index
    finally:
        cluster.down()
