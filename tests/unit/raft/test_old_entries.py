"""Old entries and snapshots that a host reads for a leader: sent only where they still fit. And what it may remove."""

from mq.core.ids import LogIndex, Term
from mq.core.ports import Plan, Remove
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendRequest, Snapshot, SnapshotRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import ChunkWanted, EntriesWanted
from mq.sim.hand.hand_log import HandLog
from mq.sim.hand.member import FirstChance
from tests.paper.lone import Lone, entry_id, of_kind


def fetching() -> tuple[Lone, EntriesWanted]:
    """A leader that asked its host for old entries, which it does not keep in memory, for node 2."""
    node = Lone(RaftNode, 3, [1, 1, 1, 1], {"recent_bytes_max": 1})
    node.lead()
    output = node.node.step(node.rejected_by(2, 4, entry_id(3, 1)))
    [wanted] = output.fetch
    assert isinstance(wanted, EntriesWanted)
    assert (wanted.peer, wanted.first) == (2, 4)
    return node, wanted


def test_old_entries_are_read_from_the_disk_and_sent() -> None:
    node, wanted = fetching()
    output = node.node.fetched(wanted, node.member.log.entries(wanted.first, wanted.last))
    sent = of_kind(output.send, AppendRequest)
    assert [(request.to, request.previous, [entry.index for entry in request.entries][:1]) for request in sent] == [
        (2, entry_id(3, 1), [4])
    ]


def test_what_was_read_for_another_place_or_an_earlier_reign_is_not_sent() -> None:
    node, wanted = fetching()
    entries = node.member.log.entries(wanted.first, wanted.last)
    again = node.node.step(node.rejected_by(2, 3, entry_id(1, 1)))  # meanwhile it asks further back
    assert [want.first for want in again.fetch if isinstance(want, EntriesWanted)] == [2]
    assert of_kind(node.node.fetched(wanted, entries).send, AppendRequest) == []
    node, wanted = fetching()
    node.hear(node.append_of(9, entry_id(5, 2)))
    assert node.node.fetched(wanted, entries).send == ()
    node.lead()
    assert of_kind(node.node.fetched(wanted, entries).send, AppendRequest) == []


def test_what_was_read_is_not_sent_when_the_follower_is_further_meanwhile() -> None:
    """An answer that was late: the next entries stand behind the one it spoke of, and those that were read do not."""
    node, wanted = fetching()
    entries = node.member.log.entries(wanted.first, wanted.last)
    assert node.node.step(node.matched_by(2, 4)).fetch == (), "the read that is under way is waited for"
    sent = of_kind(node.node.fetched(wanted, entries).send, AppendRequest)
    assert [(request.previous, [entry.index for entry in request.entries]) for request in sent] == [(entry_id(4, 1), [5])]


def test_only_the_newest_of_several_reads_for_a_follower_goes_on() -> None:
    """Each answer that rejects what was to be sent begins a read in place of the one before, and not one more chain of them."""
    node = Lone(RaftNode, 3, [1] * 40, {"recent_bytes_max": 1, "entries_max": 1, "in_flight_max": 1})
    node.lead()
    reads = []
    for rejected, hint in ((40, 20), (20, 15), (15, 10), (10, 5)):
        [wanted] = node.node.step(node.rejected_by(2, rejected, entry_id(hint, 1))).fetch
        assert isinstance(wanted, EntriesWanted)
        reads.append(wanted)
    assert [wanted.first for wanted in reads] == [21, 16, 11, 6]
    outputs = [node.node.fetched(wanted, node.member.log.entries(wanted.first, wanted.last)) for wanted in reads]
    sent = of_kind([message for output in outputs for message in output.send], AppendRequest)
    assert [entry.index for request in sent for entry in request.entries] == [6]
    assert [want for output in outputs for want in output.fetch] == []
    assert len(node.node.step(node.matched_by(2, 6)).fetch) == 1


# ---------------------------------------------------------------- snapshots


def sending() -> tuple[Lone, ChunkWanted]:
    """A leader that has only a snapshot for node 2, and asked its host for the first chunk."""
    node = Lone(RaftNode, 3, [], {"recent_bytes_max": 1, "chunk_bytes_max": 2})
    node.lead()
    node.hear(node.matched_by(3, 1))
    node.group.propose(1, b"aa")
    node.hear(node.matched_by(3, 2))
    node.group.snapshot(1)
    output = node.node.step(node.rejected_by(2, 0, entry_id(0, 0)))
    for _ in range(4):
        output = node.node.tick()
        if output.fetch:
            break
    [wanted] = output.fetch
    assert isinstance(wanted, ChunkWanted)
    assert (wanted.peer, wanted.at, wanted.bytes_max) == (2, 0, 2)
    return node, wanted


def test_a_chunk_that_was_read_is_sent() -> None:
    node, wanted = sending()
    [request] = of_kind(node.node.chunk_fetched(wanted, b"aa", is_last=True).send, SnapshotRequest)
    assert (request.to, request.at, request.data, request.is_last) == (2, 0, b"aa", True)


def test_a_chunk_for_an_earlier_reign_or_another_place_is_not_sent() -> None:
    node, wanted = sending()
    assert node.node.chunk_fetched(wanted._replace(at=5), b"aa", is_last=True).send == ()
    assert node.node.chunk_fetched(wanted._replace(peer=3), b"aa", is_last=True).send == ()
    node.hear(node.append_of(9, entry_id(2, 1)))
    assert node.node.chunk_fetched(wanted, b"aa", is_last=True).send == ()
    node.lead()
    assert of_kind(node.node.chunk_fetched(wanted, b"aa", is_last=True).send, SnapshotRequest) == []


def test_a_snapshot_that_is_gone_is_begun_anew_with_the_newest() -> None:
    node, wanted = sending()
    node.node.chunk_fetched(wanted, b"aa", is_last=False)
    node.group.propose(1, b"bb")
    node.hear(node.matched_by(3, 3))
    node.group.snapshot(1)
    newest = node.node.snapshot
    assert newest.last.index > wanted.snapshot.last.index
    [again] = node.node.chunk_fetched(wanted, None, is_last=False).fetch
    assert again == wanted._replace(snapshot=newest)


def test_a_snapshot_that_nobody_waits_for_changes_nothing() -> None:
    node = Lone(RaftNode, 3, [1], {})
    members = Configuration.of(1, 2, 3)
    part = SnapshotRequest(2, 1, Term(5), Snapshot(entry_id(7, 2), members), 0, b"a", is_last=False)
    for _ in range(2):
        assert node.node.snapshot_received(Snapshot(entry_id(9, 3), members)).install is None
        node.hear(part)
    assert (node.node.commit_index, node.terms) == (0, [1])


class WithFiles(HandLog):
    """A log that has a file for each entry."""

    def drop_before(self, index: LogIndex) -> Plan:
        super().drop_before(index)
        return (Remove(f"before-{index}"),)


def test_what_a_snapshot_stands_for_is_handed_out_to_be_removed() -> None:
    """Also when nothing else is to be done."""
    log = WithFiles()
    node = RaftNode(1, log, FirstChance(), options=RaftOptions(), configuration=Configuration.of(1))
    node.campaign()
    for _ in range(2):
        node.saved(log.waiting[-1].sequence)
    node.applied(LogIndex(1))
    snapshot = node.take_snapshot()
    assert snapshot is not None
    assert node.snapshot_saved(snapshot).forget == (Remove("before-2"),)
