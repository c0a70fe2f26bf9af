"""Members of a group come, go, hand over, and lose their disks."""

import asyncio
import re
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import grpc
import pytest

from mq.client.encoding import MessageEncoder
from mq.core.errors import Code
from mq.rpc.admin_client import AdminClient
from mq.rpc.batch_client import BatchProducer
from mq.rpc.calling import Connection
from tests.cluster.broker_process import wait_until
from tests.cluster.caller import Caller
from tests.cluster.load import read_queues
from tests.cluster.membership import Members, middle_of
from tests.interop.driving import Official
from tests.interop.raw import RawClient

TOPIC, QUEUES = "orders", 4


@pytest.fixture
def members(tmp_path: Path) -> Iterator[Members]:
    """Three nodes that keep all of their log, and a topic."""
    with Members(tmp_path / "cluster") as made:
        create_topic(made)
        yield made


@pytest.fixture
def official(members: Members, tmp_path: Path) -> Iterator[Official]:
    """An official producer that knew the three nodes when it began."""
    process = Official(members.endpoint, tmp_path)
    process.producer("anna", topic=TOPIC)
    process.keep_sending("anna", topic=TOPIC, callers=["a", "b"], pause_s=0.01)
    yield process
    process.kill()


def create_topic(members: Members) -> None:
    with Connection(",".join(members.clients.values())) as connection:
        AdminClient(connection).create_topic(TOPIC, queues=QUEUES)


def wait_for_more(official: Official, count: int = 50) -> None:
    wanted = official.acknowledged("anna") + count
    wait_until(lambda: official.acknowledged("anna") >= wanted, f"{count} more sends are acknowledged")


def all_sent(official: Official) -> list[str]:
    """Bodies of all that was sent; none failed."""
    notes = official.stop_sending("anna")
    assert [error for _, _, _, error in notes if error] == []
    return [body for _, _, body, _ in notes]


def check_holds(members: Members, node: int, sent: list[str]) -> None:
    """Whether a node holds each of these messages once."""
    stored = asyncio.run(read_queues(members.clients[node], TOPIC, QUEUES))
    assert sorted(one.body.decode() for one in stored) == sorted(sent)


def send_many(members: Members, count: int) -> None:
    done = members.mq("bench", "--topic", TOPIC, "--seconds", str(count))
    assert done.code == 0, done


def check_routes(members: Members, *nodes: int) -> None:
    """Each of these nodes comes to tell clients of all of them, and of no other."""
    wanted = {members.clients[node] for node in nodes}

    def told(node: int) -> set[str]:
        with RawClient(members.clients[node], TOPIC, "") as raw:
            queues = raw.route().message_queues
        return {f"{one.host}:{one.port}" for queue in queues for one in queue.broker.endpoints.addresses}

    for node in nodes:
        wait_until(lambda: told(node) == wanted, f"node {node} tells clients of nodes {nodes}")  # noqa: B023 - called in this turn


def test_a_fourth_node_joins_and_the_leader_leaves_under_load(members: Members, official: Official) -> None:
    wait_for_more(official)
    peer = members.start_newcomer(4)
    waiting = members.view(4)
    assert waiting is not None
    assert waiting.part in {"asking", "rejoining"}, "a node that is no member yet takes no part"
    added = members.mq("raft", "add", "4", "--peer", peer)
    assert added.code == 0, added
    members.await_voters(1, 2, 3, 4)
    check_routes(members, 1, 2, 3, 4)
    wait_for_more(official)
    left = members.leader()
    removed = members.mq("raft", "remove", str(left))
    assert removed.code == 0, removed
    kept = tuple(node for node in (1, 2, 3, 4) if node != left)
    members.await_voters(*kept)
    check_routes(members, *kept)
    wait_for_more(official)
    members.cluster.stop(members.name(left))
    wait_for_more(official)
    sent = all_sent(official)
    assert len(members.state_hashes(*kept)) == 1
    for node in kept:
        check_holds(members, node, sent)


def test_leadership_is_handed_over_under_load_without_a_failed_send(members: Members, official: Official) -> None:
    for _ in range(4):
        wait_for_more(official)
        before = members.leader()
        to = before % 3 + 1
        moved = members.mq("raft", "transfer", str(to), "-o", "json")
        assert moved.json == {"leader": to}, moved
        wait_until(lambda: members.leader() == to, f"node {to} leads")  # noqa: B023 - called in this turn
    wait_for_more(official)
    sent = all_sent(official)
    assert len(members.state_hashes(1, 2, 3)) == 1
    check_holds(members, 1, sent)


def test_a_wiped_follower_comes_back_by_the_log_under_load(members: Members, official: Official) -> None:
    wait_for_more(official)
    wiped = members.leader() % 3 + 1
    members.wipe(wiped)
    wait_for_more(official)
    wait_until(lambda: "is a voter of its group again" in members.log_of(wiped), "it is a voter again")
    members.await_voters(1, 2, 3)
    sent = all_sent(official)
    assert len(members.state_hashes(1, 2, 3)) == 1
    check_holds(members, wiped, sent)
    view = members.view(wiped)
    assert view is not None
    assert view.first_index == 1, "all of the log is kept, so it came by the log"


def test_a_wiped_leader_comes_back_under_load(members: Members, official: Official) -> None:
    wait_for_more(official)
    wiped = members.leader()
    members.wipe(wiped)
    wait_for_more(official)
    wait_until(lambda: "is a voter of its group again" in members.log_of(wiped), "it is a voter again")
    members.await_voters(1, 2, 3)
    all_sent(official)
    assert len(members.state_hashes(1, 2, 3)) == 1


def test_a_wiped_node_elects_nobody(members: Members) -> None:
    """The vote of a node that forgot what it promised could make a leader of one that lacks what was acknowledged."""
    leader = members.leader()
    wiped = leader % 3 + 1
    members.cluster.kill(members.name(leader))
    members.wipe(wiped)
    wait_until(lambda: "waits to be made a learner" in members.log_of(wiped), "the wiped node knows that it is wiped")
    until_s = time.monotonic() + 4.0  # several election time-outs

    def is_over() -> bool:
        assert [view.node for view in members.views().values() if view.role == "leader"] == []
        view = members.view(wiped)
        assert view is None or view.part == "rejoining"
        return time.monotonic() > until_s

    wait_until(is_over, "nobody is elected")
    members.cluster.start(members.name(leader), is_awaited=False)
    members.await_voters(1, 2, 3)
    assert len(members.state_hashes(1, 2, 3)) == 1


def test_wiped_and_new_nodes_come_by_a_snapshot_when_the_logs_beginning_is_gone(tmp_path: Path) -> None:
    settings = {"segment_bytes": "256KiB", "snapshot_every_bytes": "256KiB", "retention_bytes": "1MiB"}
    with Members(tmp_path / "cluster", **settings) as members:
        create_topic(members)
        wiped = members.leader() % 3 + 1

        def has_forgotten() -> bool:
            send_many(members, 1)
            return all(view.first_index > 1 for view in members.views().values())

        wait_until(has_forgotten, "retention dropped the beginning of all logs", limit_s=60.0)
        members.wipe(wiped)
        wait_until(lambda: "is a voter of its group again" in members.log_of(wiped), "it is a voter again")
        members.await_voters(1, 2, 3)
        view = members.view(wiped)
        assert view is not None
        assert view.first_index > 1, "the beginning is nowhere any more, so it came by a snapshot"
        assert len(members.state_hashes(1, 2, 3)) == 1
        added = members.mq("raft", "add", "4", "--peer", members.start_newcomer(4))
        assert added.code == 0, added
        members.await_voters(1, 2, 3, 4)
        newcomer = members.view(4)
        assert newcomer is not None
        assert newcomer.first_index > 1
        assert len(members.state_hashes(1, 2, 3, 4)) == 1


async def write(endpoints: str, size_bytes: int) -> int:
    """So many bytes of bodies in batches of 1 MiB; how many of them were stored and acknowledged."""
    encoder, body = MessageEncoder(), bytes(16 << 10)
    async with BatchProducer(endpoints, window_batches=8) as producer:
        under_way = [
            await producer.send(TOPIC, [encoder.encode(f"{batch} {number}", body, born_ms=0) for number in range(64)])
            for batch in range(size_bytes >> 20)
        ]
        results = await asyncio.gather(*under_way)
    return sum(one.count + one.duplicates for one in results) * len(body)  # some were sent again, and stored once


@pytest.mark.night  # writes 10 GiB to each of three disks
@pytest.mark.timeout(3600)
def test_a_new_node_joins_after_ten_times_of_what_retention_keeps_was_written(tmp_path: Path) -> None:
    with Members(tmp_path / "cluster", retention_bytes="1GiB") as members:
        create_topic(members)
        assert asyncio.run(write(",".join(members.clients.values()), 10 << 30)) == 10 << 30
        kept_gib = [sum(file.stat().st_size for file in members.data_folder(node).rglob("*")) / (1 << 30) for node in (1, 2, 3)]
        print("kept in each folder, GiB:", ", ".join(f"{kept:.2f}" for kept in kept_gib))
        assert max(kept_gib) < 2
        begin_s = time.monotonic()
        added = members.mq("raft", "add", "4", "--peer", members.start_newcomer(4), "--timeout", "600")
        assert added.code == 0, added
        members.await_voters(1, 2, 3, 4)
        print(f"a voter after {time.monotonic() - begin_s:.1f} s")
        newcomer = members.view(4)
        assert newcomer is not None
        assert newcomer.first_index > 1
        assert len(members.state_hashes(1, 2, 3, 4)) == 1


def test_what_cannot_be_done_is_refused_in_words(members: Members) -> None:
    leader = members.leader()
    for arguments, text in (
        (("transfer", "9"), "node 9 cannot take over"),
        (("remove", "9"), "node 9 is no member of this group: voters 1, 2, 3"),
        (("add", str(leader), "--peer", "127.0.0.1:1"), f"node {leader} is a voter of this group already"),
    ):
        refused = members.mq("raft", *arguments)
        assert refused.code == 1, refused
        assert text in refused.err
    mistyped = members.mq("raft", "add", "4", "--peer", "nowhere")
    assert mistyped.code == 2, mistyped
    assert "peer: 'nowhere' is not HOST:PORT" in mistyped.err
    added = members.mq("raft", "add", "4", "--peer", "127.0.0.1:1", "--wait", "0.5")
    assert added.code == 1, added
    assert "has not caught up" in added.err
    assert members.mq("raft", "remove", "4").code == 0
    members.await_voters(1, 2, 3)


def test_a_node_whose_log_is_damaged_comes_back_by_what_the_others_hold(members: Members, official: Official) -> None:
    """It neither votes nor serves with it, and keeps the damaged files for whoever wants to look at them."""
    wait_for_more(official)
    damaged = members.leader() % 3 + 1
    members.cluster.kill(members.name(damaged))
    data = members.data_folder(damaged)
    for snapshot in (data / "snapshots").glob("*"):
        snapshot.unlink()
    segment = min((data / "log").iterdir())
    content = bytearray(segment.read_bytes())
    content[middle_of(content)] ^= 1
    segment.write_bytes(content)
    members.cluster.start(members.name(damaged), is_awaited=False)
    wait_until(lambda: "is a voter of its group again" in members.log_of(damaged), "it is a voter again")
    assert f"the stored data is damaged: log/{segment.name}, byte " in members.log_of(damaged)
    assert (data / "damaged-1" / "log" / segment.name).read_bytes() == content
    wait_for_more(official)
    sent = all_sent(official)
    assert len(members.state_hashes(1, 2, 3)) == 1
    check_holds(members, damaged, sent)


def test_the_last_voter_of_a_group_that_became_smaller_keeps_its_data_where_it_is(members: Members) -> None:
    """The others were removed: there is nobody who could give back what is damaged."""
    create_topic(members)
    for left in ((1, 2), (1,)):
        gone = max(set(members.views()) - set(left))
        if members.leader() == gone:
            assert members.mq("raft", "transfer", "1").code == 0
        assert members.mq("raft", "remove", str(gone)).code == 0
        members.cluster.kill(members.name(gone))
        members.await_voters(*left)
    members.cluster.kill(members.name(1))
    data = members.data_folder(1)
    for snapshot in (data / "snapshots").glob("*"):
        snapshot.unlink()
    segment = min((data / "log").iterdir())
    content = bytearray(segment.read_bytes())
    content[middle_of(content)] ^= 1
    segment.write_bytes(content)
    members.cluster.start(members.name(1), is_awaited=False)
    wait_until(lambda: "the broker cannot start" in members.log_of(1), "it says that it cannot start")
    assert f"log/{segment.name}, byte " in members.log_of(1)
    assert "nothing was changed" in members.log_of(1)
    assert segment.read_bytes() == content
    assert not list(data.glob("damaged-*"))


SENT = [f"id-{number}" for number in range(400)]
NOT_NOW = {Code.PROXY_TIMEOUT, Code.MASTER_PERSISTENCE_TIMEOUT, Code.INTERNAL_SERVER_ERROR}
"""Of a node that is leaving, or knows of no leader; the last when nothing of what was to be handed out could be read."""


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Members]:
    """Three nodes with 400 acknowledged messages in several segments, and snapshots behind most of them."""
    with Members(tmp_path / "cluster", segment_bytes="64KiB", snapshot_every_bytes="64KiB") as made:
        create_topic(made)
        with Caller(made.clients[made.leader()]) as client:
            for message_id in SENT:
                assert client.send(TOPIC, message_id, message_id.encode().ljust(500, b".")).status.code == Code.OK
        yield made


def segments_of(members: Members, node: int) -> list[Path]:
    return sorted((members.data_folder(node) / "log").iterdir())


def damage_second_segment(members: Members, node: int) -> Path:
    """Three bytes, far from all that opening the log reads; returns the segment."""
    segments = segments_of(members, node)
    assert len(segments) > 3
    content = segments[1].read_bytes()
    at = middle_of(content)
    with segments[1].open("r+b") as file:
        file.seek(at)
        file.write(bytes(byte ^ 1 for byte in content[at : at + 3]))
    return segments[1]


def receive_all(members: Members, *nodes: int) -> None:
    """What was sent, each message at least once; asks one of these nodes after the other as long as some are missing."""
    missing, turn = set(SENT), cycle(nodes)

    def is_done() -> bool:
        with Caller(members.clients[next(turn)], timeout_s=5.0) as client:
            try:
                messages = client.receive(TOPIC, "kitchen", wait_s=0.2)
                client.ack(TOPIC, "kitchen", messages)
            except grpc.RpcError:
                return False
            except AssertionError as refused:
                if refused.args[0].code not in NOT_NOW:
                    raise
                return False
        missing.difference_update(message.system_properties.message_id for message in messages)
        return not missing

    wait_until(is_done, "all is received that was acknowledged", limit_s=60.0)


def check_was_repaired(members: Members, node: int, segment: Path, damaged: bytes) -> None:
    """Out of its group by what it found, and again in it; what was damaged is kept."""
    wait_until(lambda: "is a voter of its group again" in members.log_of(node), "it is a voter again", limit_s=60.0)
    members.await_voters(1, 2, 3)
    said = members.log_of(node)
    assert f"stopping because of this: log/{segment.name}, byte " in said, "it was found while it served"
    assert (members.data_folder(node) / "damaged-1" / "log" / segment.name).read_bytes() == damaged
    assert not (members.data_folder(node) / "damaged-2").exists()
    assert "Traceback" not in said
    assert len(members.state_hashes(1, 2, 3)) == 1


def test_damage_far_behind_snapshots_takes_a_node_out_until_the_others_have_repaired_it(filled: Members) -> None:
    """Opening does not read so far back: it is found by reading all of the log, in the background."""
    damaged = filled.leader() % 3 + 1
    filled.cluster.kill(filled.name(damaged))
    assert list((filled.data_folder(damaged) / "snapshots").iterdir())
    segment = damage_second_segment(filled, damaged)
    content = segment.read_bytes()
    filled.cluster.start(filled.name(damaged), is_awaited=False)
    check_was_repaired(filled, damaged, segment, content)
    moved = filled.mq("raft", "transfer", str(damaged), "-o", "json")
    assert moved.json == {"leader": damaged}, moved
    receive_all(filled, damaged)


def test_a_leader_whose_log_is_damaged_hands_out_what_it_can_and_no_message_is_missed(filled: Members) -> None:
    """A consumer's read finds the damage; another node leads, and has what could not be read."""
    damaged = filled.leader() % 3 + 1
    filled.cluster.stop(filled.name(damaged))
    filled.cluster.start(filled.name(damaged))  # what it sent and heard before is not in memory any more
    filled.await_voters(1, 2, 3)
    moved = filled.mq("raft", "transfer", str(damaged), "-o", "json")
    assert moved.json == {"leader": damaged}, moved
    segment = damage_second_segment(filled, damaged)
    content = segment.read_bytes()
    receive_all(filled, damaged, damaged % 3 + 1, (damaged + 1) % 3 + 1)
    check_was_repaired(filled, damaged, segment, content)
    led_next = re.search(r"node (\d) leads", filled.log_of(damaged).split("stopping because of this")[1])
    assert led_next is not None
    assert int(led_next[1]) != damaged
