"""Every node of a whole group serves clients, whoever leads."""

from pathlib import Path

import pytest

from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import NOTHING_NEW, OK, RawClient

pytestmark = pytest.mark.timeout(300)


def test_case_4_the_route_is_the_same_from_every_node(group: Group, place: Place) -> None:
    for kind in (MessageKind.NORMAL, MessageKind.FIFO, MessageKind.DELAY):
        topic, routes = place.new_topic(kind), []
        for client in group.clients.values():
            # A node that has not heard of the topic yet asks the leader.
            with RawClient(client, topic, "") as raw:
                routes.append(raw.route())
        assert {route.status.code for route in routes} == {OK}
        assert [queue.id for queue in routes[0].message_queues] == [0, 1, 2, 3]
        for queue in routes[0].message_queues:
            assert queue.broker.id == 0
            listed = [f"{address.host}:{address.port}" for address in queue.broker.endpoints.addresses]
            assert listed == sorted(group.clients.values(), key=lambda client: int(client.rpartition(":")[2]))
        assert routes[1].SerializeToString(deterministic=True) == routes[0].SerializeToString(deterministic=True)
        assert routes[2].SerializeToString(deterministic=True) == routes[0].SerializeToString(deterministic=True)


def addresses_of(route: pb.QueryRouteResponse) -> set[tuple[str, ...]]:
    """The address lists of all queues."""
    return {tuple(f"{one.host}:{one.port}" for one in queue.broker.endpoints.addresses) for queue in route.message_queues}


def test_the_route_is_of_a_shape_that_the_clients_language_can_use(group: Group, place: Place) -> None:
    topic = place.new_topic(queues=6)
    assert group.stored(topic, queues=6) == [], "all nodes have heard of the topic"
    for client in group.clients.values():
        with RawClient(client, topic, "", language="RUST") as rust:
            assert addresses_of(rust.route()) == {(client,)}, "Rust spreads its calls over all addresses, dead ones too"
        with RawClient(client, topic, "", language="HTTP") as node:
            queues = node.route().message_queues
            assert all(len(queue.broker.endpoints.addresses) == 1 for queue in queues), "Node cannot use several"
            names = {queue.broker.name: queue.broker.endpoints.addresses[0].port for queue in queues}
            assert len(names) == 3, "its retries only go to another broker name"
            assert {f"127.0.0.1:{port}" for port in names.values()} == set(group.clients.values())


def test_case_7_every_rpc_works_without_telemetry_through_a_follower(group: Group, place: Place) -> None:
    for name in group.others(group.leader()):
        with RawClient(group.clients[name], place.new_topic(), place.new_group()) as raw:
            assert raw.route().status.code == OK
            assert raw.heartbeat(pb.PRODUCER) == OK
            assert raw.heartbeat(pb.PUSH_CONSUMER, raw.group) == OK
            assert raw.assignments().status.code == OK
            raw.send()
            (message,) = raw.take(1)
            changed = raw.change(message.system_properties.receipt_handle, 20)
            assert changed.status.code == OK
            assert raw.ack_entries(message.system_properties.receipt_handle).status.code != OK, "this handle is spent"
            assert raw.ack_entries(changed.receipt_handle).status.code == OK
            raw.send(b"second")
            (message,) = raw.take(1)
            assert raw.forward(message.system_properties.receipt_handle) == OK
            assert raw.receive(wait_s=0).status.code == NOTHING_NEW
            assert raw.say_goodbye() == OK


def test_an_unknown_group_is_made_on_first_use_through_a_follower(group: Group, place: Place) -> None:
    name = group.others(group.leader())[0]
    with RawClient(group.clients[name], place.topic, place.new_name("group")) as raw:
        raw.send(b"bread")
        assert [message.body for message in raw.take(1, acks=True)] == [b"bread"]
        assert raw.group in [known.name for known in place.admin.groups()]


def test_a_message_sent_through_one_follower_is_received_at_once_through_the_other(group: Group, place: Place) -> None:
    one, other = group.others(group.leader())
    with RawClient(group.clients[one], place.topic, "") as sender, place.raw_at(group.clients[other]) as eater:
        for number in range(5):
            call = eater.start_receive(wait_s=10)
            sender.send(b"%d" % number)
            found = [part.message for part in call if part.HasField("message")]
            assert [message.body for message in found] == [b"%d" % number]
            assert eater.ack(*found) == OK


def test_a_poll_that_its_client_gave_up_on_a_follower_takes_no_message_along(group: Group, place: Place) -> None:
    name = group.others(group.leader())[0]
    with RawClient(group.clients[name], place.topic, place.group) as raw:
        given_up = raw.start_receive(wait_s=20)
        assert raw.receive(wait_s=0).status.code == NOTHING_NEW  # the other poll waits at the leader by now
        given_up.cancel()
        raw.send(b"bread")
        (message,) = raw.take(1, limit_s=8)
        assert message.system_properties.delivery_attempt <= 2, "given back, if it was picked for the other one"
        assert raw.ack(message) == OK


@pytest.mark.parametrize("number", [0, 1, 2])
def test_official_clients_that_know_one_node_alone_work(group: Group, place: Place, tmp_path: Path, number: int) -> None:
    """They learn of the others by the route."""
    bodies = [f"loaf {number}" for number in range(50)]
    official = Official(group.clients[group.names[number]], tmp_path)
    try:
        official.push("eve", topic=place.topic, group=place.group)
        official.producer("anna", topic=place.topic)
        official.send_all_at_once("anna", topic=place.topic, bodies=bodies)
        wait_until(lambda: len(official.seen("eve")) >= len(bodies), "all is consumed")
        assert sorted(body for _, body, _ in official.seen("eve")) == sorted(bodies)
        assert official.complaints == []
    finally:
        official.kill()
