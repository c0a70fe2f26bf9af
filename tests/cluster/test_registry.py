"""Two broker groups and two registry nodes, as processes; the witness is the official client, which knows registries alone."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mq.cluster.local import LocalCluster
from mq.core.errors import RefusedError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import BrokerProcess, run_mq, wait_until
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import NOTHING_NEW, RawClient, in_background

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("registry")]

BAD_HANDLE, NOT_NOW, OK = 40013, 50400, 20000


@pytest.fixture
def cluster(two_groups: LocalCluster) -> LocalCluster:
    return two_groups


def registries(cluster: LocalCluster) -> str:
    """As the official client takes several addresses."""
    return cluster.status().endpoint.replace(",", ";")


@pytest.fixture
def official(cluster: LocalCluster, tmp_path: Path) -> Iterator[Official]:
    process = Official(registries(cluster), tmp_path)
    yield process
    process.kill()


@pytest.fixture
def place(cluster: LocalCluster, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Topics and groups of this test; everything is asked of a registry node."""
    endpoint = cluster.status().registries[0].listen
    with Connection(cluster.status().endpoint) as connection, ExitStack() as stack:
        yield Place(endpoint, AdminClient(connection), stack, hash(request.node.name) % 10_000)


def brokers_of(place: Place, topic: str) -> Counter[str]:
    """How many queues of a topic each broker group has, by its route."""
    queues = place.raw(topic).route().message_queues
    names = [queue.broker.name for queue in queues]
    assert all(queue.broker.id == 0 for queue in queues)
    return Counter(names)


def permissions(place: Place, topic: str) -> set[tuple[str, int]]:
    """What may be done with the queues of each broker group, by the topic's route."""
    return {(queue.broker.name, queue.permission) for queue in place.raw(topic).route().message_queues}


def stored(cluster: LocalCluster, topic: str) -> dict[str, int]:
    """How many messages of a topic each broker group has."""
    found = {}
    for node in cluster.status().nodes:
        if node.state == "running":
            with Connection(node.client) as connection:
                queues = AdminClient(connection).describe_topic(topic).queues
            found[node.group] = sum(queue.max_offset for queue in queues)
    return found


def bodies_seen(official: Official, *consumers: str) -> Counter[str]:
    return Counter(body for consumer in consumers for _, body, _ in official.seen(consumer))


def test_a_topic_spread_over_two_groups_is_sent_to_both_and_received_once(
    cluster: LocalCluster, official: Official, place: Place
) -> None:
    topic, group = place.new_topic(queues=8), place.new_group()
    route = [(queue.broker.name, queue.id) for queue in place.raw(topic).route().message_queues]
    assert route == [(broker, number) for number in range(4) for broker in ("broker-a", "broker-b")]
    for consumer in ("first", "second"):
        official.push(consumer, topic=topic, group=group)
    official.producer("producer", topic=topic)
    sent = [f"order {number}" for number in range(200)]
    official.send_all_at_once("producer", topic=topic, bodies=sent)
    wait_until(lambda: len(bodies_seen(official, "first", "second")) == 200, "all were received")
    assert bodies_seen(official, "first", "second") == Counter(sent)
    assert set(stored(cluster, topic)) == {"broker-a", "broker-b"}
    assert all(80 <= count <= 120 for count in stored(cluster, topic).values())


def test_a_registry_node_killed_and_another_started_empty_are_noticed_by_nobody(
    cluster: LocalCluster, official: Official, place: Place, tmp_path: Path
) -> None:
    topic, group = place.new_topic(queues=4), place.new_group()
    official.push("consumer", topic=topic, group=group)
    official.producer("producer", topic=topic)
    official.keep_sending("producer", topic=topic, callers=["anna", "bert"])
    wait_until(lambda: official.acknowledged("producer") > 50, "messages flow")
    cluster.kill("registry-1")
    wait_until(lambda: official.acknowledged("producer") > 100, "messages flow without the first registry node")
    cluster.start("registry-1")
    cluster.kill("registry-2")  # the one that is left began with nothing
    (tmp_path / "late").mkdir()
    late = Official(registries(cluster), tmp_path / "late")
    late.producer("late", topic=topic)
    late.send_all_at_once("late", topic=topic, bodies=[f"late {number}" for number in range(20)])
    late.kill()
    wait_until(lambda: official.acknowledged("producer") > 200, "messages flow without the second one")
    notes = official.stop_sending("producer")
    assert [error for _, _, _, error in notes if error] == []
    sent = {body for _, _, body, _ in notes} | {f"late {number}" for number in range(20)}
    wait_until(lambda: set(bodies_seen(official, "consumer")) == sent, "all were received")


@pytest.mark.night  # half a minute of waiting; by day our own producer does it (test_our_producer)
def test_a_third_group_joins_and_the_topic_is_widened_onto_it_while_a_producer_goes_on(
    cluster: LocalCluster, official: Official, place: Place, tmp_path: Path
) -> None:
    topic = place.new_topic(queues=4)
    official.producer("producer", topic=topic)
    official.keep_sending("producer", topic=topic, callers=["anna", "bert"])
    (tmp_path / "third").mkdir()
    flags = ("--name", "broker-c", "--registry", cluster.status().endpoint, "--registry-times", "fast")
    with BrokerProcess(tmp_path / "third", *flags) as third:
        wait_until(lambda: "broker-c-1 is here" in "".join(cluster.logs("registry-1")), "the third group has registered")
        place.admin.create_topic(topic, queues=6)
        assert brokers_of(place, topic) == {"broker-a": 2, "broker-b": 2, "broker-c": 2}
        # The official client asks for routes each 30 s.
        with Connection(third.endpoint) as connection:
            new = AdminClient(connection)

            def count() -> int:
                return sum(queue.max_offset for queue in new.describe_topic(topic).queues)

            wait_until(lambda: count() > 50, "the third gets messages", limit_s=45)
        assert [error for _, _, _, error in official.stop_sending("producer") if error] == []
        third.terminate()
    assert brokers_of(place, topic) == {"broker-a": 2, "broker-b": 2}  # it said goodbye


def test_a_group_that_is_killed_is_out_of_the_routes_and_no_send_fails(
    cluster: LocalCluster, official: Official, place: Place
) -> None:
    topic = place.new_topic(queues=4)
    official.producer("producer", topic=topic)
    # One caller: the official client turns through the queues without remembering failures, so that with several of them all
    # three attempts of one send may come to the group that is gone.
    official.keep_sending("producer", topic=topic, callers=["anna"])
    wait_until(lambda: official.acknowledged("producer") > 50, "messages flow")
    cluster.kill("broker-b-1")
    before = official.acknowledged("producer")
    wait_until(lambda: brokers_of(place, topic) == {"broker-a": 2}, "the registry has noticed", limit_s=4)
    wait_until(lambda: official.acknowledged("producer") > before + 100, "messages flow without the second group")
    assert [error for _, _, _, error in official.stop_sending("producer") if error] == []
    cluster.start("broker-b-1")
    wait_until(lambda: brokers_of(place, topic) == {"broker-a": 2, "broker-b": 2}, "it is back", limit_s=10)


def test_a_drained_group_gets_nothing_more_is_emptied_and_stays_drained_over_a_restart(
    cluster: LocalCluster, official: Official, place: Place
) -> None:
    topic, group, endpoint = place.new_topic(queues=4), place.new_group(), cluster.status().endpoint
    official.producer("producer", topic=topic)
    official.keep_sending("producer", topic=topic, callers=["anna", "bert"])
    wait_until(lambda: min(stored(cluster, topic).values()) > 20, "both get messages")
    assert run_mq("cluster", "drain", "broker-b", "--endpoint", endpoint).code == 0
    assert permissions(place, topic) == {("broker-a", pb.READ_WRITE), ("broker-b", pb.READ)}
    before = stored(cluster, topic)
    # The official client has the old route for up to 30 s: what it sends there is brought to the other group.
    wait_until(lambda: stored(cluster, topic)["broker-a"] > before["broker-a"] + 100, "messages flow to the other group")
    assert stored(cluster, topic)["broker-b"] - before["broker-b"] <= 2  # one of each caller may have been on its way
    notes = official.stop_sending("producer")
    assert [error for _, _, _, error in notes if error] == []
    cluster.kill("broker-b-1")
    cluster.start("broker-b-1")
    wait_until(lambda: "drained" in run_mq("cluster", "groups", "--endpoint", endpoint).err, "it is back, and drained")
    assert permissions(place, topic) == {("broker-a", pb.READ_WRITE), ("broker-b", pb.READ)}
    drained = next(node.client for node in cluster.status().nodes if node.group == "broker-b")
    with Connection(drained) as connection:
        alone = AdminClient(connection).create_topic(place.new_name("alone"), queues=1).name  # nobody else has it
    with RawClient(drained, alone, group) as direct:
        assert direct.try_send() == NOT_NOW
    official.push("consumer", topic=topic, group=group)
    sent = {body for _, _, body, _ in notes}
    wait_until(lambda: set(bodies_seen(official, "consumer")) == sent, "both are emptied")
    assert run_mq("cluster", "undrain", "broker-b", "--endpoint", endpoint).code == 0
    assert permissions(place, topic) == {("broker-a", pb.READ_WRITE), ("broker-b", pb.READ_WRITE)}
    assert {place.raw(topic).try_send() for _ in range(30)} == {OK}
    assert stored(cluster, topic)["broker-b"] > before["broker-b"] + 2


def test_only_a_group_that_is_there_can_be_drained(cluster: LocalCluster) -> None:
    for endpoint in (cluster.status().endpoint, cluster.status().nodes[0].client):
        refused = run_mq("cluster", "drain", "broker-z", "--endpoint", endpoint)
        assert refused.code == 1, refused
        assert "broker-z" in refused.err, refused


def test_who_says_everything_to_a_registry_node_is_served_there(cluster: LocalCluster, place: Place) -> None:
    raw = place.raw(place.new_topic(queues=2), place.new_group())
    assert raw.heartbeat(pb.SIMPLE_CONSUMER, raw.group) == OK
    sent = {raw.send(f"n{number}".encode()).message_id for number in range(24)}
    received = raw.take(24, invisible_s=30, wait_s=1)
    assert {message.system_properties.message_id for message in received} == sent
    handles = [message.system_properties.receipt_handle for message in received]
    assert {handle.partition("/")[0] for handle in handles} == {"broker-a", "broker-b"}
    assert raw.ack_entries(raw.change(handles[0], 30).receipt_handle).status.code == OK
    acked = raw.ack_entries(*handles[1:], "nonsense")
    assert [entry.status.code for entry in acked.entries] == [OK] * 23 + [BAD_HANDLE]
    assert [entry.receipt_handle for entry in acked.entries] == [*handles[1:], "nonsense"]


def test_one_long_poll_finds_a_message_at_whichever_group_it_is(cluster: LocalCluster, place: Place) -> None:
    raw = place.raw(place.new_topic(queues=4), place.new_group())
    for turn, node in enumerate(cluster.status().nodes * 2):
        with RawClient(node.client, raw.topic, raw.group) as direct, in_background(lambda: raw.receive(wait_s=8)) as waiting:
            direct.send(f"n{turn}".encode())  # to that group alone
        assert waiting[0].bodies == [f"n{turn}".encode()]
        assert raw.ack(*waiting[0].messages) == OK
    began_s = time.monotonic()
    assert raw.receive(wait_s=1).status.code == NOTHING_NEW
    assert 0.7 <= time.monotonic() - began_s <= 4


def test_what_two_groups_hand_out_at_once_is_received_once(place: Place) -> None:
    raw = place.raw(place.new_topic(queues=4), place.new_group())
    for number in range(40):
        raw.send(f"n{number}".encode())
    got = raw.take(40, acks=True, count=3, invisible_s=30, wait_s=1)
    assert sorted(message.body for message in got) == sorted(f"n{number}".encode() for number in range(40))


def test_a_message_that_is_sent_twice_to_a_registry_node_is_stored_once(cluster: LocalCluster, place: Place) -> None:
    raw = place.raw(place.new_topic(queues=4), place.new_group())
    messages = [raw.message(f"n{number}".encode()) for number in range(20)]
    for message in messages * 2:
        assert raw.send_all([message]).status.code == OK
    assert sum(stored(cluster, raw.topic).values()) == 20
    assert set(stored(cluster, raw.topic)) == {"broker-a", "broker-b"}


def test_topics_and_groups_are_shown_with_all_that_both_groups_have(place: Place) -> None:
    topic, group = place.new_topic(queues=3), place.new_group()
    with RawClient(place.endpoint, topic, group) as raw:
        for number in range(6):
            raw.send(f"n{number}".encode())
        assert raw.ack(*raw.take(6, invisible_s=30, wait_s=1)) == OK
    found = place.admin.describe_topic(topic)
    assert found.topic.queues == 3
    assert Counter(queue.broker for queue in found.queues) == {"broker-a": 2, "broker-b": 1}
    assert sum(queue.max_offset for queue in found.queues) == 6
    assert [(one.group, one.lag, one.in_flight) for one in found.groups] == [(group, 0, 0)]
    progress = place.admin.describe_group(group).queues
    assert sum(row.consumer_offset for row in progress) == 6
    assert {row.broker for row in progress} == {"broker-a", "broker-b"}
    back = place.admin.reset_group(group, to="earliest")
    assert sorted((row.broker, row.queue_id, row.consumer_offset) for row in back) == [
        ("broker-a", 0, 0), ("broker-a", 1, 0), ("broker-b", 0, 0),
    ]  # fmt: skip
    assert next(one.queues for one in place.admin.topics() if one.name == topic) == 3
    place.admin.delete_topic(topic)
    with pytest.raises(RefusedError, match=topic):
        place.admin.describe_topic(topic)


def test_what_no_broker_knows_is_refused_in_a_brokers_own_words(place: Place) -> None:
    with pytest.raises(RefusedError, match="nowhere"):
        place.admin.describe_topic("nowhere")
    assert place.raw("nowhere").route().status.code == 40402
