"""Nodes that end and come back, planned or not, one after the other or all together."""

import asyncio
import shutil
import time

import pytest

from mq.client.encoding import MessageEncoder
from mq.core.limits import DEDUPLICATION_WINDOW
from mq.core.message import MessageKind
from mq.rpc.batch_client import BatchProducer
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group, gap_s, in_order
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official
from tests.interop.place import Place
from tests.interop.raw import OK, RawClient, new_id

pytestmark = pytest.mark.timeout(300)


def test_case_57_after_a_restart_of_all_nodes_everything_is_there_and_found_by_its_id(
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


async def fill_window(endpoints: str, topic: str) -> None:
    """So many small messages that whatever was sent before is not among the newest any more."""
    encoder, count = MessageEncoder(), 1000
    async with BatchProducer(endpoints, window_batches=8) as producer:
        under_way = []
        for first in range(0, DEDUPLICATION_WINDOW, count):
            ids = [f"crumb-{number:06}" for number in range(first, first + count)]
            under_way.append(await producer.send(topic, encoder.encode_batch(ids, [b"crumb"] * count, born_ms=0)))
        await asyncio.gather(*under_way)


def are_sealed_ones_indexed(group: Group, name: str) -> bool:
    """Whether a node has an index of each segment of its log but the one that it writes to."""
    data = group.folder / "data" / name
    segments, indexes = (sorted(file.stem for file in (data / what).glob("*")) for what in ("log", "index"))
    assert len(segments) > 2, "it met what it is about"
    return indexes == segments[:-1]


def test_issue_7477_ids_that_the_window_forgot_are_found_on_every_node_by_indexes_that_are_made_anew(
    group: Group, place: Place
) -> None:
    """All nodes are killed, and their indexes lost. Ids of the newest messages would be found without any."""
    topic = place.new_topic(queues=1)
    with RawClient(group.clients[group.names[0]], topic, "") as raw:
        loaves = [raw.message(b"loaf %d" % number, message_id=new_id()) for number in range(5)]
        for number, loaf in enumerate(loaves):
            assert raw.send_all([loaf]).entries[0].offset == number
    asyncio.run(fill_window(",".join(group.clients.values()), topic))
    for name in group.names:
        wait_until(lambda: are_sealed_ones_indexed(group, name), f"{name} has indexed its log")  # noqa: B023 - called at once
    for name in group.names:
        group.cluster.kill(name)
        shutil.rmtree(group.folder / "data" / name / "index")
    group.mend()
    for name in group.names:
        wait_until(lambda: are_sealed_ones_indexed(group, name), f"{name} has indexed its log again")  # noqa: B023 - called at once
        group.hand_over(name)  # whoever leads answers
        for loaf in loaves:
            found = place.admin.query_messages(topic, message_id=loaf.system_properties.message_id)
            assert [one.body for one in found] == [loaf.body]
    with RawClient(group.clients[group.names[0]], topic, "") as raw:
        again = raw.send_all(loaves[-1:]).entries[0]
    assert again.offset == len(loaves) + DEDUPLICATION_WINDOW, "even the youngest is forgotten: it is stored anew"


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
