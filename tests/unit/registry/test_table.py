"""A registry node's memory: what a registration changes, what is refused, when it ends, and the routes that follow."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.core.message import MessageKind, Permission
from mq.registry.registration import (
    ConsumerGroupEntry,
    NodeKey,
    Registration,
    RegistryTimes,
    Replication,
    Role,
    Serial,
    TopicEntry,
)  # fmt: skip
from mq.registry.table import RegistryTable

EXPIRY_MS = 120_000
ADDRESSES = {"broker-a": ("10.0.0.1:8081", "10.0.0.2:8081", "10.0.0.3:8081"), "broker-b": ("10.0.1.1:8081",)}


def topic(name: str, queues: int = 4, permission: Permission = Permission.READ_WRITE) -> TopicEntry:
    return TopicEntry(name, MessageKind.NORMAL, queues, permission)


def said(broker: str = "broker-a", node: int = 1, count: int = 1, **fields: object) -> Registration:
    """What a node says; the first one of a group leads."""
    addresses = ADDRESSES.get(broker, (f"{broker}:8081",))
    defaults: dict[str, object] = {
        "replication": Replication.RAFT, "role": Role.LEADER if node == 1 else Role.FOLLOWER, "epoch": 1, "version": 10,
        "address": addresses[node - 1], "addresses": addresses, "topics": (topic("orders"),),
    }  # fmt: skip
    return Registration("raftmq", broker, node, Serial(1_000, count), **(defaults | fields))  # type: ignore[arg-type]


def table(*registrations: Registration) -> RegistryTable:
    made = RegistryTable(EXPIRY_MS)
    for one in registrations:
        assert made.register(one, now_ms=0).is_taken
    return made


def places(made: RegistryTable, name: str) -> list[str]:
    """Such as a0: the first queue of broker-a."""
    route = made.route(name)
    return [] if route is None else [f"{queue.broker[-1]}{queue.queue_id}" for queue in route.queues]


def test_a_topic_nobody_has_has_no_route() -> None:
    made = table(said())
    assert made.route("payments") is None
    assert made.topics() == ("orders",)


def test_queues_of_two_groups_lie_between_each_other() -> None:
    made = table(said("broker-b", topics=(topic("orders", 2),)), said("broker-a"))
    assert places(made, "orders") == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_a_queue_is_listed_once_with_the_addresses_of_all_nodes_of_its_group() -> None:
    made = table(said(node=1), said(node=2))
    route = made.route("orders")
    assert route is not None
    assert [queue.queue_id for queue in route.queues] == [0, 1, 2, 3]
    assert {queue.addresses for queue in route.queues} == {ADDRESSES["broker-a"]}


def test_registries_that_heard_the_same_in_another_order_answer_alike() -> None:
    registrations = [said(node=1), said(node=2), said(node=3), said("broker-b")]
    assert table(*registrations).route("orders") == table(*reversed(registrations)).route("orders")


def test_what_is_older_than_what_the_node_said_before_is_refused() -> None:
    made = table(said(count=5, topics=(topic("orders"), topic("payments")), version=12))
    late = made.register(said(count=4, version=10), now_ms=1)
    assert not late.is_taken
    assert not late.has_changed
    assert late.reason == "serial 1000.4 of broker-a-1 is not later than 1000.5 of broker-a-1, which was heard before"
    assert made.topics() == ("orders", "payments")
    assert made.register(replace(said(), serial=Serial(2_000, 1)), now_ms=1).is_taken  # its process began anew


def test_a_node_that_is_behind_is_alive_and_its_older_topics_are_not_taken() -> None:
    made = table(said(node=1, version=12, topics=(topic("orders"), topic("payments"))))
    behind = made.register(said(node=2, version=10), now_ms=50)
    assert behind.is_taken
    assert made.topics() == ("orders", "payments")
    assert made.unregister(NodeKey("broker-a", 1))
    assert made.topics() == ("orders", "payments")  # the group has them, whoever of it was heard last


def test_a_newer_version_replaces_all_topics() -> None:
    made = table(said(topics=(topic("orders"), topic("payments"))))
    made.register(said(count=2, version=11, topics=(topic("payments", 8),)), now_ms=1)
    assert made.topics() == ("payments",)
    assert len(places(made, "payments")) == 8


def test_a_silent_node_is_given_up_and_with_its_last_node_the_group() -> None:
    made = table(said(node=1), said("broker-b"))
    made.register(said(node=2), now_ms=100)
    assert made.expire(EXPIRY_MS - 1) == ()
    assert set(made.expire(EXPIRY_MS)) == {NodeKey("broker-a", 1), NodeKey("broker-b", 1)}
    assert places(made, "orders") == ["a0", "a1", "a2", "a3"]
    assert made.expire(EXPIRY_MS + 100) == (NodeKey("broker-a", 2),)
    assert made.route("orders") is None
    assert made.view(0).groups == ()


def test_a_node_that_registers_again_lives_on() -> None:
    made = table(said())
    made.register(said(count=2), now_ms=EXPIRY_MS - 1)
    assert made.expire(2 * EXPIRY_MS - 2) == ()
    assert made.expire(2 * EXPIRY_MS - 1) == (NodeKey("broker-a", 1),)


def test_with_a_connection_go_the_nodes_that_registered_by_it_last() -> None:
    made = RegistryTable(EXPIRY_MS)
    made.register(said(node=1), 0, connection=7)
    made.register(said(node=2), 0, connection=8)
    made.register(said(node=1, count=2), 1, connection=9)  # it came back by another one before the old one was seen to end
    assert made.closed(7) == ()
    assert made.closed(8) == (NodeKey("broker-a", 2),)
    assert made.closed(9) == (NodeKey("broker-a", 1),)
    assert made.route("orders") is None


def test_goodbye_ends_a_node_at_once_and_once() -> None:
    made = table(said())
    assert made.unregister(NodeKey("broker-a", 1))
    assert not made.unregister(NodeKey("broker-a", 1))
    assert not made.unregister(NodeKey("broker-x", 1))
    assert made.route("orders") is None


def test_of_two_that_say_they_lead_the_higher_epoch_is_believed() -> None:
    made = table(said(node=1, epoch=3), said(node=2, role=Role.LEADER, epoch=4))
    (group,) = made.view(0).groups
    assert (group.leader, group.epoch) == (2, 4)
    assert {node.node: node.role for node in group.nodes} == {1: Role.LEADER, 2: Role.LEADER}


def test_a_drained_group_takes_no_messages_and_can_still_be_read() -> None:
    made = table(said("broker-a", is_writable=False), said("broker-b"))
    route = made.route("orders")
    assert route is not None
    assert {queue.broker: queue.permission for queue in route.queues} == {
        "broker-a": Permission.READ, "broker-b": Permission.READ_WRITE,
    }  # fmt: skip


def master_slave(node: int, role: Role, count: int = 1, epoch: int = 1) -> Registration:
    one = said("broker-m", 1, count, replication=Replication.MASTER_SLAVE, role=role, epoch=epoch, address=f"10.0.2.{node}:8081")
    return replace(one, node=node, addresses=("10.0.2.0:8081", "10.0.2.1:8081"))


def test_with_master_and_slave_clients_are_sent_to_the_master_alone_and_to_the_slave_to_read_when_it_is_gone() -> None:
    made = table(master_slave(0, Role.MASTER), master_slave(1, Role.SLAVE))
    route = made.route("orders")
    assert route is not None
    assert {queue.addresses for queue in route.queues} == {("10.0.2.0:8081",)}
    made.unregister(NodeKey("broker-m", 0))
    route = made.route("orders")
    assert route is not None
    assert {(queue.addresses, queue.permission) for queue in route.queues} == {(("10.0.2.1:8081",), Permission.READ)}
    made.register(master_slave(1, Role.MASTER, count=2, epoch=2), now_ms=1)  # a person has promoted it
    route = made.route("orders")
    assert route is not None
    assert {queue.permission for queue in route.queues} == {Permission.READ_WRITE}


def test_one_address_is_one_node() -> None:
    made = table(master_slave(0, Role.MASTER), master_slave(1, Role.SLAVE))
    promoted = replace(master_slave(1, Role.MASTER, epoch=2), node=0, serial=Serial(2_000, 1))
    assert made.register(promoted, now_ms=1).has_changed
    (group,) = made.view(1).groups
    assert [(node.node, node.role, node.address) for node in group.nodes] == [(0, Role.MASTER, "10.0.2.1:8081")]


def test_only_what_others_would_notice_is_a_change() -> None:
    made = RegistryTable(EXPIRY_MS)
    assert made.register(said(), 0).has_changed
    assert not made.register(said(count=2, applied=99, lag=3), 1).has_changed
    assert made.register(said(node=2), 1).has_changed
    assert made.register(said(count=3, version=11), 1).has_changed
    assert made.register(said(node=2, count=2, role=Role.LEADER, epoch=2), 1).has_changed


def test_an_ordered_consumer_group_is_known_as_one() -> None:
    made = table(said(consumer_groups=(ConsumerGroupEntry("in-order", is_fifo=True), ConsumerGroupEntry("plain", is_fifo=False))))
    assert [made.is_fifo(name) for name in ("in-order", "plain", "unknown")] == [True, False, False]


def test_a_registry_at_a_glance() -> None:
    made = table(said(node=1, applied=70), said(node=2, applied=60, lag=10, epoch=1))
    (group,) = made.view(now_ms=250).groups
    assert (group.name, group.replication, group.leader, group.version, group.topics) == ("broker-a", Replication.RAFT, 1, 10, 1)
    assert [(node.node, node.applied, node.lag, node.silent_ms) for node in group.nodes] == [(1, 70, 0, 250), (2, 60, 10, 250)]


def test_the_times_are_rocketmqs_and_the_fast_ones_keep_their_order() -> None:
    usual, fast = RegistryTimes(), RegistryTimes.fast()
    assert (usual.register_every_ms, usual.expiry_ms, usual.scan_every_ms) == (30_000, 120_000, 10_000)
    for times in (usual, fast):
        assert times.scan_every_ms < times.register_every_ms < times.expiry_ms / 3


events = st.lists(
    st.tuples(
        st.sampled_from(["register", "unregister", "close", "wait"]), st.integers(0, 5), st.integers(0, 3), st.integers(0, 90)
    ),
    max_size=60,
)


@pytest.mark.parametrize("first_ms", [0, 1_000_000])
@given(events)
def test_alive_is_who_registered_within_the_expiry_and_neither_left_nor_lost_its_connection(
    first_ms: int, happened: list[tuple[str, int, int, int]]
) -> None:
    made = RegistryTable(EXPIRY_MS)
    alive: dict[NodeKey, tuple[int, int]] = {}  # the plainest memory there is: when, and by which connection
    now_ms = first_ms
    for count, (what, number, connection, seconds) in enumerate(happened):
        key = NodeKey(f"broker-{number % 3}", number // 3 + 1)
        one = said(key.broker, 1, count, role=Role.FOLLOWER, version=1, address=f"{key}:1", addresses=(f"{key.broker}:1",))
        if what == "register":
            made.register(replace(one, node=key.node), now_ms, connection)
            alive[key] = now_ms, connection
        elif what == "unregister":
            assert made.unregister(key) == (alive.pop(key, None) is not None)
        elif what == "close":
            lost = {one for one, (_, by) in alive.items() if by == connection}
            assert set(made.closed(connection)) == lost
            alive = {one: how for one, how in alive.items() if one not in lost}
        else:
            now_ms += seconds * 1_000
            silent = {one for one, (heard_ms, _) in alive.items() if now_ms - heard_ms >= EXPIRY_MS}
            assert set(made.expire(now_ms)) == silent
            alive = {one: how for one, how in alive.items() if one not in silent}
        shown = {NodeKey(group.name, node.node) for group in made.view(now_ms).groups for node in group.nodes}
        assert shown == set(alive)
        route = made.route("orders")
        assert {queue.broker for queue in route.queues} == {key.broker for key in alive} if route else not alive


def test_another_table_made_of_all_registrations_knows_the_same() -> None:
    made = table(
        said("broker-b", topics=(topic("orders", 2), topic("payments", 1)), is_writable=False),
        said(node=2, topics=(topic("orders", 1),), version=7), said(node=1, consumer_groups=(ConsumerGroupEntry("g", True),)),
    )  # fmt: skip
    again = table(*made.registrations())
    assert [again.route(name) for name in made.topics()] == [made.route(name) for name in made.topics()]
    assert again.view(0) == made.view(0)
    assert again.is_fifo("g")
    assert again.writable_brokers() == {"broker-a"}
    again.register(said(node=2, count=2, topics=(), version=8), 0)  # one that is behind still changes nothing
    assert places(again, "orders") == places(made, "orders")
