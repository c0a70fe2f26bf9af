"""Nodes that do not reach each other: what official clients see of it. The proxy between the nodes makes the cuts."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import grpc
import pytest

from mq.core.address import parse_address
from mq.core.errors import MqError
from mq.core.message import MessageKind
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group, gap_s, in_order
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import OK, RawClient

pytestmark = pytest.mark.timeout(300)

CUT_S = 2.5
"""Longer than any election time-out."""
PATIENCE_S = 2.0
"""So long a node without a leader waits for one before it turns its clients away, if nobody says that there is one."""
TRIES_MAX = 5


def outcome(send: Callable[[], int]) -> str:
    """OK, or why not."""
    try:
        code = send()
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK" if code == OK else str(code)


def moment_s(log: list[str], words: str) -> float:
    """When the first line with these words was written."""
    line = next(line for line in log if words in line)
    (stamp,) = re.findall(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", line)
    return datetime.fromisoformat(stamp).timestamp()


def reigns(group: Group) -> int:
    """How many reigns began so far."""
    return len(re.findall(r"leads, ready", group.logs))


def test_case_56_issue_7017_a_partitioned_leader_acknowledges_nothing(group: Group, place: Place, official: Official) -> None:
    """One client knows the isolated leader alone. It is told of no success, and loses its connection; the others go on."""
    topic, isolated = place.topic, group.leader()
    acked: set[str] = {"before", "before too"}
    not_acked: set[str] = set()
    with RawClient(group.clients[isolated], topic, "") as minority, RawClient(group.clients[isolated], topic, "") as late:
        minority.send(b"before")
        late.send(b"before too")
        group.cluster.isolate(isolated)
        cut_s = time.monotonic()
        while group.is_open(isolated):
            assert time.monotonic() < cut_s + 10, "the isolated leader still lets clients in"
            body = f"cut off {len(not_acked)}"
            assert outcome(lambda: minority.try_send(body.encode())) != "OK", body  # noqa: B023 - called at once
            not_acked.add(body)
        closed_s = time.monotonic() - cut_s
        print(f"{len(not_acked)} sends of the minority's side failed; its door was closed {closed_s:.2f} s after the cut")
        assert outcome(lambda: late.try_send(b"too late")) == "UNAVAILABLE"
        assert not_acked
    leader = group.leader(but=isolated)
    with RawClient(group.clients[leader], topic, "") as majority:
        for number in range(20):
            majority.send(f"majority {number}".encode())
            acked.add(f"majority {number}")
    group.cluster.heal()
    wait_until(lambda: group.is_open(isolated), "clients can come in again")
    group.mend()
    bodies = [one.body.decode() for one in group.stored(topic)]
    assert acked <= set(bodies)
    assert len(bodies) == len(set(bodies))
    assert "too late" not in bodies


def test_case_63_a_partitioned_leader_tells_no_consumer_that_its_ack_counts(group: Group, place: Place) -> None:
    isolated = group.leader()
    with RawClient(group.clients[isolated], place.topic, place.group) as raw:
        raw.send(b"bread")
        (bread,) = raw.take(1, invisible_s=60)
        group.cluster.isolate(isolated)
        assert outcome(lambda: raw.ack(bread)) != "OK"
    group.mend()
    with RawClient(group.clients[group.leader()], place.topic, place.group) as raw:
        assert raw.ack(bread) == OK, "it is good for the new leader"
        raw.expect_nothing(0.2)


def test_a_leader_that_stood_still_and_was_cut_off_meanwhile_answers_no_read_with_what_it_knew(
    group: Group, place: Place
) -> None:
    """It wakes up and takes itself for the leader a while longer."""
    for _ in range(TRIES_MAX):
        group.mend()
        topic, old = place.new_topic(queues=1), group.leader()
        with RawClient(group.clients[old], topic, "") as raw:
            raw.send(b"before")
        with Connection(group.clients[old], timeout_s=5.0) as connection:
            admin = AdminClient(connection)
            assert [queue.max_offset for queue in admin.describe_topic(topic).queues] == [1]
            group.cluster.pause(old)
            group.cluster.isolate(old)
            with RawClient(group.clients[group.leader(but=old)], topic, "") as raw:
                raw.send(b"after")
            group.cluster.resume(old)
            is_met = admin.describe_raft().role == "leader"
            try:
                found = [queue.max_offset for queue in admin.describe_topic(topic).queues]
            except MqError as error:
                print(f"it was asked while it took itself for the leader: {is_met}; its answer: {error}")
            else:
                assert found == [2], "older than what was acknowledged before it was asked"
        if is_met:
            return
    pytest.fail(f"in {TRIES_MAX} tries it stepped down before it could be asked")


def test_case_56_official_clients_of_an_isolated_leader_go_to_another_node(
    group: Group, place: Place, official: Official
) -> None:
    topic, ordered = place.new_topic(), place.new_topic(MessageKind.FIFO)
    official.push("eve", topic=topic, group=place.group)
    official.producer("anna", topic=topic)
    official.producer("olaf", topic=ordered)
    group.make_leader(group.node_of(official.pid))
    official.keep_sending("anna", topic=topic, callers=["a1", "a2"])
    official.keep_sending("olaf", topic=ordered, callers=["red", "green"], is_ordered=True)
    wait_for_more(official, "anna")
    isolated, cut_s = group.leader(), time.monotonic()
    assert group.node_of(official.pid) == isolated
    group.cluster.isolate(isolated)
    wait_for_more(official, "anna")
    assert group.node_of(official.pid) != isolated
    group.mend()
    wait_for_more(official, "anna")
    sent, in_groups = sent_by(official, "anna"), sent_by(official, "olaf")
    failed = [one for one in sent + in_groups if one.error]
    print(f"{len(sent)} sends, {len(failed)} failed, gap {gap_s(sent, cut_s):.2f} s")
    assert failed == []
    check_consumed(official, "eve", sent)
    stored = group.stored(ordered)
    assert {one.body.decode() for one in stored} == {one.body for one in in_groups}
    assert in_order(stored) == []


def test_dledger_issues_325_85_278_an_isolated_follower_comes_back_and_disturbs_nobody(
    group: Group, place: Place, official: Official
) -> None:
    """Once cut off on both ways, once deaf alone: it campaigns all the while, and nobody's term grows by that."""
    leader, before = group.leader(), reigns(group)
    one, other = group.others(leader)
    official.producer("anna", topic=place.topic)
    official.keep_sending("anna", topic=place.topic, callers=["a1", "a2"])
    for is_deaf_alone in (False, True):
        if is_deaf_alone:
            group.cluster.cut(leader, one, is_one_way=True)
            group.cluster.cut(other, one, is_one_way=True)
        else:
            group.cluster.isolate(one)
        end_s = time.monotonic() + CUT_S
        while time.monotonic() < end_s:
            wait_for_more(official, "anna", 20)
        group.mend()
    sent = sent_by(official, "anna")
    assert [message for message in sent if message.error] == []
    assert (group.leader(), reigns(group)) == (leader, before), "the same node led all the time"
    assert {message.body for message in sent} == {one.body.decode() for one in group.stored(place.topic)}


def test_a_client_of_a_follower_that_its_leader_alone_cannot_reach_is_sent_away_soon_and_no_send_fails(
    group: Group, place: Place, official: Official
) -> None:
    """The third node reaches both, and says that there is a leader: nothing is waited for, as it is in an election."""
    asked = min(group.names, key=lambda name: parse_address(group.clients[name], name))  # the official client stays there
    group.make_leader(group.others(asked)[0])
    official.producer("anna", topic=place.topic)
    official.keep_sending("anna", topic=place.topic, callers=["a1", "a2"])
    wait_for_more(official, "anna")
    assert group.node_of(official.pid) == asked
    leader, told, cut_s = group.leader(), len(group.log_of(asked)), time.monotonic()
    group.cluster.cut(asked, leader)
    wait_until(lambda: not group.is_open(asked), "it turned its clients away")
    wait_for_more(official, "anna")
    log = group.log_of(asked)[told:].splitlines()
    lost_s, closed_s = moment_s(log, "no leader is known"), moment_s(log, "clients are turned away")
    assert [line for line in log if "the others have a leader that is not heard here" in line] != [], log
    assert closed_s - lost_s < PATIENCE_S
    assert group.leader() == leader, "nothing is wrong with the leader"
    group.mend()
    sent = sent_by(official, "anna")
    failed = [one for one in sent if one.error]
    print(f"closed {closed_s - lost_s:.3f} s later; {len(sent)} sends, {len(failed)} failed, gap {gap_s(sent, cut_s):.2f} s")
    assert failed == []
    assert {message.body for message in sent} == {one.body.decode() for one in group.stored(place.topic)}


def test_a_leader_that_is_heard_but_hears_nobody_is_replaced(group: Group, place: Place, official: Official) -> None:
    """Its signs of life keep the others quiet; so it must notice by itself that nobody answers."""
    leader = group.leader()
    official.producer("anna", topic=place.topic)
    official.keep_sending("anna", topic=place.topic, callers=["a1", "a2"])
    wait_for_more(official, "anna")
    cut_s = time.monotonic()
    for name in group.others(leader):
        group.cluster.cut(name, leader, is_one_way=True)
    assert group.leader(but=leader) != leader
    wait_for_more(official, "anna")
    group.mend()
    sent = sent_by(official, "anna")
    failed = [one for one in sent if one.error]
    print(f"{len(sent)} sends, {len(failed)} failed, gap {gap_s(sent, cut_s):.2f} s")
    assert failed == []
    assert {message.body for message in sent} == {one.body.decode() for one in group.stored(place.topic)}


def test_dledger_issue_316_a_log_that_was_cut_back_opens_again_and_the_group_finds_a_leader(group: Group, place: Place) -> None:
    """The isolated leader wrote what nobody else has. It dies with that on its disk, comes back, and loses it."""
    topic, isolated = place.topic, group.leader()
    tail = [f"tail {number}" for number in range(8)]
    clients = [RawClient(group.clients[isolated], topic, "") for _ in tail]
    for client in clients:
        place.keep(client)
        client.send(b"before")
    group.cluster.isolate(isolated)
    with ThreadPoolExecutor(len(tail)) as pool:
        answers = pool.map(lambda one: outcome(lambda: one[0].try_send(one[1].encode())), zip(clients, tail, strict=True))
        leader = group.leader(but=isolated)
        group.cluster.kill(isolated)
        assert "OK" not in set(answers)
    with RawClient(group.clients[leader], topic, "") as majority:
        for number in range(50):
            majority.send(f"majority {number}".encode())
    group.mend()
    wanted = sorted(["before"] * len(tail) + [f"majority {number}" for number in range(50)])
    assert sorted(one.body.decode() for one in group.stored(topic)) == wanted, "the tail is gone"
    for name in group.names:
        group.cluster.kill(name)
    group.mend()
    assert sorted(one.body.decode() for one in group.stored(topic)) == wanted
    with RawClient(group.clients[isolated], topic, "") as raw:
        raw.send(b"after")
