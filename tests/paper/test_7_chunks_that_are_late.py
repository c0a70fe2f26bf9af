"""Paper: Raft, section 7 and figure 13: chunks that come late, cannot be read, find no room, or come while all is saved."""

from collections.abc import Callable

import pytest

from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.messages import AppendRequest, Snapshot, SnapshotReply, SnapshotRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import ChunkWanted, Output
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from mq.sim.hand.hand_log import HandLog
from mq.sim.hand.member import FirstChance
from tests.paper.lone import Lone, command, entry_id, of_kind
from tests.paper.test_7_snapshots import MEMBERS, chunk, compacted, whole


class Follower:
    """Node 1, whose log says yes at once, and whose snapshots are durable when a test says so.

    chunks: what it asked its host to save, as (index of the snapshot, where the bytes begin, bytes).
    """

    def __init__(self, raft_class: type[RaftNode]) -> None:
        self.log = HandLog()
        self.node = raft_class(1, self.log, FirstChance(), options=RaftOptions(), configuration=MEMBERS)
        self.chunks: list[tuple[int, int, bytes]] = []

    def carry_out(self, output: Output) -> list[SnapshotReply]:
        """What it answers when its log is on the disk."""
        said = [*output.send, *(message for _, message in output.send_after)]
        self.chunks += [(part.snapshot.last.index, part.at, part.data) for part in output.chunks]
        while self.log.waiting:
            more = self.node.saved(self.log.waiting[0].sequence)
            said += [*more.send, *(message for _, message in more.send_after)]
        return of_kind(said, SnapshotReply)

    def hear(self, request: SnapshotRequest) -> list[SnapshotReply]:
        return self.carry_out(self.node.step(request))

    def saved(self, request: SnapshotRequest) -> Output:
        """All of that snapshot is durable."""
        output = self.node.snapshot_received(request.snapshot)
        self.carry_out(output)
        return output


@pytest.fixture
def follower(raft_class: type[RaftNode]) -> Follower:
    return Follower(raft_class)


NEWER, FIRST_HALF = whole(10, 2, b"aabb"), chunk(10, 2, 0, b"aa", is_last=False)
SECOND_HALF = chunk(10, 2, 2, b"bb", is_last=True)
LATE = chunk(5, 1, 4, b"zz", is_last=True)


def test_7_a_late_chunk_of_an_older_snapshot_does_not_end_a_newer_one_under_way(follower: Follower) -> None:
    follower.hear(FIRST_HALF)
    follower.hear(LATE)
    follower.hear(SECOND_HALF)
    assert follower.chunks == [(10, 0, b"aa"), (10, 2, b"bb")]
    assert follower.saved(SECOND_HALF).install == NEWER.snapshot


def test_7_a_late_chunk_of_an_older_snapshot_does_not_take_away_a_newer_one_that_is_being_saved(follower: Follower) -> None:
    follower.hear(NEWER)
    follower.hear(LATE)
    follower.hear(whole(5, 1))
    assert follower.saved(NEWER).install == NEWER.snapshot
    assert (follower.node.commit_index, follower.node.snapshot) == (10, NEWER.snapshot)


def test_7_a_late_chunk_of_the_snapshot_before_does_not_take_away_a_newer_one(follower: Follower) -> None:
    """What it stands for is here: that is answered, and nothing else comes of it."""
    before = whole(5, 1)
    follower.hear(before)
    follower.saved(before)
    follower.node.applied(LogIndex(5))
    follower.hear(NEWER)
    [reply] = follower.hear(before)
    assert (reply.last, reply.is_installed) == (entry_id(5, 1), True)
    assert follower.saved(NEWER).install == NEWER.snapshot


def test_7_another_leaders_snapshot_does_not_mix_with_one_that_is_being_saved(follower: Follower) -> None:
    """The host may have only one place for it. Later it comes again."""
    follower.hear(NEWER)
    other = chunk(12, 6, 0, b"cc", is_last=True, leader=3, reign=6)
    follower.hear(other)
    assert follower.chunks == [(10, 0, b"aabb")]
    follower.saved(NEWER)
    follower.node.applied(LogIndex(10))
    follower.hear(other)
    assert follower.saved(other).install == other.snapshot


@pytest.mark.parametrize(
    ("index", "term", "leader", "reign"),
    [(10, 2, 3, 6), (12, 5, 3, 6), (8, 2, 3, 6), (12, 2, 2, 5)],
    ids=["the same entry", "another leader's newer one", "another leader's older one", "a newer one of this leader"],
)
def test_7_chunks_of_two_snapshots_are_never_put_together(
    follower: Follower, index: int, term: int, leader: int, reign: int
) -> None:
    """Not even of the same entry: two leaders may have written the same state in other bytes. It begins anew."""
    first, second = (
        chunk(index, term, at, data, is_last=at > 0, leader=leader, reign=reign) for at, data in ((0, b"yy"), (2, b"zz"))
    )
    follower.hear(FIRST_HALF)
    [reply] = follower.hear(second)
    assert (reply.to, reply.last, reply.received_bytes, reply.is_installed) == (leader, entry_id(index, term), 0, False)
    follower.hear(first)
    follower.hear(second)
    assert follower.chunks == [(10, 0, b"aa"), (index, 0, b"yy"), (index, 2, b"zz")]
    assert follower.saved(second).install == second.snapshot


def test_7_every_chunk_that_counts_as_received_went_to_the_disk(follower: Follower) -> None:
    data = b"aabbccd"
    for at in range(0, 7, 2):
        part = chunk(10, 2, at, data[at : at + 2], is_last=at == 6)
        assert [reply.received_bytes for reply in follower.hear(part)] == ([] if part.is_last else [at + 2])
        assert b"".join(saved for _, _, saved in follower.chunks) == data[: at + 2]


def test_7_a_snapshot_is_acknowledged_only_when_the_log_behind_it_is_on_disk_too(follower: Follower) -> None:
    """And with it the term in which that is said."""
    follower.hear(NEWER)
    output = follower.node.snapshot_received(NEWER.snapshot)
    assert of_kind(output.send, SnapshotReply) == []
    assert [waiting.is_reset for waiting in follower.log.waiting] == [True]
    assert {sequence for sequence, _ in output.send_after} <= {follower.log.waiting[-1].sequence}
    [reply] = follower.carry_out(output)
    assert (reply.to, reply.last, reply.is_installed) == (2, entry_id(10, 2), True)


def test_7_what_a_disk_had_no_room_for_is_asked_for_from_its_start(follower: Follower) -> None:
    """Also when it was the last chunk: it was never told that all is here."""
    for failed in ([FIRST_HALF], [FIRST_HALF, SECOND_HALF]):
        for part in failed:
            follower.hear(part)
        assert follower.carry_out(follower.node.snapshot_failed(NEWER.snapshot)) == []
        assert follower.saved(NEWER).install is None, "it is not there"
        [reply] = follower.hear(SECOND_HALF)
        assert (reply.received_bytes, reply.is_installed) == (0, False)
    follower.chunks.clear()
    follower.hear(FIRST_HALF)
    follower.hear(SECOND_HALF)
    assert follower.chunks == [(10, 0, b"aa"), (10, 2, b"bb")]
    assert follower.saved(NEWER).install == NEWER.snapshot


def test_7_to_a_disk_that_had_no_room_the_leader_sends_all_of_it_again(group: Callable[..., HandGroup]) -> None:
    nodes = compacted(group, chunk_bytes_max=3)
    while not nodes.chosen("1>3", "snapshot-request", "all"):
        nodes.tick(1)
        nodes.deliver("1>3", "append-request", "all")
        nodes.deliver("3>1", which="all")
    nodes.deliver("1>3", "snapshot-request")
    nodes.deliver("3>1", "snapshot-reply")
    incoming = nodes.node(3).incoming
    assert incoming is not None
    nodes.members[3].call(lambda node: node.snapshot_failed(incoming.snapshot))
    sent = []
    for _ in range(4):
        nodes.tick(1, 2)
        while nodes.flights:
            message = nodes.flights[0].message
            sent += [message.at] if isinstance(message, SnapshotRequest) else []
            nodes.deliver(f"{message.sender}>{message.to}")
    assert sent == [3, 0, 3, 6], "the one that was on its way is answered with 0"
    assert nodes.members[3].commands == [b"aa", b"bb", b"cc"]


def test_7_a_snapshot_that_could_not_be_read_is_tried_again_some_ticks_later(lone: Callable[..., Lone]) -> None:
    """And not at once: it would be tried as often as the host can, for nothing."""
    node = lone(recent_bytes_max=1)
    node.lead()
    node.hear(node.matched_by(3, 1))
    node.group.propose(1, b"aa")
    node.hear(node.matched_by(3, 2))
    node.group.snapshot(1)

    def wanted_soon() -> list[ChunkWanted]:
        return [want for _ in range(4) for want in node.node.tick().fetch if isinstance(want, ChunkWanted) and want.peer == 2]

    node.node.step(node.rejected_by(2, 0, entry_id(0, 0)))
    wanted = wanted_soon()[-1]
    for _ in range(3):
        output = node.node.chunk_fetched(wanted, None, is_last=False)
        assert output.fetch == ()
        assert wanted_soon()[-1] == wanted
    [request] = of_kind(node.node.chunk_fetched(wanted, b"aa", is_last=True).send, SnapshotRequest)
    assert (request.to, request.snapshot) == (2, wanted.snapshot)


@pytest.mark.parametrize("reads", [False, True], ids=["heartbeats", "heartbeats and reads"])
def test_7_a_chunk_is_sent_again_as_time_goes_by_and_not_with_every_read(group: Callable[..., HandGroup], reads: bool) -> None:
    """A client's reads make rounds of heartbeats as fast as the others answer; a chunk may be large, and a disk be slow."""
    nodes = compacted(group, chunk_bytes_max=3)
    while not nodes.chosen("1>3", "snapshot-request", "all"):
        nodes.tick(1)
        nodes.deliver("1>3", "append-request", "all")
        nodes.deliver("3>1", which="all")
    nodes.drop("1>3", "snapshot-request")
    sent = []
    for tick in range(5):
        nodes.tick(1)
        for context in range(10 * tick, 10 * tick + 10) if reads else ():
            nodes.members[1].call(lambda node, context=context: node.read(context))  # type: ignore[misc]
            nodes.stabilize((1, 2))
        sent.append(len(nodes.chosen("1>3", "snapshot-request", "all")))
        nodes.drop("1>3", which="all")
    assert sum(sent) == 1, sent


# ---------------------------------------------------------------- a disk that cannot be trusted


def test_7_a_disk_without_room_for_the_log_behind_a_snapshot_makes_its_node_mute(follower: Follower) -> None:
    """The state is the snapshot's, and the log behind it is not there. A start finds the snapshot, and begins the log anew."""
    follower.hear(NEWER)
    output = follower.node.snapshot_received(NEWER.snapshot)
    assert output.install == NEWER.snapshot
    [save] = output.saves
    output = follower.node.save_failed(save.sequence)
    assert (follower.node.role, output.saves, output.send, output.send_after) == (Role.MUTE, (), (), ())
    assert follower.hear(NEWER) == []


def test_7_a_mute_node_installs_no_snapshot(follower: Follower) -> None:
    follower.hear(NEWER)
    follower.node.disk_failed()
    output = follower.node.snapshot_received(NEWER.snapshot)
    assert (output.saves, output.send_after, output.install) == ((), (), None)
    assert (follower.node.role, follower.node.commit_index, follower.node.log.last.index) == (Role.MUTE, 0, 0)


def test_7_a_mute_node_lets_nothing_go_for_a_snapshot_of_its_own(follower: Follower) -> None:
    entries = (command(1, 5), command(2, 5))
    nowhere = EntryId(Term(0), LogIndex(0))
    follower.carry_out(follower.node.step(AppendRequest(2, 1, Term(5), nowhere, entries, LogIndex(2), 0)))
    follower.node.applied(LogIndex(2))
    snapshot = follower.node.take_snapshot()
    assert snapshot == Snapshot(entry_id(2, 5), MEMBERS)
    follower.node.disk_failed()
    follower.node.snapshot_saved(snapshot)
    assert follower.log.first_index == 1
