"""Nodes that end and come back, planned or not, one after the other or all together."""

import time

import pytest

from mq.core.message import MessageKind
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group, gap_s, in_order
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import OK, RawClient

pytestmark = pytest.mark.timeout(300)


def test_case_57_issue_7477_after_a_restart_of_all_nodes_everything_is_there_and_found_by_its_id(
    group: Group, place: Place, official: Official
) -> None:
    topic = place.topic
    official.producer("anna", topic=topic)
    receipts = {f"loaf {number}": official.send("anna", topic=topic, body=f"loaf {number}") for number in range(5)}
    official.keep_sending("anna", topic=topic, callers=["a1", "a2", "a3"])
    wait_for_more(official, "anna")
    for name in group.names:
        group.cluster.kill(name)
    killed_s = time.monotonic()
    group.mend()
    wait_for_more(official, "anna")
    sent = sent_by(official, "anna")
    failed = [one for one in sent if one.error]
    print(f"all nodes killed: {len(sent)} sends, {len(failed)} failed, gap {gap_s(sent, killed_s):.2f} s")
    stored = [one.body.decode() for one in group.stored(topic)]
    assert {one.body for one in sent if not one.error} | set(receipts) <= set(stored)
    assert len(stored) == len(set(stored))
    for body, receipt in receipts.items():
        assert [one.body for one in place.admin.query_messages(topic, message_id=receipt["message_id"])] == [body.encode()]
    official.push("eve", topic=topic, group=place.group)
    wait_until(lambda: set(stored) <= {body for _, body, _ in official.seen("eve")}, "all is consumed")


def test_case_58_issue_7689_a_double_kill_loses_nothing_and_uses_no_offset_twice(
    group: Group, place: Place, official: Official
) -> None:
    """The second one dies as soon as it leads: without a majority nothing is acknowledged."""
    topic = place.topic
    official.producer("anna", topic=topic)
    official.keep_sending("anna", topic=topic, callers=["a1", "a2", "a3"])
    for is_at_once in (False, True):
        wait_for_more(official, "anna")
        first = group.kill_leader()
        second = group.others(first)[0] if is_at_once else group.leader()
        group.cluster.kill(second)
        (left,) = [name for name in group.names if name not in (first, second)]
        with RawClient(group.clients[left], topic, "") as raw:
            began_s = time.monotonic()
            assert raw.try_send(b"nobody stores this") != OK
            print(f"without a majority a send is refused after {time.monotonic() - began_s:.2f} s")
        group.mend()
    wait_for_more(official, "anna")
    sent = sent_by(official, "anna")
    stored = [one.body.decode() for one in group.stored(topic)]
    print(f"{len(sent)} sends, {sum(bool(one.error) for one in sent)} failed")
    assert {one.body for one in sent if not one.error} <= set(stored)
    assert set(stored) <= {one.body for one in sent} | {"nobody stores this"}
    assert len(set(stored) - {"nobody stores this"}) == len(stored) - stored.count("nobody stores this")


def test_case_59_issue_3858_in_a_rolling_restart_no_send_fails(group: Group, place: Place, official: Official) -> None:
    """Each node hands leadership over before it ends; clients, ordered ones too, were there before and notice nothing."""
    topic, ordered = place.new_topic(), place.new_topic(MessageKind.FIFO)
    official.push("eve", topic=topic, group=place.group)
    official.producer("anna", topic=topic)
    official.producer("olaf", topic=ordered)
    official.keep_sending("anna", topic=topic, callers=["a1", "a2", "a3"])
    official.keep_sending("olaf", topic=ordered, callers=["red", "green", "blue"], is_ordered=True)
    began_s, moves = time.monotonic(), 0
    for name in group.names:
        wait_for_more(official, "anna")
        moves += group.leader() == name
        group.cluster.stop(name)
        wait_for_more(official, "anna")
        group.mend()
    moves += group.leader() == group.names[0]
    wait_for_more(official, "anna")
    sent, in_groups = sent_by(official, "anna"), sent_by(official, "olaf")
    print(f"{len(sent) + len(in_groups)} sends through a rolling restart; longest gap {gap_s(sent, began_s):.3f} s")
    assert [one for one in sent + in_groups if one.error] == []
    assert moves > 0, "it met what it is about: a leader was restarted"
    check_consumed(official, "eve", sent)
    assert {one.body.decode() for one in group.stored(topic)} == {one.body for one in sent}
    stored = group.stored(ordered)
    assert [one.body for one in stored if in_order([one])] == []
    assert {one.body.decode() for one in stored} == {one.body for one in in_groups}
    assert in_order(stored) == []
    assert group.logs.count("was not handed over") == 0


def test_issue_2178_and_dledger_issue_52_a_node_that_lags_does_not_lead_and_cuts_nobody_back(
    group: Group, place: Place, official: Official
) -> None:
    lagging = group.others(group.leader())[0]
    group.cluster.kill(lagging)
    one, other = group.others(lagging)
    official.producer("anna", topic=place.topic)
    bodies = [f"loaf {number}" for number in range(300)]
    official.send_all_at_once("anna", topic=place.topic, bodies=bodies)
    group.cluster.kill(one)
    group.cluster.kill(other)
    # The one that lags is there first, and wants to lead.
    group.cluster.start(lagging, is_awaited=False)
    wait_until(lambda: "peers: node" in group.log_of(lagging), "it looks for the others")
    group.cluster.start(one)
    assert group.leader() == one
    with RawClient(group.clients[lagging], place.topic, place.group) as raw:
        assert sorted(message.body.decode() for message in raw.take(300, acks=True)) == sorted(bodies)
    group.mend()
    assert sorted(one.body.decode() for one in group.stored(place.topic)) == sorted(bodies)
