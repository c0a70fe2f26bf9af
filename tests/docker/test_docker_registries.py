"""`mq cluster --backend docker` with two broker groups and two registry nodes, which are broken on demand."""

from collections.abc import Iterator

import pytest

from mq.cluster.docker import DockerCluster
from mq.cluster.docker_engine import engine
from mq.cluster.docker_plan import CLUSTER_LABEL, cluster_id
from mq.cluster.plan import ClusterPlan
from mq.core.errors import MqError
from mq.rpc.calling import Connection
from mq.rpc.registry_client import describe_cluster
from tests.cluster.broker_process import run_mq, wait_until
from tests.interop.raw import OK, RawClient

pytestmark = pytest.mark.timeout(300)
BOTH = ["broker-a", "broker-b"]


@pytest.fixture(scope="module")
def cluster(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerCluster]:
    plan = ClusterPlan(groups=2, nodes=1, registries=2, base_port=0, settings={"registry_times": "fast"})
    made = DockerCluster.up(tmp_path_factory.mktemp("docker") / "cluster", plan, image=image)
    yield made
    made.remove()
    label = f"{CLUSTER_LABEL}={cluster_id(made.folder)}"
    assert engine().containers.list(all=True, filters={"label": label}) == []
    assert engine().volumes.list(filters={"label": label}) == []


def known(registry: str) -> list[str]:
    """The broker groups that a registry node knows; nothing while it does not answer."""
    try:
        with Connection(registry, timeout_s=2) as connection:
            return [group.name for group in describe_cluster(connection).groups]
    except MqError:
        return []


def test_clients_of_this_machine_are_told_addresses_that_they_reach_and_registry_nodes_are_broken_and_mended(
    cluster: DockerCluster,
) -> None:
    first, second = (one.listen for one in cluster.status().registries)
    clients = {node.client for node in cluster.status().nodes}
    assert run_mq("topic", "create", "orders", "--queues", "4", "--endpoint", first).code == 0
    for endpoint in (first, second, *clients):
        with RawClient(endpoint, "orders", "bakery") as client:

            def is_told(client: RawClient = client) -> bool:
                return told(client) == clients

            wait_until(is_told, f"both groups' ports of this machine at {endpoint}")
            assert client.try_send() == OK
    with RawClient(second, "orders", "bakery") as client:
        assert len(client.take(4, acks=True, wait_s=2)) == 4
    with RawClient(first, "orders", "bakery", language="RUST") as client:
        assert told(client) == {first}  # such a client goes on with the one address that it came in by
        assert client.try_send() == OK
    cluster.kill("registry-1")
    assert known(first) == []
    cluster.cut("broker-b-1", "registry-2")
    wait_until(lambda: known(second) == ["broker-a"], "the group that is not heard is given up")
    status = run_mq("cluster", "status", "--dir", str(cluster.folder))
    assert [line.split()[:3] for line in status.out.splitlines() if line.startswith("registry")] == [
        ["registry-1", "stopped", "registry"], ["registry-2", "running", "registry"],
    ]  # fmt: skip
    assert "cut: registry-2 hears nothing from broker-b-1" in status.err
    cluster.heal()
    wait_until(lambda: known(second) == BOTH, "it is heard again")
    cluster.start("registry-1")
    wait_until(lambda: known(first) == BOTH, "one that starts empty knows all again")
    cluster.pause("registry-1")
    assert known(first) == []
    assert known(second) == BOTH
    cluster.resume("registry-1")
    wait_until(lambda: known(first) == BOTH, "one that stood still goes on")


def told(client: RawClient) -> set[str]:
    """The addresses in a route."""
    return {f"{one.host}:{one.port}" for queue in client.route().message_queues for one in queue.broker.endpoints.addresses}
