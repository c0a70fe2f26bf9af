"""`mq raft status`: each node of a group stands once, by whatever addresses it is reached or is not."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mq.cli.group_members import Member, owner_of
from mq.cli.group_watch import GroupWatch
from tests.unit.cli.conftest import Ran
from tests.unit.cli.fake_node import FakeNode

Mq = Callable[..., Ran]


@contextmanager
def nobody() -> Iterator[str]:
    """HOST:PORT where a connection is refused, as long as the block lasts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def broker() -> Iterator[FakeNode]:
    """Node 1, which leads."""
    node = FakeNode(1)
    node.state.role = "leader"
    yield node
    node.stop()


@pytest.fixture
def other_door() -> Iterator[FakeNode]:
    """Node 1 once more, as the others of its own network reach it."""
    node = FakeNode(1)
    node.state.role = "leader"
    yield node
    node.stop()


def rows_of(ran: Ran) -> list[tuple[str, str, str]]:
    """(node, role, client) of each row."""
    heading, *rows = ran.out.splitlines()
    ends = heading.index("ROLE"), heading.index("TERM"), heading.index("CLIENT")
    return [(row[: ends[0]].strip(), row[ends[0] : ends[1]].rstrip(" -").strip(), row[ends[2] :].strip()) for row in rows]


def test_a_node_with_two_addresses_stands_once_and_is_asked_at_one(mq: Mq, broker: FakeNode, other_door: FakeNode) -> None:
    broker.state.voters[:] = [1]
    broker.state.addresses.add(node_id=1, client_address=other_door.endpoint)
    ran = mq("raft", "status")
    assert rows_of(ran) == [("1", "leader", broker.endpoint)]
    assert other_door.requests("DescribeRaft") == []


def test_both_addresses_may_be_given(mq: Mq, broker: FakeNode, other_door: FakeNode) -> None:
    broker.state.voters[:] = other_door.state.voters[:] = [1]
    broker.state.organs.add(name="raft", class_name="parts_mine.Raft", calls=7)
    ran = mq("raft", "status", "--endpoint", f"{broker.endpoint},{other_door.endpoint}")
    assert rows_of(ran) == [("1", "leader", broker.endpoint)]
    assert ran.err.count("node 1: raft is parts_mine.Raft") == 1


def test_a_node_that_is_silent_at_the_given_address_is_asked_at_its_other_one(mq: Mq, broker: FakeNode) -> None:
    follower = FakeNode(2)
    broker.state.addresses.add(node_id=2, client_address=follower.endpoint)
    with nobody() as blocked:
        given = f"{broker.endpoint},{blocked}"
        rows = rows_of(mq("raft", "status", "--endpoint", given))
        follower.stop()
    assert rows[:2] == [("1", "leader", broker.endpoint), ("2", "follower", follower.endpoint)]


def test_a_dead_node_stands_once_under_the_address_that_was_given(mq: Mq, broker: FakeNode) -> None:
    with nobody() as dead:
        broker.state.addresses.add(node_id=2, peer_address="127.0.0.1:1", client_address=dead)
        named = dead.replace("127.0.0.1", "localhost")
        for given in (dead, named):
            ran = mq("raft", "status", "--endpoint", f"{broker.endpoint},{given}")
            assert rows_of(ran) == [("1", "leader", broker.endpoint), ("2", "no answer", given)]
            assert "?: " not in ran.err


def test_a_dead_learner_has_a_row_even_where_nobody_knows_its_address(mq: Mq, broker: FakeNode) -> None:
    broker.state.voters[:], broker.state.learners[:] = [1], [4]
    ran = mq("raft", "status")
    assert rows_of(ran) == [("1", "leader", broker.endpoint), ("4", "no answer (learner)", "not known")]
    assert "not known: where clients reach this node nobody has told yet, so it was not asked" in ran.err
    with nobody() as dead:
        broker.state.addresses.add(node_id=4, client_address=dead)
        assert rows_of(mq("raft", "status"))[1] == ("4", "no answer (learner)", dead)
        assert mq("raft", "status", "-o", "json").json["unreachable"] == [{"node": 4, "client": dead}]


def test_an_address_of_a_node_that_was_removed_is_told_apart(mq: Mq, broker: FakeNode) -> None:
    broker.state.voters[:] = [1]
    with nobody() as removed:
        ran = mq("raft", "status", "--endpoint", f"{broker.endpoint},{removed}")
    assert rows_of(ran) == [("1", "leader", broker.endpoint), ("?", "no answer", removed)]
    assert "?: nobody who answers knows this address; its node may be no member any more" in ran.err


def test_who_belongs_to_the_group_is_said_by_the_leader_and_not_by_one_that_is_behind(broker: FakeNode) -> None:
    behind = FakeNode(2)
    behind.state.term, behind.state.voters[:] = 2, [1, 2, 3]
    try:
        with GroupWatch(f"{behind.endpoint},{broker.endpoint}") as group:
            assert [(line.node, line.client) for line in group.look()] == [(1, broker.endpoint), (2, behind.endpoint)]
    finally:
        behind.stop()


def test_numbers_are_known_still_when_nobody_answers_any_more(broker: FakeNode) -> None:
    with nobody() as dead:
        broker.state.addresses.add(node_id=1, client_address=broker.endpoint)
        broker.state.addresses.add(node_id=2, client_address=dead)
        with GroupWatch(broker.endpoint) as group:
            group.look()
            broker.stop()
            found = [(line.node, line.client, line.view) for line in group.look()]
    assert found == [(1, broker.endpoint, None), (2, dead, None)]


def test_a_node_by_itself_is_a_group_of_one_whatever_its_number(mq: Mq, broker: FakeNode) -> None:
    broker.state.node_id, broker.state.part, broker.state.voters[:] = 2, "alone", [1]
    assert [row[0] for row in rows_of(mq("raft", "status"))] == ["2"]


def test_a_silent_network_is_not_asked_for_nodes_that_answer(broker: FakeNode, other_door: FakeNode) -> None:
    """As inside addresses of containers are, from a machine that has no way to them: each question takes until its limit."""

    def never(_request: object) -> None:
        threading.Event().wait(2)

    other_door.answers["DescribeRaft"] = never
    broker.state.addresses.add(node_id=1, client_address=other_door.endpoint)
    with GroupWatch(broker.endpoint, timeout_s=0.5) as group:
        for _ in range(3):
            assert [line.client for line in group.look() if line.node == 1] == [broker.endpoint]
    assert other_door.requests("DescribeRaft") == []


def test_an_address_belongs_to_one_node_or_to_none() -> None:
    members = {
        ("a", 1): Member(("10.0.0.11:8081",), frozenset({"10.0.0.11", "broker-a-1"}), is_learner=False),
        ("a", 2): Member(("10.0.0.12:8081",), frozenset({"10.0.0.12", "broker-a-2"}), is_learner=False),
        ("a", 3): Member((), frozenset({"broker-a-3"}), is_learner=True),
    }
    assert owner_of("10.0.0.12:8081", members) == ("a", 2)
    assert owner_of("broker-a-1:8081", members) == ("a", 1), "a name of the containers' network, of which none tells clients"
    for unknown in ("broker-a-1:8082", "broker-a-3:8081", "127.0.0.1:8081"):
        assert owner_of(unknown, members) is None
    shared = {key: Member(("lb:1",), frozenset({"lb"}), is_learner=False) for key in (("a", 1), ("a", 2))}
    assert owner_of("lb:2", shared) is None
