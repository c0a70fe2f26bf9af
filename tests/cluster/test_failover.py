"""The leader dies: what official clients see of it. Cases of the protocol's list by number, RocketMQ's issues by theirs."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mq.core.limits import RECEIVE_BATCH_MAX, RENEW_INVISIBLE_MS
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from tests.cluster.broker_process import wait_until
from tests.cluster.group import Group, gap_s, in_order
from tests.cluster.official_route import OfficialRoutes
from tests.cluster.sending import check_consumed, sent_by, wait_for_more
from tests.interop.driving import Official, RefusedByClientError
from tests.interop.place import Place
from tests.interop.raw import NOTHING_NEW, OK, RawClient, new_id

pytestmark = pytest.mark.timeout(300)

GAP_S_MAX = 2.0
"""Of one kill, on a busy machine. How short it is in fact is printed here, and measured by `bench`."""
GOES_ON_S_MAX = 8.0
"""A client that lost its connection asks another node within a second or two; the machine may be busy."""

ACKS, ACKS_AFTERWARDS, ACK_CALLERS = 300, 20, 4


def test_case_55_issue_3747_leaders_killed_under_load_lose_nothing_and_keep_the_order(
    group: Group, place: Place, official: Official
) -> None:
    topic, ordered = place.new_topic(), place.new_topic(MessageKind.FIFO)
    official.push("eve", topic=topic, group=place.new_group())
    official.producer("anna", topic=topic)
    official.producer("olaf", topic=ordered)
    official.keep_sending("anna", topic=topic, callers=["a1", "a2", "a3"])
    official.keep_sending("olaf", topic=ordered, callers=["red", "green", "blue"], is_ordered=True)
    kills = []
    for _ in range(3):
        wait_for_more(official, "anna")
        kills.append(time.monotonic())
        killed = group.kill_leader()
        wait_for_more(official, "anna")
        assert group.leader() != killed
        group.mend()
    sent, in_groups = sent_by(official, "anna"), sent_by(official, "olaf")
    gaps = [gap_s([one for one in sent if one.began_s < killed_s + 5], killed_s) for killed_s in kills]
    slowest = max(one.ended_s - one.began_s for one in sent)
    shown = ", ".join(f"{one:.3f}" for one in gaps)
    print(f"{len(sent) + len(in_groups)} sends through 3 kills; gaps {shown} s; slowest send {slowest:.3f} s")
    assert [one for one in sent + in_groups if one.error] == []
    assert max(gaps) < GAP_S_MAX
    check_consumed(official, "eve", sent)
    stored = group.stored(ordered)
    assert {one.body.decode() for one in stored} == {one.body for one in in_groups}
    assert in_order(stored) == []
    assert len(stored) == len(in_groups), "a message that a client sent again is stored once"


def test_case_5_the_route_does_not_change_when_another_node_leads(group: Group, place: Place, tmp_path: Path) -> None:
    """Neither the one that an official producer is given and lives by, nor what any node answers."""
    killed = group.leader()
    asked = group.others(killed)
    one, other = (RawClient(group.clients[name], place.topic, "") for name in asked)
    place.keep(one)
    place.keep(other)
    wait_until(lambda: other.route().status.code == OK, "the topic is known")
    before = one.route()
    with OfficialRoutes(group.clients[asked[0]], [place.topic], tmp_path) as official:
        told = [official.ask(place.topic, body="before")]
        group.cluster.kill(killed)
        told.append(official.ask(place.topic, body="meanwhile"))
        while_there_is_none = one.route()
        assert group.leader() != killed
        told.append(official.ask(place.topic, body="after"))
        assert [one.route(), other.route(), while_there_is_none] == [before] * 3, "the dead node stays listed"
        group.mend()
        told.append(official.ask(place.topic, body="whole again"))
    route = told[0]["asked"]
    assert len(route) == 4
    assert [(answer["held"], answer["asked"]) for answer in told] == [(route, route)] * 4
    assert [one.route(), other.route()] == [before] * 2
    with RawClient(group.clients[killed], place.topic, "") as raw:
        assert raw.route() == before
    assert sorted(found.body for found in group.stored(place.topic)) == [b"after", b"before", b"meanwhile", b"whole again"]


def test_case_34_consumption_goes_on_when_the_node_with_the_clients_streams_dies(
    group: Group, place: Place, official: Official
) -> None:
    """Once while that node leads, once while it follows: within seconds, but for what was on its way through that node."""
    official.push("eve", topic=place.topic, group=place.group)
    sent: set[str] = set()
    for is_leader in (True, False):
        used = group.node_of(official.pid)
        group.make_leader(used if is_leader else group.others(used)[0])
        assert (group.leader() == used) == is_leader
        assert group.node_of(official.pid) == used
        group.cluster.kill(used)
        now = {f"{used} {is_leader} {number}" for number in range(40)}
        with RawClient(group.clients[group.others(used)[0]], place.topic, "") as raw:
            for body in now:
                raw.send(body.encode())
        sent.update(now)
        began_s = time.monotonic()
        wait_until(lambda: now & bodies_seen(official, "eve"), "consumption goes on", limit_s=GOES_ON_S_MAX)  # noqa: B023 - called at once
        goes_on_s = time.monotonic() - began_s
        # What the leader gave to a poll of the dead node, before it knew, comes again when its invisible time is over.
        limit_s = RENEW_INVISIBLE_MS / 1000 + 10
        wait_until(lambda: sent <= bodies_seen(official, "eve"), "all is consumed", limit_s=limit_s)
        took_s, role = time.monotonic() - began_s, "led" if is_leader else "followed"
        print(f"the node with the streams {role}; messages came {goes_on_s:.2f} s, and all {took_s:.2f} s after they were sent")
        group.mend()
    seen = official.seen("eve")
    late = [body for _, body, attempt in seen if attempt > 1]
    assert len(seen) == len(sent), "each once"
    assert {attempt for _, _, attempt in seen} <= {1, 2}
    assert len(late) <= 2 * RECEIVE_BATCH_MAX, "at most what one poll of each dead node was given"


def bodies_seen(official: Official, client: str) -> set[str]:
    """What a push consumer was given so far."""
    return {body for _, body, _ in official.seen(client)}


def test_case_62_issues_9804_9864_9984_9206_and_rocketmq_helm_33_what_was_made_right_before_the_kill_is_there_after_it(
    group: Group, place: Place, official: Official
) -> None:
    uses = {MessageKind.NORMAL: use_normal, MessageKind.FIFO: use_ordered, MessageKind.TRANSACTION: use_transaction}
    for kind, use in uses.items():
        leader, is_fifo = group.leader(), kind is MessageKind.FIFO
        topic, consumers = place.new_topic(kind, queues=7), place.new_group(is_fifo=is_fifo, max_attempts=5)
        group.cluster.kill(leader)
        assert place.admin.describe_topic(topic).topic.type == kind.name.lower()
        assert len(place.admin.describe_topic(topic).queues) == 7
        made = place.admin.describe_group(consumers).group
        assert (made.is_fifo, made.max_attempts) == (is_fifo, 5)
        with RawClient(group.clients[group.others(leader)[0]], topic, consumers) as raw:
            use(official, raw)
        group.mend()


def use_normal(official: Official, raw: RawClient) -> None:
    """What is sent arrives."""
    official.producer("anna", topic=raw.topic)
    official.simple("eve", topic=raw.topic, group=raw.group)
    official.send("anna", topic=raw.topic, body="bread")
    assert [message["body"] for message in official.receive("eve")["messages"]] == ["bread"]


def use_ordered(official: Official, raw: RawClient) -> None:
    """A message whose listener fails once is tried again before the next one of its message group."""
    official.producer("olaf", topic=raw.topic)
    official.push("ida", topic=raw.topic, group=raw.group, take_from_attempt=2)
    callers = ["red", "green", "blue"]
    for number in range(3):
        for caller in callers:
            official.send("olaf", topic=raw.topic, body=f"{caller} {number}", message_group=caller)
    wait_until(lambda: len(official.seen("ida")) >= 18, "each message came twice")
    for caller in callers:
        seen = [body for _, body, _ in official.seen("ida") if body.split()[0] == caller]
        assert seen == [f"{caller} {number}" for number in range(3) for _ in range(2)]


def use_transaction(official: Official, raw: RawClient) -> None:
    """A half message is there for its commit, and for nobody before; who forgets it is asked in a later stage only."""
    half = raw.send(b"bread", kind=pb.TRANSACTION)
    raw.expect_nothing(0.5)
    assert raw.end_transaction(half, pb.COMMIT) == OK
    assert [message.body for message in raw.take(1, acks=True)] == [b"bread"]


def test_case_63_acks_under_way_while_leadership_is_handed_over_count(group: Group, place: Place) -> None:
    """They come in by a node that followed before and follows then, of several callers, of each one after the other."""
    old = group.leader()
    new, door = group.others(old)
    with RawClient(group.clients[door], place.topic, place.group) as raw, ThreadPoolExecutor(ACK_CALLERS) as pool:
        raw.send_all([raw.message(b"%d" % number) for number in range(ACKS)])
        held = raw.take(ACKS, invisible_s=60)
        is_over = threading.Event()

        def acks(share: list[Any]) -> list[tuple[float, int]]:
            answers = []
            for left, message in zip(range(len(share), 0, -1), share, strict=True):
                answers.append((time.monotonic(), raw.ack(message)))
                # The last ones are for afterwards; before, there must be enough of them.
                is_over.wait(60 if left * ACK_CALLERS == ACKS_AFTERWARDS else 0.005)
            return answers

        acking = [pool.submit(acks, held[caller::ACK_CALLERS]) for caller in range(ACK_CALLERS)]
        began_s = time.monotonic()
        group.hand_over(new)
        ended_s = time.monotonic()
        is_over.set()
        answers = [answer for each in acking for answer in each.result(60)]
    meanwhile = sum(began_s <= at_s <= ended_s for at_s, _ in answers)
    print(f"{meanwhile} acks while leadership was handed over, within {ended_s - began_s:.2f} s")
    assert meanwhile >= 2
    assert [code for _, code in answers] == [OK] * ACKS
    rows = place.admin.describe_group(place.group).queues
    assert [(row.lag, row.in_flight) for row in rows] == [(0, 0)] * len(rows) != []


def received_once(
    official: Official, client: str, count: int, *, invisible_s: int
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """So many messages, and when each was asked for, by its body: that is before it was hidden."""
    held: list[dict[str, Any]] = []
    asked_s: dict[str, float] = {}
    while len(held) < count:
        now_s = time.monotonic()
        found = official.receive(client, invisible_s=invisible_s)["messages"]
        asked_s.update((message["body"], now_s) for message in found)
        held += found
    return held, asked_s


def received_again(official: Official, client: str, *, invisible_s: int) -> list[dict[str, Any]]:
    """None when the client's own connection was with the node that died: it asks no other one by itself."""
    try:
        found: list[dict[str, Any]] = official.receive(client, invisible_s=invisible_s)["messages"]
    except RefusedByClientError as error:
        if "UNAVAILABLE" not in str(error):
            raise
        return []
    return found


def test_cases_63_and_64_issues_3210_7790_acknowledged_is_over_and_hidden_stays_hidden_over_a_kill(
    group: Group, place: Place, official: Official
) -> None:
    invisible_s, topic = 10, place.topic
    official.producer("anna", topic=topic)
    official.send_all_at_once("anna", topic=topic, bodies=[f"loaf {number}" for number in range(40)])
    official.simple("eve", topic=topic, group=place.group)
    back: list[dict[str, Any]] = []
    held, asked_s = received_once(official, "eve", 40, invisible_s=invisible_s)
    received_s = time.monotonic()
    assert {message["attempt"] for message in held} == {1}
    acked, hidden = held[:25], held[25:]
    for message in acked:
        official.ack("eve", handle=message["handle"])
    killed = group.kill_leader()
    hidden_s: list[float] = []  # of each message that came back, at most: from before it was asked for
    while len(back) < len(hidden):
        assert time.monotonic() < received_s + invisible_s + 10, f"{len(back)} of {len(hidden)} came back"
        found = received_again(official, "eve", invisible_s=30)
        hidden_s += [time.monotonic() - asked_s[message["body"]] for message in found]
        back += found
    print(f"hidden for {invisible_s} s; back after {min(hidden_s):.2f} to {max(hidden_s):.2f} s")
    assert group.leader() != killed
    assert sorted(message["body"] for message in back) == sorted(message["body"] for message in hidden), "none of the others"
    assert {message["attempt"] for message in back} == {2}
    assert invisible_s <= min(hidden_s), "not earlier, each of them"
    assert time.monotonic() - received_s < invisible_s + 3.0
    for message in back:
        official.ack("eve", handle=message["handle"])
    assert official.receive("eve")["messages"] == []


def test_issue_9879_the_backlog_can_be_read_when_a_node_is_down(group: Group, place: Place, official: Official) -> None:
    official.producer("anna", topic=place.topic)
    bodies = [f"loaf {number}" for number in range(200)]
    official.send_all_at_once("anna", topic=place.topic, bodies=bodies)
    for down in (group.others(group.leader())[0], group.leader()):
        group.mend()
        group.cluster.kill(down)
        with RawClient(group.clients[group.others(down)[0]], place.topic, place.new_group()) as raw:
            got = raw.take(200, acks=True)
            assert sorted(message.body.decode() for message in got) == sorted(bodies)
            raw.expect_nothing(0.2)


def test_acks_of_the_old_leaders_handles_are_taken_by_the_new_one(group: Group, place: Place) -> None:
    with RawClient(group.clients[group.others(group.leader())[0]], place.topic, place.group) as raw:
        for number in range(8):
            raw.send(b"%d" % number)
        got = raw.take(8)
        group.kill_leader()
        assert raw.ack(*got[:4]) == OK
        changed = [raw.change(message.system_properties.receipt_handle, 20) for message in got[4:]]
        assert {one.status.code for one in changed} == {OK}
        assert raw.ack_entries(*(one.receipt_handle for one in changed)).status.code == OK
        assert raw.receive(wait_s=0.5).status.code == NOTHING_NEW


def test_a_message_that_is_sent_again_to_the_new_leader_is_stored_once(group: Group, place: Place) -> None:
    with RawClient(group.clients[group.others(group.leader())[0]], place.topic, "") as raw:
        messages = [raw.message(b"bread", message_id=new_id())]
        first = raw.send_all(messages)
        group.kill_leader()
        again = raw.send_all(messages)
        assert (first.status.code, again.status.code) == (OK, OK)
        assert again.entries[0].offset == first.entries[0].offset
    group.mend()
    assert [one.body for one in group.stored(place.topic)] == [b"bread"]
