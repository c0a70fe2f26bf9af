"""With `--auto-create-topics` the first send decides what a topic takes, and nothing that is sent can end the broker."""

from collections.abc import Iterator

import pytest

from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from tests.cluster.broker_process import BrokerProcess
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import OK

WRONG_TYPE, UNKNOWN_TOPIC = 40014, 40402


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """In the place of the one that other tests use."""
    with BrokerProcess(tmp_path_factory.mktemp("broker"), "--auto-create-topics") as process:
        yield process
        assert process.terminate() == 0
        assert "Traceback" not in process.log


def test_an_official_producer_sends_to_a_topic_that_nobody_made(place: Place, official: Official) -> None:
    raw = place.raw(topic=place.new_name("new"))
    official.producer("first", topic=raw.topic)
    official.send("first", topic=raw.topic, body="hello")
    assert raw.take(1, acks=True)[0].body == b"hello"
    (kinds,) = {tuple(queue.accept_message_types) for queue in raw.route().message_queues}
    assert kinds == (pb.NORMAL,)
    official.shut_down("first")


def test_the_first_message_decides_what_a_topic_takes(place: Place) -> None:
    raw = place.raw(topic=place.new_name("ordered"))
    (kinds,) = {tuple(queue.accept_message_types) for queue in raw.route().message_queues}
    assert kinds == tuple(MessageKind), "it is not made by a question"
    assert raw.topic not in [topic.name for topic in place.admin.topics()]
    assert raw.try_send(kind=pb.FIFO, message_group="g") == OK
    assert raw.try_send() == WRONG_TYPE
    assert {tuple(queue.accept_message_types) for queue in raw.route().message_queues} == {(pb.FIFO,)}


def test_a_type_that_no_topic_takes_makes_none_and_the_broker_lives(broker: BrokerProcess, place: Place) -> None:
    raw = place.raw(topic=place.new_name("priority"))
    assert raw.try_send(priority=1) == WRONG_TYPE
    assert raw.try_send(lite_topic="l") == WRONG_TYPE
    assert raw.topic not in [topic.name for topic in place.admin.topics()]
    assert raw.try_send() == OK
    assert raw.try_send(priority=1) == WRONG_TYPE
    assert broker.process is not None
    assert broker.process.poll() is None


def test_dead_letters_come_from_the_broker_alone_all_the_same(place: Place) -> None:
    raw = place.raw(topic=f"%DLQ%{place.group}")
    assert raw.route().status.code == UNKNOWN_TOPIC
    assert raw.try_send() not in (OK, UNKNOWN_TOPIC)
