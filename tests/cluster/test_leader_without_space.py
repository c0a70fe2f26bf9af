"""A leader whose disk is full, while the others' have room: another one leads, and no client notices."""

from collections.abc import Iterator

import pytest

from mq.core.errors import Code
from mq.server.faults import Faults
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import RawClient


@pytest.fixture(scope="module")
def running_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Nodes whose disks are full on demand."""
    with Group(tmp_path_factory.mktemp("group") / "cluster", is_under_test=True) as made:
        yield made
        logs = made.logs
    assert [line for line in logs.splitlines() if "Traceback" in line or " ERROR " in line] == []


@pytest.fixture
def group(running_group: Group) -> Iterator[Group]:
    """A whole group; all disks have room in the end."""
    running_group.mend()
    yield running_group
    for name in running_group.names:
        running_group.cluster.play(name, Faults())


def test_another_node_leads_and_no_send_fails(group: Group, place: Place, official: Official) -> None:
    official.push("eve", topic=place.topic, group=place.group)
    official.producer("anna", topic=place.topic)
    official.keep_sending("anna", topic=place.topic, callers=["a1", "a2"])
    wait_for_more(official, "anna")
    full = group.leader()
    group.cluster.play(full, Faults(is_full=True))
    wait_until(lambda: group.leader() != full, "another node leads")
    wait_for_more(official, "anna")
    assert "leadership is handed over to one with room" in group.log_of(full)
    assert group.state_of(full) == "running", "it goes on as a follower"
    group.cluster.play(full, Faults())
    wait_for_more(official, "anna")
    sent = sent_by(official, "anna")
    assert [one for one in sent if one.error] == []
    check_consumed(official, "eve", sent)
    assert {one.body.decode() for one in group.stored(place.topic)} == {one.body for one in sent}


def test_where_nobody_has_room_messages_are_refused_and_the_leader_stays(group: Group, place: Place) -> None:
    leader = group.leader()
    for name in (*group.others(leader), leader):
        group.cluster.play(name, Faults(is_full=True))
    with RawClient(group.clients[leader], place.topic, "") as raw:
        wait_until(lambda: raw.try_send(b"more") != Code.OK, "messages are refused")
        refused = raw.send_all([raw.message(b"more")]).status
        assert refused.code == Code.PROXY_TIMEOUT
        assert refused.message.startswith("no space left for messages: 0 bytes are free where ")
        assert group.leader() == leader
        group.cluster.play(leader, Faults())
        wait_until(lambda: raw.try_send(b"more") == Code.OK, "there is room again")
    assert group.leader() == leader
