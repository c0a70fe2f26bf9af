"""`mq raft transfer`, `add` and `remove`: how a node is named, and what is said of one that nobody hears."""

import socket
from collections.abc import Callable, Iterator

import pytest

from mq.cli import raft_members
from mq.proto import broker_v1_pb2 as b
from tests.unit.cli.conftest import Ran
from tests.unit.cli.fake_broker import OK, FakeBroker

Mq = Callable[..., Ran]


class Leader(FakeBroker):
    """Node 1 of broker-a; it does what it is told."""

    def __init__(self) -> None:
        self.state = b.DescribeRaftResponse(
            code=OK, name="broker-a", node_id=1, role="leader", part="full", term=3, leader=1, last_index=90, voters=[1, 2]
        )
        self.state.addresses.add(node_id=2, peer_address="127.0.0.1:1", client_address="127.0.0.1:8101")
        super().__init__()

    def on_DescribeRaft(self, _request: b.DescribeRaftRequest) -> b.DescribeRaftResponse:  # noqa: N802 - as the RPC
        return self.state

    def on_TransferLeadership(self, request: b.TransferLeadershipRequest) -> b.TransferLeadershipResponse:  # noqa: N802
        return b.TransferLeadershipResponse(code=OK, leader=request.to)

    def on_ChangeMembers(self, _request: b.ChangeMembersRequest) -> b.ChangeMembersResponse:  # noqa: N802
        return b.ChangeMembersResponse(code=OK, voters=[1, 2])


@pytest.fixture
def broker() -> Iterator[Leader]:
    leader = Leader()
    yield leader
    leader.stop()


def test_a_node_is_named_by_its_number_or_as_the_cluster_names_it(mq: Mq, broker: Leader) -> None:
    assert mq("raft", "transfer", "broker-a-2").err == mq("raft", "transfer", "2").err == "node 2 leads\n"
    assert [request.to for request in broker.requests("TransferLeadership")] == [2, 2]
    assert mq("raft", "remove", "broker-a-2").code == 0
    assert mq("raft", "add", "broker-a-3", "--peer", "127.0.0.1:7", "--learner").code == 0
    assert [(one.remove, one.add_learner.node_id) for one in broker.requests("ChangeMembers")] == [(2, 0), (0, 3)]


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ("broker-b-2", "broker-b-2: the nodes that are asked are of broker-a"),
        ("second", "'second' is neither a node's number, such as 2, nor its name, such as broker-a-2"),
        ("broker-a-300", "'broker-a-300' is neither"),
        ("0", "'0' is neither"),
    ],
)
def test_a_name_that_is_none_is_told(mq: Mq, broker: Leader, node: str, told: str) -> None:
    ran = mq("raft", "remove", node)
    assert (ran.code, told in ran.err) == (2, True), ran
    assert broker.requests("ChangeMembers") == []


def test_where_clients_connect_is_no_address_for_other_nodes(mq: Mq, broker: Leader) -> None:
    for place in ("127.0.0.1:8101", broker.endpoint):
        ran = mq("raft", "add", "3", "--peer", place)
        assert (ran.code, f"{place} is where clients connect; give the address where its node" in ran.err) == (2, True), ran
    assert broker.requests("ChangeMembers") == []


def test_a_node_that_is_not_heard_is_told_once_and_soon(mq: Mq, broker: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raft_members, "_HEARD_S_MAX", 0.1)
    monkeypatch.setattr(raft_members, "_LOOK_EVERY_S", 0.01)
    known = broker.state.peers.add(node_id=3, state="probe")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        told = f"node 3 is not heard at {place} yet: does it run, and is that its --peer-listen address?"
        assert mq("raft", "add", "3", "--peer", place, "--wait", "0.6").err.splitlines().count(told) == 1
        known.is_active = True
        assert told not in mq("raft", "add", "3", "--peer", place, "--wait", "0.6").err
    told = f"nobody listens at {place} yet: does node 3 run, and is that its --peer-listen address?"
    assert mq("raft", "add", "3", "--peer", place, "--wait", "0.3").err.splitlines().count(told) == 1


def test_several_brokers_of_which_none_answers_may_lack_a_majority(mq: Mq, broker: Leader) -> None:
    with socket.socket() as one, socket.socket() as other:
        for held in (one, other):
            held.bind(("127.0.0.1", 0))
        places = [f"127.0.0.1:{held.getsockname()[1]}" for held in (one, other)]
        alone = mq("raft", "remove", "1", "--endpoint", places[0], "--timeout", "1")
        several = mq("raft", "remove", "1", "--endpoint", ",".join(places), "--timeout", "1")
    assert (alone.code, "Start one with: mq broker --data DIR" in alone.err) == (3, True), alone
    assert (several.code, "mq broker --data" in several.err) == (3, False), several
    assert "the nodes of a group do not while no majority of it runs; `mq cluster status --dir DIR` shows which do" in several.err
