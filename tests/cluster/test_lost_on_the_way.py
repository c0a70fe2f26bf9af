"""What was handed out and died on its way comes again, though its client lives and would be waited for."""

import time
from contextlib import ExitStack

import pytest

from mq.core.limits import RENEW_INVISIBLE_MS
from mq.proto import rocketmq_v2_pb2 as pb
from tests.cluster.group import Group
from tests.interop.place import Place
from tests.interop.raw import OK, RawClient

pytestmark = pytest.mark.timeout(300)

HIDDEN_S = RENEW_INVISIBLE_MS / 1000
LATE_S = 3.0


def test_what_a_node_or_a_connection_took_with_it_comes_again_and_what_arrived_does_not(group: Group, place: Place) -> None:
    leader = group.leader()
    dying, living = group.others(leader)
    at = {
        "by a node that dies": dying,
        "by its connection": leader,
        "by its connection with a follower": living,
        "safely": living,
    }
    with ExitStack() as stack:

        def client(name: str, group_name: str) -> RawClient:
            made = RawClient(group.clients[name], place.topic, group_name, client_id=f"client of {group_name}")
            return stack.enter_context(made)

        groups = {way: place.new_group() for way in at}
        first = {way: client(name, groups[way]) for way, name in at.items()}
        first["safely"].send(b"bread")
        for one in first.values():
            assert one.telemetry(one.settings(pb.PUSH_CONSUMER)).hear().settings.subscription.group.name
            assert [m.body for m in one.take(1, auto_renew=True, invisible_s=None)] == [b"bread"]
        taken_s = time.monotonic()
        first["by its connection"].break_connection()
        first["by its connection with a follower"].break_connection()
        group.cluster.kill(dying)
        # The same clients, as they come back; each says again and again that it lives.
        back = {way: client(leader, name) for way, name in groups.items()}
        found: dict[str, tuple[float, int]] = {}
        while time.monotonic() < taken_s + HIDDEN_S + LATE_S:
            for way, one in back.items():
                assert one.heartbeat(pb.PUSH_CONSUMER, one.group) == OK
                for message in one.receive(auto_renew=True, invisible_s=None, wait_s=0.5).messages:
                    assert way not in found, "a second time"
                    found[way] = time.monotonic() - taken_s, message.system_properties.delivery_attempt
    assert set(found) == set(at) - {"safely"}
    for after_s, attempt in found.values():
        assert after_s > HIDDEN_S - LATE_S, "not before its time"
        assert attempt == 2
