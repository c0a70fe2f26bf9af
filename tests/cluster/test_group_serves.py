"""Every node of a whole group serves clients, whoever leads."""

from pathlib import Path

import pytest

from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group
from tests.cluster.mute_relay import MuteRelay
from tests.cluster.official_route import OfficialRoutes
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import NOTHING_NEW, OK, RawClient

pytestmark = pytest.mark.timeout(300)


def test_case_4_the_route_is_the_same_from_every_node(group: Group, place: Place, tmp_path: Path) -> None:
    """Official producers that know one node each are given it, and work by it; the bytes are compared by raw calls."""
    in_order_of_ports = sorted(group.clients.values(), key=lambda client: int(client.rpartition(":")[2]))
    topics = [place.new_topic(kind) for kind in (MessageKind.NORMAL, MessageKind.FIFO, MessageKind.DELAY)]
    held = []
    for client in group.clients.values():
        # A node that has not heard of the topic yet asks the leader.
        with OfficialRoutes(client, topics, tmp_path) as official:
            answers = [official.ask(topic, body=f"by {client}" if topic == topics[0] else "") for topic in topics]
            assert all(answer["held"] == answer["asked"] for answer in answers)
            held.append([answer["held"] for answer in answers])
    assert held == [held[0]] * 3
    for route in held[0]:
        listed = {tuple(f"{one['host']}:{one['port']}" for one in queue["broker"]["endpoints"]["addresses"]) for queue in route}
        assert listed == {tuple(in_order_of_ports)}
    stored = {one.body.decode() for one in group.stored(topics[0])}
    assert stored == {f"by {client}" for client in group.clients.values()}
    for topic in topics:
        routes = []
        for client in group.clients.values():
            with RawClient(client, topic, "") as raw:
                routes.append(raw.route())
        assert routes[0].status.code == OK
        assert [(queue.id, queue.broker.id) for queue in routes[0].message_queues] == [(0, 0), (1, 0), (2, 0), (3, 0)]
        assert len({route.SerializeToString(deterministic=True) for route in routes}) == 1


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


def receive_changed(official: Official, client: str, count: int) -> list[str]:
    """Bodies of so many messages; each is hidden for longer, and then acknowledged with its new handle."""
    got: list[str] = []
    while len(got) < count:
        for message in official.receive(client)["messages"]:
            official.ack(client, handle=official.change(client, handle=message["handle"], invisible_s=30))
            got.append(message["body"])
    return got


def test_case_7_official_clients_work_though_no_node_hears_their_telemetry(group: Group, place: Place, tmp_path: Path) -> None:
    """All they say but that comes to a follower, through a relay: every call that official clients make there is answered."""
    topic, bodies = place.new_topic(), [f"loaf {number}" for number in range(20)]
    ordered, failing = place.new_topic(MessageKind.FIFO), place.new_group(is_fifo=True, max_attempts=2)
    with MuteRelay(group.clients[group.others(group.leader())[0]], max_attempts=2, fifo_groups={failing}) as relay:
        official = Official(relay.endpoint, tmp_path)
        try:
            official.push("eve", topic=topic, group=place.new_group())
            official.push("fred", topic=ordered, group=failing, take_from_attempt=0)
            official.simple("sara", topic=topic, group=place.new_group())
            official.producer("anna", topic=topic)
            official.producer("olaf", topic=ordered)
            official.keep_sending("olaf", topic=ordered, callers=["red"], pause_s=0.2, is_ordered=True)
            official.send_all_at_once("anna", topic=topic, bodies=bodies)
            assert sorted(receive_changed(official, "sara", len(bodies))) == sorted(bodies)
            wait_until(lambda: len(official.seen("eve")) >= len(bodies), "the push consumer has all")
            assert sorted((body, attempt) for _, body, attempt in official.seen("eve")) == sorted((body, 1) for body in bodies)
            wait_until(lambda: "ForwardMessageToDeadLetterQueue" in relay.codes, "the first dead letter")
            with RawClient(group.clients[group.leader()], f"%DLQ%{failing}", place.new_group()) as dead:
                assert dead.receive(count=1, wait_s=10).bodies == [b"red 0"]
            for client in ("anna", "olaf", "sara", "eve", "fred"):
                official.shut_down(client)
        finally:
            official.kill()
        assert relay.telemetry >= 5, "each client tried"
        assert set(relay.codes) == {
            "QueryRoute", "QueryAssignment", "Heartbeat", "SendMessage", "ReceiveMessage", "AckMessage",
            "ChangeInvisibleDuration", "ForwardMessageToDeadLetterQueue", "NotifyClientTermination",
        }  # fmt: skip
        assert {code for codes in relay.codes.values() for code in codes} <= {OK, NOTHING_NEW}


def test_case_7_every_call_works_without_telemetry_through_a_follower(group: Group, place: Place) -> None:
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
        with RawClient(group.clients[name], place.new_topic(MessageKind.TRANSACTION), place.new_group()) as bank:
            half = bank.send(b"half", kind=pb.TRANSACTION)
            assert bank.end_transaction(half, pb.COMMIT) == OK
            assert [message.body for message in bank.take(1, acks=True)] == [b"half"]


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
