"""Nodes without anything on their disks come in by a snapshot. Case 61 of the protocol's list, and what belongs to it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import wait_until
from tests.cluster.load import read_queues
from tests.cluster.membership import Members
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official

pytestmark = pytest.mark.timeout(300)

TOPIC, FILLER, QUEUES = "orders", "filler", 4
_SETTINGS = {"segment_bytes": "256KiB", "snapshot_every_bytes": "256KiB", "retention_bytes": "1MiB"}


@pytest.fixture
def members(tmp_path: Path) -> Iterator[Members]:
    """Three nodes that have forgotten the beginning of their logs, and keep little."""
    with Members(tmp_path / "cluster", **_SETTINGS) as made:
        with Connection(",".join(made.clients.values())) as connection:
            for topic in (TOPIC, FILLER):
                AdminClient(connection).create_topic(topic, queues=QUEUES)
        wait_until(lambda: has_forgotten(made), "retention dropped the beginning of all logs", limit_s=60.0)
        yield made


def has_forgotten(members: Members) -> bool:
    """Whether no node has the beginning of the log any more; more is written before it is asked."""
    done = members.mq("bench", "--topic", FILLER, "--seconds", "1")
    assert done.code == 0, done
    views = members.views()
    return len(views) >= 3 and all(view.first_index > 1 for view in views.values())


@pytest.fixture
def official(members: Members, tmp_path: Path) -> Iterator[Official]:
    """An official producer that does not stop, and a push consumer of all that it sends."""
    process = Official(members.endpoint, tmp_path)
    process.push("eve", topic=TOPIC, group="kitchen")
    process.producer("anna", topic=TOPIC)
    process.keep_sending("anna", topic=TOPIC, callers=["a", "b"])
    wait_for_more(process, "anna", 50)
    yield process
    process.kill()


def check_came_by_snapshot(members: Members, node: int) -> None:
    view = members.view(node)
    assert view is not None
    assert view.first_index > 1, "the beginning is nowhere any more, so it came by a snapshot"


def check_all_went_well(members: Members, official: Official, *nodes: int) -> None:
    """No send failed, all is consumed, and these nodes hold the same: everything that retention has left, once."""
    sent = sent_by(official, "anna")
    assert [one for one in sent if one.error] == []
    check_consumed(official, "eve", sent)
    assert len(members.state_hashes(*nodes)) == 1
    held = [asyncio.run(read_queues(members.clients[node], TOPIC, QUEUES)) for node in nodes]
    newest = max(held, key=len)
    bodies = [one.body.decode() for one in newest]
    assert len(bodies) == len(set(bodies))
    assert set(bodies) <= {one.body for one in sent}
    last = {one.body for one in sent[-20:]}
    for each in held:
        assert last <= {one.body.decode() for one in each}, "the newest are not dropped yet"
        assert set(each) <= set(newest)


@pytest.mark.parametrize("is_leader", [False, True], ids=["a follower", "the leader"])
def test_case_61_a_wiped_node_rejoins_by_a_snapshot_under_load(members: Members, official: Official, *, is_leader: bool) -> None:
    wiped = members.leader() if is_leader else members.leader() % 3 + 1
    members.wipe(wiped)
    wait_for_more(official, "anna", 50)
    wait_until(lambda: "is a voter of its group again" in members.log_of(wiped), "it is a voter again")
    members.await_voters(1, 2, 3)
    check_came_by_snapshot(members, wiped)
    wait_for_more(official, "anna", 50)
    check_all_went_well(members, official, 1, 2, 3)


def test_issue_1778_a_new_empty_node_catches_up_under_load(members: Members, official: Official) -> None:
    added = members.mq("raft", "add", "4", "--peer", members.start_newcomer(4))
    assert added.code == 0, added
    members.await_voters(1, 2, 3, 4)
    check_came_by_snapshot(members, 4)
    wait_for_more(official, "anna", 50)
    # It counts: with one of the others dead, it takes three of four to acknowledge anything.
    members.cluster.kill(members.name(members.leader() % 3 + 1 if members.leader() < 4 else 1))
    wait_for_more(official, "anna", 50)
    alive = tuple(members.views())
    assert 4 in alive
    check_all_went_well(members, official, *alive)
