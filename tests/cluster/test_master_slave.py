"""A master and its slaves as processes: copying, reads, promotion by hand, and the three ways in which that fails."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mq.client.raft_views import RaftView
from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import ClusterPlan
from mq.core.errors import MqError, OutcomeUnknownError, RefusedError
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.message_client import MessageClient
from tests.cluster.broker_process import wait_until

pytestmark = pytest.mark.timeout(120)

MASTER, SLAVE = "broker-a-1", "broker-a-2"
TOPIC = "bread"
SMALL = {"replication": "master_slave", "segment_bytes": "1MiB", "snapshot_every_bytes": "1MiB"}


class Pair:
    """A master and a slave with a proxy between them, and a topic of one queue. Use `with`."""

    def __init__(self, folder: Path, copy: str) -> None:
        plan = ClusterPlan(nodes=2, registries=1, base_port=0, settings={**SMALL, "copy": copy, "registry_times": "fast"})
        self.cluster = LocalCluster.up(folder, plan)
        self.registry = ClusterFile.read(folder).registries[0].listen
        self.clients = {node.name: node.client for node in ClusterFile.read(folder).nodes}
        self.data = {name: ClusterFile.read(folder).data_folder(name) for name in self.clients}
        with Connection(self.clients[MASTER]) as connection:
            AdminClient(connection).create_topic(TOPIC, kind=MessageKind.NORMAL, queues=1)

    def __enter__(self) -> "Pair":
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.down()

    def send(self, name: str, *bodies: str, timeout_s: float = 10.0) -> None:
        """To this node alone. Raises: MqError."""
        with Connection(self.clients[name], timeout_s=timeout_s) as connection:
            client = MessageClient(connection)
            for body in bodies:
                client.send(TOPIC, body.encode())

    def try_send(self, name: str, body: str) -> MqError | None:
        """Why it did not work, if it did not."""
        try:
            self.send(name, body)
        except MqError as error:
            return error
        return None

    def bodies(self, name: str, told: Callable[[str], None] = lambda _told: None) -> list[str]:
        """All that the topic holds, as this node answers. told: why that may be old."""
        with Connection(self.clients[name]) as connection:
            connection.on_old = told
            return [message.body.decode() for message in AdminClient(connection).peek(TOPIC, 0, 0, 100).messages]

    def route(self) -> tuple[list[str], int]:
        """Of the registry: where the topic is, and what may be done with it there."""
        with Connection(self.registry) as connection:
            request = pb.QueryRouteRequest(topic=pb.Resource(name=TOPIC))
            (queue,) = connection.call("QueryRoute", request, is_idempotent=True).message_queues
        return [f"{one.host}:{one.port}" for one in queue.broker.endpoints.addresses], queue.permission

    def view(self, name: str) -> RaftView:
        """Of this node, by itself."""
        with Connection(self.clients[name], timeout_s=2.0) as connection:
            return AdminClient(connection).describe_raft()

    def promote(self, name: str, *, is_alone: bool = False, is_forced: bool = False) -> int:
        """A person says so; the epoch then. Raises: RefusedError."""
        with Connection(self.clients[name]) as connection:
            return AdminClient(connection).promote_master(is_alone=is_alone, is_forced=is_forced).epoch

    def wait_for(self, name: str, is_so: Callable[[RaftView], bool], what: str) -> None:
        """Until this holds of a node."""

        def holds() -> bool:
            try:
                return is_so(self.view(name))
            except MqError:
                return False

        wait_until(holds, f"{name}: {what}")

    def wait_until_equal(self) -> None:
        """Both are there, one is the master, and the other has all that it has."""

        def is_equal() -> bool:
            try:
                one, other = self.view(MASTER), self.view(SLAVE)
            except MqError:
                return False
            roles = {one.role_name, other.role_name}
            return roles == {"master", "slave"} and one.leader == other.leader and one.applied_index == other.applied_index

        wait_until(is_equal, "the slave has all that the master has")

    def logs(self, name: str) -> str:
        return "".join(self.cluster.logs(name))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Pair(tmp_path / "cluster", "async") as made:
        yield made


@pytest.fixture
def synchronous(tmp_path: Path) -> Iterator[Pair]:
    with Pair(tmp_path / "cluster", "sync") as made:
        yield made


def test_without_its_master_a_slave_is_read_from_and_takes_over_when_a_person_says_so(pair: Pair) -> None:
    pair.send(MASTER, "one", "two")
    pair.send(SLAVE, "three")  # passed on
    with pytest.raises(RefusedError, match="node 1 is the master and answers"):
        pair.promote(SLAVE)
    pair.wait_until_equal()
    assert pair.route() == ([pair.clients[MASTER]], pb.READ_WRITE)
    pair.cluster.kill(MASTER)
    pair.wait_for(SLAVE, lambda view: view.leader is None, "it hears no master")
    wait_until(lambda: pair.route() == ([pair.clients[SLAVE]], pb.READ), "the route is to the slave, for reading")
    told: list[str] = []
    assert pair.bodies(SLAVE, told.append) == ["one", "two", "three"]
    assert "which has no master" in told[0]
    with Connection(pair.clients[SLAVE]) as connection:
        admin = AdminClient(connection)
        assert [topic.name for topic in admin.topics()] == [TOPIC]
        with pytest.raises(MqError, match="mq broker promote --endpoint"):
            admin.create_group("mill")
    assert "mq broker promote --endpoint" in str(pair.try_send(SLAVE, "nobody takes it"))
    restarted_alone(pair, SLAVE, holds=["one", "two", "three"])
    assert pair.promote(SLAVE) == 2
    wait_until(lambda: pair.route() == ([pair.clients[SLAVE]], pb.READ_WRITE), "the route is to the new master")
    pair.send(SLAVE, "four")
    assert pair.bodies(SLAVE, pytest.fail) == ["one", "two", "three", "four"]
    pair.cluster.start(MASTER, is_awaited=False)  # it asks, and hears of epoch 2
    pair.wait_until_equal()
    assert pair.view(MASTER).role_name == "slave"
    assert pair.bodies(MASTER) == ["one", "two", "three", "four"]
    assert not list(pair.data[MASTER].glob("damaged-*")), "what it had was all in the new master's log"


def restarted_alone(pair: Pair, name: str, *, holds: list[str]) -> None:
    """A slave that is started without its master still knows what it was given."""
    pair.cluster.kill(name)
    pair.cluster.start(name, is_awaited=False)
    pair.wait_for(name, lambda view: view.applied_index == view.last_index, "it has applied its log")
    assert pair.bodies(name) == holds


def test_asynchronous_copy_loses_what_was_acknowledged_and_not_copied(pair: Pair) -> None:
    pair.send(MASTER, "copied")
    pair.wait_until_equal()
    pair.cluster.cut(MASTER, SLAVE)
    pair.send(MASTER, "acknowledged and gone")
    pair.cluster.kill(MASTER)
    pair.cluster.wipe(MASTER)
    pair.cluster.heal()
    assert pair.promote(SLAVE) == 2
    pair.send(SLAVE, "later")
    pair.cluster.start(MASTER, is_awaited=False)  # with an empty folder: it must not be a master, and empty the other
    pair.wait_until_equal()
    for name in (MASTER, SLAVE):
        assert pair.bodies(name) == ["copied", "later"]


def test_after_a_partition_there_are_two_masters_and_what_one_acknowledged_vanishes(pair: Pair) -> None:
    pair.send(MASTER, "before")
    pair.wait_until_equal()
    pair.cluster.cut(MASTER, SLAVE)
    pair.wait_for(SLAVE, lambda view: view.leader is None, "it hears no master")
    assert pair.promote(SLAVE) == 2
    pair.send(MASTER, "of the old master", "and one more")
    pair.send(SLAVE, "of the new master")
    assert pair.view(MASTER).role_name == pair.view(SLAVE).role_name == "master"
    assert pair.bodies(MASTER) == ["before", "of the old master", "and one more"]

    pair.cluster.heal()
    wait_until(lambda: list(pair.data[MASTER].glob("damaged-*")), "what the old master had is put aside")
    pair.wait_until_equal()
    for name in (MASTER, SLAVE):
        assert pair.bodies(name) == ["before", "of the new master"]
    assert "2 entries that this node took for stored for ever" in pair.logs(MASTER)
    assert "and so gone from the group" in pair.logs(MASTER)


def test_synchronous_copy_takes_nothing_without_a_slave_until_a_person_acts(synchronous: Pair) -> None:
    pair = synchronous
    pair.send(MASTER, "on both")
    assert pair.bodies(SLAVE) == ["on both"]
    pair.cluster.kill(SLAVE)
    refused = [error for number in range(2) if (error := pair.try_send(MASTER, f"in vain {number}")) is not None]
    assert len(refused) == 2
    assert isinstance(refused[0], OutcomeUnknownError | MqError)
    assert not refused[0].definite or "no slave" in str(refused[0])
    assert "mq broker promote --alone" in str(refused[1])
    assert refused[1].definite
    assert pair.view(MASTER).is_stalled
    assert pair.bodies(MASTER) == ["on both"], "what no slave has is not shown to anybody"

    assert pair.promote(MASTER, is_alone=True) == 1
    wait_until(lambda: pair.try_send(MASTER, "alone") is None, "the master goes on alone")
    before = pair.bodies(MASTER)
    assert before[0] == "on both"
    assert before[-1] == "alone"
    pair.cluster.start(SLAVE, is_awaited=False)
    pair.wait_until_equal()
    assert pair.bodies(SLAVE) == before
    pair.cluster.kill(SLAVE)  # it had caught up, so that the master waits for it again
    pair.wait_for(MASTER, lambda view: view.is_stalled, "nothing is taken without a slave")
    assert pair.try_send(MASTER, "in vain again") is not None
    pair.cluster.start(SLAVE, is_awaited=False)
    wait_until(lambda: pair.try_send(MASTER, "with a slave") is None, "the master goes on with its slave")
