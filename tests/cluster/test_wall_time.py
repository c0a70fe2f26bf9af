"""A node whose machine's clock is wrong leads, and nothing jumps: what is to come in an hour does not come now."""

import time
from collections.abc import Iterator

import pytest

from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.server.faults import Faults
from tests.cluster.group import Group
from tests.interop.place import Place
from tests.interop.raw import RawClient

pytestmark = pytest.mark.timeout(300)

_AHEAD_MS = 6 * 3_600_000


@pytest.fixture(scope="module")
def running_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Nodes whose machines' clocks can be set."""
    with Group(tmp_path_factory.mktemp("group") / "cluster", is_under_test=True) as made:
        yield made


def test_a_new_leader_goes_on_with_the_time_of_the_one_before(group: Group, place: Place) -> None:
    topic = place.new_topic(MessageKind.DELAY, queues=1)
    ahead = group.others(group.leader())[0]
    group.cluster.play(ahead, Faults(wall_shift_ms=_AHEAD_MS))
    group.hand_over(ahead)
    with RawClient(group.clients[ahead], topic, place.group) as raw:
        sent_s = time.time()
        sent = raw.send_all([raw.message(b"in an hour", kind=pb.DELAY, topic=topic, due_s=sent_s + 3_600)])
        assert sent.status.code == pb.OK
        raw.send_all([raw.message(b"in two seconds", kind=pb.DELAY, topic=topic, due_s=int(sent_s) + 3)])
        (first,) = raw.take(1, acks=True)
        assert first.body == b"in two seconds"
        raw.expect_nothing(2.0)
