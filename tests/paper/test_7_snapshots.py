"""Paper: Raft, section 7 and figure 13: log compaction."""

from collections.abc import Callable

import pytest

from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, AppendRequest, Snapshot, SnapshotReply, SnapshotRequest, VoteReply, VoteRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from mq.sim.hand.hand_log import HandLog
from mq.sim.hand.member import FirstChance
from tests.paper.lone import Lone, command, entry_id, of_kind

MEMBERS = Configuration.of(1, 2, 3)


def chunk(index: int, term: int, at: int, data: bytes, *, is_last: bool, leader: int = 2, reign: int = 5) -> SnapshotRequest:
    snapshot = Snapshot(entry_id(index, term), MEMBERS)
    return SnapshotRequest(leader, 1, Term(reign), snapshot, at, data, is_last)


def whole(index: int, term: int, data: bytes = b"s") -> SnapshotRequest:
    return chunk(index, term, 0, data, is_last=True)


def compacted(make: Callable[..., HandGroup], **options: object) -> HandGroup:
    """Node 1 leads, has a snapshot behind entry 4, and node 3 has nothing."""
    nodes = make(**options)
    nodes.campaign(1)
    nodes.stabilize([1, 2])
    nodes.isolate(3)
    nodes.propose(1, b"aa", b"bb", b"cc")
    nodes.stabilize()
    nodes.snapshot(1)
    nodes.heal()
    assert nodes.members[1].log.first_index == 5
    return nodes


def beat(nodes: HandGroup, count: int = 1) -> None:
    for _ in range(count):
        nodes.tick(1, 2)
        nodes.stabilize()


# ---------------------------------------------------------------- taken


def test_7_a_snapshot_stands_for_all_that_was_applied_and_for_no_more(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    nodes.campaign(1)
    nodes.stabilize()
    nodes.propose(1, b"a")
    assert nodes.node(1).take_snapshot() == Snapshot(entry_id(1, 1), MEMBERS)
    nodes.stabilize()
    assert nodes.node(1).take_snapshot() == Snapshot(entry_id(2, 1), MEMBERS)


def test_7_without_anything_applied_since_the_last_one_there_is_no_new_snapshot(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    assert nodes.node(1).take_snapshot() is None
    nodes.campaign(1)
    nodes.stabilize()
    nodes.snapshot(1)
    assert nodes.node(1).take_snapshot() is None
    nodes.propose(1, b"a")
    nodes.stabilize()
    assert nodes.node(1).take_snapshot() == Snapshot(entry_id(2, 1), MEMBERS)


def test_7_a_snapshot_names_its_last_entry_with_that_entrys_term(group: Callable[..., HandGroup]) -> None:
    """Not with the term that the node is in."""
    nodes = group(3, {1: [1, 2], 2: [1, 2], 3: [1, 2]})
    nodes.campaign(1)
    nodes.stabilize()
    nodes.campaign(2)
    nodes.campaign(2)
    nodes.deliver("2>1", which="all")
    snapshot = nodes.node(1).take_snapshot()
    assert snapshot is not None
    assert (snapshot.last, nodes.node(1).term) == (entry_id(3, 3), 5)


def test_7_the_log_is_cut_only_when_the_snapshot_is_on_disk(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    nodes.campaign(1)
    nodes.stabilize()
    snapshot = nodes.node(1).take_snapshot()
    assert snapshot is not None
    nodes.tick(1, 4)
    assert nodes.members[1].log.first_index == 1
    nodes.node(1).snapshot_saved(snapshot)
    assert nodes.members[1].log.first_index == 2


def test_7_the_log_is_cut_up_to_what_the_snapshot_stands_for_and_no_further(group: Callable[..., HandGroup]) -> None:
    """Though more was committed and applied until it was on disk."""
    nodes = group()
    nodes.campaign(1)
    nodes.stabilize()
    snapshot = nodes.node(1).take_snapshot()
    assert snapshot is not None
    nodes.propose(1, b"a")
    nodes.stabilize()
    nodes.node(1).snapshot_saved(snapshot)
    assert nodes.members[1].log.first_index == 2
    assert [entry.payload for entry in nodes.members[1].log.entries(1, 9)] == [b"a"]


def test_7_what_is_committed_and_not_yet_applied_is_not_in_the_snapshot(lone: Callable[..., Lone]) -> None:
    """Figure 13, and section 7: it describes the state up to lastApplied."""
    node = lone()
    node.lead()
    node.hear(node.matched_by(2, 1))
    node.node.propose([b"a"])
    node.node.saved(node.member.log.waiting[-1].sequence)
    node.node.step(node.matched_by(2, 2))  # behind the host's back, so that nobody applies it
    assert node.node.commit_index == 2
    assert node.node.take_snapshot() == Snapshot(entry_id(1, 1), MEMBERS)


@pytest.mark.parametrize(("keep_from", "first"), [(1, 1), (2, 2), (3, 3), (9, 3)])
def test_7_a_host_may_keep_more_entries_and_never_fewer(group: Callable[..., HandGroup], keep_from: int, first: int) -> None:
    """Than the snapshot stands for: it may want them for followers that are a little behind."""
    nodes = group()
    nodes.campaign(1)
    nodes.stabilize()
    nodes.propose(1, b"a")
    nodes.stabilize()
    snapshot = nodes.node(1).take_snapshot()
    assert snapshot == Snapshot(entry_id(2, 1), MEMBERS)
    nodes.propose(1, b"b")
    nodes.node(1).snapshot_saved(snapshot, keep_from=LogIndex(keep_from))
    assert nodes.members[1].log.first_index == first


def test_7_what_is_behind_the_snapshot_stays_in_the_log(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    nodes.campaign(1)
    nodes.stabilize()
    nodes.propose(1, b"a", b"b")
    nodes.snapshot(1)
    assert (nodes.members[1].log.first_index, nodes.members[1].log.last_index) == (2, 3)


def test_7_after_a_start_the_state_is_the_snapshots_and_the_rest_is_applied_again(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    nodes.campaign(1)
    nodes.stabilize()
    nodes.propose(1, b"a")
    nodes.stabilize()
    nodes.snapshot(1)
    nodes.propose(1, b"b")
    nodes.stabilize()
    nodes.crash(1)
    nodes.restart(1)
    assert (nodes.members[1].commands, nodes.node(1).commit_index) == ([b"a"], 2)
    nodes.campaign(1)
    nodes.stabilize()
    assert nodes.members[1].commands == [b"a", b"b"]


def test_7_a_log_that_is_all_snapshot_still_has_a_last_entry_for_elections(group: Callable[..., HandGroup]) -> None:
    nodes = compacted(group)
    nodes.crash(1)
    nodes.restart(1)
    nodes.campaign(3)
    nodes.stabilize()
    assert nodes.node(3).role is not Role.LEADER
    nodes.campaign(1)
    requests = of_kind([flight.message for flight in nodes.flights], VoteRequest)
    assert {request.last for request in requests} == {entry_id(4, 1)}


# ---------------------------------------------------------------- sent


def test_7_a_follower_that_needs_what_is_not_kept_gets_the_snapshot(group: Callable[..., HandGroup]) -> None:
    nodes = compacted(group)
    beat(nodes, 3)
    assert nodes.members[3].commands == [b"aa", b"bb", b"cc"]
    assert nodes.members[3].log.first_index == 5


def test_7_after_the_snapshot_the_follower_gets_the_entries_behind_it(group: Callable[..., HandGroup]) -> None:
    nodes = compacted(group)
    nodes.propose(1, b"dd")
    beat(nodes, 4)
    assert nodes.members[3].commands == [b"aa", b"bb", b"cc", b"dd"]


def test_7_a_follower_that_needs_only_what_is_kept_gets_entries(group: Callable[..., HandGroup]) -> None:
    nodes = compacted(group)
    nodes.propose(1, b"dd")
    kinds = {type(flight.message) for flight in nodes.flights if flight.message.to == 2}
    assert kinds == {AppendRequest}


def test_7_a_snapshot_is_sent_in_chunks_and_put_together_in_order(group: Callable[..., HandGroup]) -> None:
    nodes = compacted(group, chunk_bytes_max=3)
    sizes = []
    for _ in range(3):
        nodes.tick(1, 2)
        while nodes.flights:
            message = nodes.flights[0].message
            if isinstance(message, SnapshotRequest):
                sizes.append((message.at, len(message.data)))
            nodes.deliver(f"{message.sender}>{message.to}")
    assert sizes == [(0, 3), (3, 3), (6, 2)]
    assert nodes.members[3].commands == [b"aa", b"bb", b"cc"]


def test_7_chunks_and_answers_that_are_lost_are_sent_again(group: Callable[..., HandGroup]) -> None:
    """Though all heartbeats are answered."""
    nodes = compacted(group, chunk_bytes_max=3)
    dropped = 0
    for _ in range(12):
        nodes.tick(1, 2)
        while nodes.flights:
            message = nodes.flights[0].message
            is_part = isinstance(message, SnapshotRequest | SnapshotReply)
            if is_part and dropped < 3:
                dropped += 1
                nodes.drop(f"{message.sender}>{message.to}")
            else:
                nodes.deliver(f"{message.sender}>{message.to}")
    assert dropped == 3
    assert nodes.members[3].commands == [b"aa", b"bb", b"cc"]


def test_7_a_loss_is_noticed_also_when_the_log_was_compacted_meanwhile(group: Callable[..., HandGroup]) -> None:
    """A heartbeat cannot stand behind an entry that is not kept; then only the snapshot helps."""
    nodes = group(recent_bytes_max=1)
    nodes.campaign(1)
    nodes.stabilize()
    beat(nodes)
    nodes.propose(1, b"aa", b"bb")
    nodes.drop("1>3", which="all")
    nodes.stabilize()
    nodes.snapshot(1)
    assert nodes.members[1].log.first_index == 4
    beat(nodes, 4)
    assert nodes.members[3].commands == [b"aa", b"bb"]


# ---------------------------------------------------------------- received: figure 13


def test_7_figure_13_2_the_first_chunk_begins_a_new_one(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.hear(chunk(4, 1, 0, b"aa", is_last=False), chunk(6, 1, 0, b"bb", is_last=False), chunk(6, 1, 2, b" c", is_last=True))
    assert node.member.commands == [b"bb", b"c"]


def test_7_figure_13_3_chunks_are_taken_in_order_only(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.hear(chunk(4, 1, 2, b"bb", is_last=True))
    assert node.node.commit_index == 0
    node.hear(chunk(4, 1, 0, b"aa", is_last=False), chunk(4, 1, 0, b"aa", is_last=False), chunk(4, 1, 4, b"cc", is_last=True))
    assert node.node.commit_index == 0
    node.hear(chunk(4, 1, 2, b" b", is_last=True))
    assert node.member.commands == [b"aa", b"b"]


def test_7_figure_13_4_the_answer_says_how_much_is_here(lone: Callable[..., Lone]) -> None:
    node = lone()
    [reply] = of_kind(node.hear(chunk(4, 1, 0, b"abc", is_last=False)), SnapshotReply)
    assert (reply.received_bytes, reply.is_installed) == (3, False)


def test_7_figure_13_5_an_older_snapshot_does_not_take_the_place_of_newer_state(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1, 1])
    node.hear(node.append_of(5, entry_id(3, 1), commit=3))
    node.hear(whole(2, 1, b"old"))
    assert b"old" not in node.member.commands
    assert node.node.commit_index == 3
    assert node.terms == [1, 1, 1]


def test_7_figure_13_6_entries_behind_it_stay_when_the_log_holds_its_last_one(lone: Callable[..., Lone]) -> None:
    """They may be acknowledged."""
    node = lone(terms=[1, 1, 1, 1])
    node.hear(whole(2, 1))
    log = node.member.log
    assert log.last_index == 4
    assert node.node.commit_index == 2


def test_7_figure_13_7_the_whole_log_goes_when_it_does_not_hold_the_snapshots_last_entry(lone: Callable[..., Lone]) -> None:
    for terms in ([1], [1, 1, 1, 1]):
        node = lone(terms=terms)
        node.hear(whole(2, 4))
        assert (node.member.log.first_index, node.member.log.last_index) == (3, 2)
        assert node.node.log.last == entry_id(2, 4)


def test_7_figure_13_8_the_state_machine_is_the_snapshots(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1])
    node.hear(whole(3, 2, b"a b"))
    assert (node.member.commands, node.member.applied_index, node.node.commit_index) == ([b"a", b"b"], 3, 3)


def test_7_figure_13_8_the_members_are_the_snapshots(lone: Callable[..., Lone]) -> None:
    node = lone()
    snapshot = Snapshot(entry_id(3, 2), Configuration.of(1, 2, 3, 4, 5))
    node.hear(SnapshotRequest(2, 1, Term(5), snapshot, 0, b"a", is_last=True))
    assert node.node.configuration == Configuration.of(1, 2, 3, 4, 5)


def test_7_a_configuration_in_an_entry_behind_it_stays_in_force(lone: Callable[..., Lone]) -> None:
    """Or goes, with that entry, when the log does not hold the snapshot's last one."""
    for term, expected in ((1, Configuration.of(1, 2)), (4, MEMBERS)):
        node = lone(terms=[1, 1])
        change = Entry(LogIndex(3), Term(5), EntryKind.CONFIGURATION, Configuration.of(1, 2).to_bytes())
        node.hear(node.append_of(5, entry_id(2, 1), [change]))
        assert node.node.configuration == Configuration.of(1, 2)
        node.hear(whole(2, term))
        assert node.node.configuration == expected


def test_7_behind_an_installed_snapshot_the_next_entries_fit(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1])
    node.hear(whole(3, 2))
    [reply] = of_kind(node.hear(node.append_of(5, entry_id(3, 2), [command(4, 5)])), AppendReply)
    assert (reply.is_matching, reply.match_index) == (True, 4)


def test_7_entries_that_a_snapshot_stands_for_are_not_taken_again(lone: Callable[..., Lone]) -> None:
    """A request from before it, which comes late, agrees, whatever of it is not kept any more."""
    node = lone(terms=[1])
    node.hear(whole(3, 2))
    late = node.append_of(5, entry_id(1, 1), [command(2, 2), command(3, 2), command(4, 5)])
    [reply] = of_kind(node.hear(late), AppendReply)
    assert (reply.is_matching, reply.match_index) == (True, 4)
    assert (node.member.log.first_index, node.member.log.last_index) == (4, 4)


def test_7_a_voter_compares_with_the_snapshots_last_entry(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1])
    node.hear(whole(3, 2))
    [no] = of_kind(node.hear(node.request_of(3, 9, entry_id(9, 1))), VoteReply)
    [yes] = of_kind(node.hear(node.request_of(3, 9, entry_id(3, 2))), VoteReply)
    assert (no.is_granted, yes.is_granted) == (False, True)


def test_7_a_snapshot_is_acknowledged_only_when_all_of_it_is_on_disk(raft_class: type[RaftNode]) -> None:
    log = HandLog()
    node = raft_class(1, log, FirstChance(), options=RaftOptions(), configuration=MEMBERS)

    def told(output: Output) -> list[SnapshotReply]:
        later = [message for _, message in output.send_after]
        while log.waiting:
            more = node.saved(log.waiting[0].sequence)
            later += [*more.send, *(message for _, message in more.send_after)]
        return [reply for reply in of_kind([*output.send, *later], SnapshotReply) if reply.is_installed]

    request = whole(3, 2)
    assert told(node.step(request)) == []
    assert told(node.step(request)) == []  # nor when it comes again meanwhile
    [reply] = told(node.snapshot_received(request.snapshot))
    assert (reply.to, reply.last) == (2, entry_id(3, 2))


def test_7_a_crash_between_the_snapshot_and_the_log_behind_it_is_mended_at_the_start(raft_class: type[RaftNode]) -> None:
    log = HandLog()
    log.append(LogIndex(0), [command(1, 1)])
    log.synced(1)
    snapshot = Snapshot(entry_id(3, 2), MEMBERS)
    node = raft_class(1, log, FirstChance(), options=RaftOptions(), configuration=MEMBERS, snapshot=snapshot)
    assert (node.log.last, node.commit_index, log.first_index) == (entry_id(3, 2), 3, 4)
    node.check()
