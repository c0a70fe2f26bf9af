"""A node that is no member of its group, or not one yet, has nobody to pass calls on to, and keeps no clients waiting."""

import pytest

from mq.core.errors import RefusedError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group
from tests.cluster.sending import sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place


def test_a_wiped_node_that_is_cut_off_turns_its_clients_away_until_it_is_back(
    group: Group, place: Place, official: Official
) -> None:
    wiped = group.others(group.leader())[0]
    group.cluster.isolate(wiped)
    group.wipe(wiped)
    wait_until(lambda: "peers: node" in group.log_of(wiped).rpartition("opened ")[2], "it is started")
    wait_until(lambda: not group.is_open(wiped), "its door is closed")
    official.producer("anna", topic=place.topic)
    official.keep_sending("anna", topic=place.topic, callers=["a1"])
    wait_for_more(official, "anna", 50)
    group.cluster.heal()
    wait_until(lambda: group.is_open(wiped), "it is a learner, hears its leader, and serves again")
    wait_for_more(official, "anna", 50)
    assert [one for one in sent_by(official, "anna") if one.error] == []


def test_a_member_is_not_removed_when_the_others_could_not_go_on(group: Group, place: Place) -> None:
    leader = group.leader()
    dead, alive = group.others(leader)
    group.cluster.kill(dead)
    number = {name: place + 1 for place, name in enumerate(group.names)}

    def remove(name: str) -> None:
        with Connection(group.clients[leader]) as connection:
            AdminClient(connection).remove_member(number[name])

    with pytest.raises(RefusedError, match=f"without node {number[alive]} the group would stand still"):
        remove(alive)
    with pytest.raises(RefusedError, match=f"without node {number[leader]} the group would stand still"):
        remove(leader)
    assert group.leader(but=dead) == leader
    with Connection(group.clients[leader]) as connection:
        assert AdminClient(connection).describe_raft().voters == (1, 2, 3), "nothing was begun"


def test_a_node_that_lost_its_disk_says_so_until_it_is_a_voter_again(group: Group) -> None:
    wiped = group.others(group.leader())[0]
    group.wipe(wiped)
    group.mend()
    assert group.voters() == {(1, 2, 3)}, "who only learns does not pass for a follower"
