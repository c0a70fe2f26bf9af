"""Two broker groups, and clients that know one broker of one of them: it answers for both."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from mq.cluster.local import LocalCluster
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import wait_until
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import OK, RawClient

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("registry")]

BAD_HANDLE = 40013
_numbers = count(20_000)


@pytest.fixture
def clients(two_groups: LocalCluster) -> dict[str, str]:
    """Where clients reach the one node of each group."""
    return {node.group: node.client for node in two_groups.status().nodes}


@pytest.fixture
def place(two_groups: LocalCluster, clients: dict[str, str]) -> Iterator[Place]:
    """What is made is made by a registry node, for both groups; raw clients know the second group's broker alone."""
    with Connection(two_groups.status().endpoint) as connection, ExitStack() as stack:
        yield Place(clients["broker-b"], AdminClient(connection), stack, next(_numbers))


@pytest.fixture
def official(clients: dict[str, str], tmp_path: Path) -> Iterator[Official]:
    """It knows the second group's broker alone."""
    process = Official(clients["broker-b"], tmp_path)
    yield process
    process.kill()


def topic_of_both(place: Place, clients: dict[str, str], kind: MessageKind = MessageKind.NORMAL) -> str:
    """A topic with queues at both groups, as both brokers know by now."""
    topic = place.new_topic(kind, queues=4)
    for client in clients.values():
        with RawClient(client, topic, "none") as raw:

            def is_of_both(raw: RawClient = raw) -> bool:
                return brokers_of(raw) == {"broker-a": 2, "broker-b": 2}

            wait_until(is_of_both, "the route is of both")
    return topic


def brokers_of(raw: RawClient) -> Counter[str]:
    return Counter(queue.broker.name for queue in raw.route().message_queues)


def stored(place: Place, topic: str) -> Counter[str]:
    """How many messages each broker group has."""
    found: Counter[str] = Counter()
    for queue in place.admin.describe_topic(topic).queues:
        found[queue.broker] += queue.max_offset
    return found


def test_an_official_client_that_knows_one_broker_uses_both_groups_and_waits_for_neither(
    clients: dict[str, str], official: Official, place: Place
) -> None:
    topic, group = topic_of_both(place, clients), place.new_group()
    official.producer("producer", topic=topic)
    official.send_all_at_once("producer", topic=topic, bodies=[f"first {number}" for number in range(40)])
    assert stored(place, topic) == {"broker-a": 20, "broker-b": 20}
    official.simple("simple", topic=topic, group=group, await_s=8)
    got: list[str] = []
    while len(got) < 40:
        found = official.receive("simple")
        assert found["messages"], "it was told that there is nothing"
        for message in found["messages"]:
            got.append(message["body"])
            official.ack("simple", handle=message["handle"])
    assert sorted(got) == sorted(f"first {number}" for number in range(40))
    for turn, client in enumerate(list(clients.values()) * 4):  # the client asks any of the two, and the message is at any
        with RawClient(client, topic, group) as direct:
            receiving = official.ask("receive", "simple")
            direct.send(b"later %d" % turn)
            found = receiving.result(30)
        assert [message["body"] for message in found["messages"]] == [f"later {turn}"], found
        assert found["took_s"] < 4
        official.ack("simple", handle=found["messages"][0]["handle"])


def test_a_message_group_is_at_one_broker_group_and_in_order_whoever_sends_it(
    clients: dict[str, str], official: Official, place: Place
) -> None:
    topic, group = topic_of_both(place, clients, MessageKind.FIFO), place.new_group(is_fifo=True)
    keys = [f"key-{number}" for number in range(6)]
    official.producer("producer", topic=topic)
    for number in range(8):
        for key in keys:
            if number % 2:
                official.send("producer", topic=topic, body=f"{key} {number}", message_group=key)
            else:  # clients of other languages choose by another hash
                client = list(clients.values())[number // 2 % 2]
                with RawClient(client, topic, group) as raw:
                    raw.send(f"{key} {number}".encode(), kind=pb.FIFO, message_group=key)
    counts = stored(place, topic)
    assert sum(counts.values()) == 48
    assert len(counts) == 2
    assert all(found and found % 8 == 0 for found in counts.values())
    official.push("consumer", topic=topic, group=group)
    wait_until(lambda: len(official.seen("consumer")) >= 48, "all are received")
    order: defaultdict[str, list[int]] = defaultdict(list)
    for _, body, _ in official.seen("consumer"):
        key, number = body.split()
        order[key].append(int(number))
    assert order == {key: list(range(8)) for key in keys}


def test_a_handle_is_good_at_any_broker_and_its_numbers_alone_are_good_at_none(clients: dict[str, str], place: Place) -> None:
    topic, group = topic_of_both(place, clients), place.new_group()
    with RawClient(clients["broker-a"], topic, group) as a, RawClient(clients["broker-b"], topic, group) as b:
        for raw in (a, b):
            raw.send(b"x")
        got = [one.system_properties.receipt_handle for one in a.take(2, invisible_s=30, wait_s=2)]
        assert sorted(handle.partition("/")[0] for handle in got) == ["broker-a", "broker-b"]
        changed = b.change(got[0], 30)
        assert changed.status.code == OK
        numbers = changed.receipt_handle.partition("/")[2]
        wrong = [f"broker-z/{numbers}", numbers, "nonsense"]
        assert [one.status.code for one in b.ack_entries(*wrong).entries] == [BAD_HANDLE] * 3
        acked = b.ack_entries(changed.receipt_handle, got[1], "nonsense")
        assert [one.status.code for one in acked.entries] == [OK, OK, BAD_HANDLE]
        a.expect_nothing(0.5)


def test_without_any_registry_a_broker_answers_for_its_own_group_and_for_both_when_one_is_back(
    two_groups: LocalCluster, clients: dict[str, str], place: Place
) -> None:
    topic = topic_of_both(place, clients)
    raw = place.raw(topic)
    for name in ("registry-1", "registry-2"):
        two_groups.kill(name)
    assert brokers_of(raw) == {"broker-a": 2, "broker-b": 2}  # what was known last holds for a while
    wait_until(lambda: brokers_of(raw) == {"broker-b": 2}, "the other group is not known any more", limit_s=10)
    assert raw.try_send() == OK
    two_groups.start("registry-2")
    wait_until(lambda: brokers_of(raw) == {"broker-a": 2, "broker-b": 2}, "it is known again", limit_s=10)
