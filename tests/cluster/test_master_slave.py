"""A master and its slaves as processes: copying, reads, promotion by hand, and the three ways in which that fails."""

import re
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

SMALL = {"replication": "master_slave", "segment_bytes": "1MiB", "snapshot_every_bytes": "1MiB", "registry_times": "fast"}


class Pair:
    """Two nodes with a proxy between them, and a registry node. Use `with`, and `mend` before each test.

    master, slave: their names as they were before the test. topic: of one queue, of this test alone.
    """

    def __init__(self, folder: Path, copy: str) -> None:
        plan = ClusterPlan(nodes=2, registries=1, base_port=0, settings={**SMALL, "copy": copy})
        self.cluster = LocalCluster.up(folder, plan)
        file = ClusterFile.read(folder)
        self.registry = file.registries[0].listen
        self.clients = {node.name: node.client for node in file.nodes}
        self.data = {name: file.data_folder(name) for name in self.clients}
        self.master, self.slave = self.clients
        self._tests = 0
        self.topic = ""

    def __enter__(self) -> "Pair":
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.down()

    def mend(self) -> None:
        """Whole again, with a topic of its own."""
        self.cluster.heal()
        for node in self.cluster.status().nodes:
            if node.state == "stopped":
                self.cluster.start(node.name, is_awaited=False)
        self.wait_until_equal()
        names = list(self.clients)
        self.master, self.slave = names if self.view(names[0]).role_name == "master" else reversed(names)
        self._tests += 1
        self.topic = f"bread-{self._tests}"
        with Connection(self.clients[self.master]) as connection:
            AdminClient(connection).create_topic(self.topic, kind=MessageKind.NORMAL, queues=1)
        self.wait_until_equal()

    def send(self, name: str, *bodies: str, timeout_s: float = 10.0) -> None:
        """To this node alone. Raises: MqError."""
        with Connection(self.clients[name], timeout_s=timeout_s) as connection:
            client = MessageClient(connection)
            for body in bodies:
                client.send(self.topic, body.encode())

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
            return [message.body.decode() for message in AdminClient(connection).peek(self.topic, 0, 0, 100).messages]

    def route(self) -> tuple[list[str], int]:
        """Of the registry: where the topic is, and what may be done with it there."""
        with Connection(self.registry) as connection:
            request = pb.QueryRouteRequest(topic=pb.Resource(name=self.topic))
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
                one, other = map(self.view, self.clients)
            except MqError:
                return False
            roles = {one.role_name, other.role_name}
            return roles == {"master", "slave"} and one.leader == other.leader and one.applied_index == other.applied_index

        wait_until(is_equal, "the slave has all that the master has")

    def put_aside(self) -> int:
        """How often whoever was the master has put aside all that it had."""
        return len(list(self.data[self.master].glob("damaged-*")))

    def logs(self, name: str) -> str:
        return "".join(self.cluster.logs(name))


@pytest.fixture(scope="module")
def running_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """For all tests of asynchronous copy."""
    with Pair(tmp_path_factory.mktemp("pair") / "cluster", "async") as made:
        yield made


@pytest.fixture
def pair(running_pair: Pair) -> Pair:
    running_pair.mend()
    return running_pair


@pytest.fixture
def synchronous(tmp_path: Path) -> Iterator[Pair]:
    with Pair(tmp_path / "cluster", "sync") as made:
        made.mend()
        yield made


def test_without_its_master_a_slave_is_read_from_and_takes_over_when_a_person_says_so(pair: Pair) -> None:
    pair.send(pair.master, "one", "two")
    pair.send(pair.slave, "three")  # passed on
    with pytest.raises(RefusedError, match=r"node \d is the master and answers"):
        pair.promote(pair.slave)
    pair.wait_until_equal()
    wait_until(lambda: pair.route() == ([pair.clients[pair.master]], pb.READ_WRITE), "the route is to the master alone")
    epoch, put_aside = pair.view(pair.slave).term, pair.put_aside()
    pair.cluster.kill(pair.master)
    pair.wait_for(pair.slave, lambda view: view.leader is None, "it hears no master")
    wait_until(lambda: pair.route() == ([pair.clients[pair.slave]], pb.READ), "the route is to the slave, for reading")
    told: list[str] = []
    assert pair.bodies(pair.slave, told.append) == ["one", "two", "three"]
    assert "which has no master" in told[0]
    with Connection(pair.clients[pair.slave]) as connection:
        admin = AdminClient(connection)
        assert pair.topic in [topic.name for topic in admin.topics()]
        with pytest.raises(MqError, match="mq broker promote --endpoint"):
            admin.create_group("mill")
    assert "mq broker promote --endpoint" in str(pair.try_send(pair.slave, "nobody takes it"))
    restarted_alone(pair, pair.slave, holds=["one", "two", "three"])
    assert pair.promote(pair.slave) > epoch
    wait_until(lambda: pair.route() == ([pair.clients[pair.slave]], pb.READ_WRITE), "the route is to the new master")
    pair.send(pair.slave, "four")
    assert pair.bodies(pair.slave, pytest.fail) == ["one", "two", "three", "four"]
    pair.cluster.start(pair.master, is_awaited=False)  # it asks, and hears of epoch 2
    pair.wait_until_equal()
    assert pair.view(pair.master).role_name == "slave"
    assert pair.bodies(pair.master) == ["one", "two", "three", "four"]
    assert pair.put_aside() == put_aside, "what it had was all in the new master's log"


def restarted_alone(pair: Pair, name: str, *, holds: list[str]) -> None:
    """A slave that is started without its master still knows what it was given."""
    pair.cluster.kill(name)
    pair.cluster.start(name, is_awaited=False)
    pair.wait_for(name, lambda view: view.applied_index == view.last_index, "it has applied its log")
    assert pair.bodies(name) == holds


def test_asynchronous_copy_loses_what_was_acknowledged_and_not_copied(pair: Pair) -> None:
    pair.send(pair.master, "copied")
    pair.wait_until_equal()
    pair.cluster.cut(pair.master, pair.slave)
    pair.send(pair.master, "acknowledged and gone")
    pair.cluster.kill(pair.master)
    pair.cluster.wipe(pair.master)
    pair.cluster.heal()
    pair.promote(pair.slave)
    pair.send(pair.slave, "later")
    pair.cluster.start(pair.master, is_awaited=False)  # with an empty folder: it must not be a master, and empty the other
    pair.wait_until_equal()
    for name in (pair.master, pair.slave):
        assert pair.bodies(name) == ["copied", "later"]


def test_after_a_partition_there_are_two_masters_and_what_one_acknowledged_vanishes(pair: Pair) -> None:
    pair.send(pair.master, "before")
    pair.wait_until_equal()
    pair.cluster.cut(pair.master, pair.slave)
    pair.wait_for(pair.slave, lambda view: view.leader is None, "it hears no master")
    pair.promote(pair.slave)
    pair.send(pair.master, "of the old master", "and one more")
    pair.send(pair.slave, "of the new master")
    assert pair.view(pair.master).role_name == pair.view(pair.slave).role_name == "master"
    assert pair.bodies(pair.master) == ["before", "of the old master", "and one more"]

    before = pair.put_aside()
    pair.cluster.heal()
    wait_until(lambda: pair.put_aside() > before, "what the old master had is put aside")
    pair.wait_until_equal()
    for name in (pair.master, pair.slave):
        assert pair.bodies(name) == ["before", "of the new master"]
    *_, gone = re.findall(r"failed, .* (\d+) entries that this node took .* and so gone from the group", pair.logs(pair.master))
    assert int(gone) >= 2


def test_synchronous_copy_takes_nothing_without_a_slave_until_a_person_acts(synchronous: Pair) -> None:
    pair = synchronous
    pair.send(pair.master, "on both")
    assert pair.bodies(pair.slave) == ["on both"]
    pair.cluster.kill(pair.slave)
    refused = [error for number in range(2) if (error := pair.try_send(pair.master, f"in vain {number}")) is not None]
    assert len(refused) == 2
    assert isinstance(refused[0], OutcomeUnknownError | MqError)
    assert not refused[0].definite or "no slave" in str(refused[0])
    assert "mq broker promote --alone" in str(refused[1])
    assert refused[1].definite
    assert pair.view(pair.master).is_stalled
    assert pair.bodies(pair.master) == ["on both"], "what no slave has is not shown to anybody"

    assert pair.promote(pair.master, is_alone=True) == 1
    wait_until(lambda: pair.try_send(pair.master, "alone") is None, "the master goes on alone")
    before = pair.bodies(pair.master)
    assert before[0] == "on both"
    assert before[-1] == "alone"
    pair.cluster.start(pair.slave, is_awaited=False)
    pair.wait_until_equal()
    assert pair.bodies(pair.slave) == before
    pair.cluster.kill(pair.slave)  # it had caught up, so that the master waits for it again
    pair.wait_for(pair.master, lambda view: view.is_stalled, "nothing is taken without a slave")
    assert pair.try_send(pair.master, "in vain again") is not None
    pair.cluster.start(pair.slave, is_awaited=False)
    wait_until(lambda: pair.try_send(pair.master, "with a slave") is None, "the master goes on with its slave")
