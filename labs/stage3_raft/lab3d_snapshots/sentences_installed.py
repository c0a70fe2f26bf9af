"""Ring 1: a snapshot that is whole takes the place of the state, and what goes wrong on the way. Paper: Raft, figure 13."""

from labs.stage3_raft.lab3d_snapshots.bench import MEMBERS, chunk, moved, slow, told, with_compacted_log
from labs.stage3_raft.lab3d_snapshots.sentences import new_snapshot, votes
from labs.stage3_raft.lab3d_snapshots.sentences_received import FIRST, SECOND, gave, installs, log_is, sentence
from labs.stage3_raft.lone import Bench, command, entry_id, of_kind
from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, Message, Snapshot, SnapshotReply, SnapshotRequest

__all__ = ["SENTENCES"]

_7, _13 = "Paper: Raft, section 7", "Paper: Raft, figure 13"


def _says_installed(sent: list[Message]) -> list[SnapshotReply]:
    return [reply for reply in of_kind(sent, SnapshotReply) if reply.is_installed]


# --- on disk


@sentence(_13)
def a_snapshot_on_disk_takes_the_place_of_the_state_and_what_is_behind_it_stays_in_the_log(bench: Bench) -> None:
    node = slow(bench, [1, 1, 1, 1])
    request = chunk(2, 1, 0, b"a b", is_last=True)
    node.hear(request)
    said = _says_installed(installs(bench, node, request.snapshot, "all of it is on disk"))
    log_is(bench, node, 1, 4, "the log holds the snapshot's last entry, so what stands behind that may be acknowledged")
    state = node.member.commands
    bench.see(state == [b"a", b"b"], "the state is the snapshot's: a b", f"it is {node.member.state_text()}")
    bench.see([reply.last for reply in said] == [entry_id(2, 1)], "node 2 is told that it is installed", told(said))


@sentence(_7)
def a_snapshot_is_installed_when_all_of_it_is_on_disk_and_not_when_its_last_chunk_comes(bench: Bench) -> None:
    node = slow(bench, [1, 1, 1, 1])
    request = chunk(2, 1, 0, b"a b", is_last=True)
    for time in ("for the first time", "again"):
        said = _says_installed(node.hear(request))
        bench.see(not said, f"the last chunk came {time}, and its host is saving it: node 2 is told nothing", told(said))
        commit = node.node.commit_index
        bench.see(commit == 0, "nothing is committed by it yet", f"commit index is {commit}")
    said = _says_installed(installs(bench, node, request.snapshot, "all of it is on disk"))
    bench.see(len(said) == 1, "now node 2 is told that it is installed", told(said))


@sentence(_7)
def what_was_committed_meanwhile_stays(bench: Bench) -> None:
    node = slow(bench, [1, 1, 1, 1])
    request = chunk(2, 1, 0, b"old", is_last=True)
    node.hear(request, node.append_of(5, entry_id(4, 1), commit=4))
    sent = node.is_received(request.snapshot)
    because = "while the snapshot behind entry 2 was being saved 4 entries were committed"
    bench.see(not node.member.installed, f"{because}: the host is not to load it", "it is to load it")
    commit = node.node.commit_index
    bench.see(commit == 4, f"{because}, and stay so", f"commit index is {commit}")
    log_is(bench, node, 1, 4, because)
    said = [(reply.to, reply.last) for reply in _says_installed(sent)]
    expected = f"{because}: what the snapshot stands for is here, and node 2, which still leads, is told so"
    bench.see(said == [(2, entry_id(2, 1))], expected, told(sent))
    node.hear(chunk(9, 5, 0, b"new", is_last=True))
    gave(bench, node, [(2, 0, b"old"), (9, 0, b"new")], f"{because}; then a snapshot behind entry 9 came")
    node = slow(bench, [1, 1, 1, 1])
    node.hear(chunk(9, 5, 0, b"new", is_last=False), node.append_of(6, entry_id(4, 1), commit=4, leader=3))
    because = "the first bytes of a snapshot came, then another leader, whose entries fit: 4 are applied"
    node.taken_is_saved(new_snapshot(bench, node, entry_id(4, 1), because))
    log_is(bench, node, 5, 4, f"{because}, and a snapshot of them is on disk")


@sentence("Paper: Raft, figure 13, and section 6")
def the_members_are_those_that_the_snapshot_names(bench: Bench) -> None:
    node, five = slow(bench, [1, 1, 1]), Configuration.of(1, 2, 3, 4, 5)
    snapshot = Snapshot(entry_id(2, 1), five)
    node.hear(SnapshotRequest(2, 1, Term(5), snapshot, 0, b"a", is_last=True))
    installs(bench, node, snapshot, "all of it is on disk")
    found = node.node.configuration
    bench.see(found == five, f"the voters are {five.voters}", f"they are {found.voters}")


@sentence("mq/raft/output.py, and figure 2")
def a_node_whose_disk_failed_installs_nothing(bench: Bench) -> None:
    node = slow(bench, [1, 1])
    request = chunk(2, 1, 0, b"a", is_last=True)
    node.hear(request)
    node.group.disk_fails(1)
    sent = node.is_received(request.snapshot)
    found = (node.member.installed, sent)
    bench.see(found == ([], []), "its disk cannot be trusted: it loads nothing and says nothing", f"it loads and says {found}")


# --- a log that does not hold the snapshot's last entry


@sentence(_13, of=([], [1], [1, 1, 1, 1]))
def a_log_that_does_not_hold_the_snapshots_last_entry_goes(bench: Bench, terms: list[int]) -> None:
    node = slow(bench, terms)
    request = chunk(2, 4, 0, b"a b", is_last=True)
    node.hear(request)
    installs(bench, node, request.snapshot, "all of it is on disk")
    because = f"the log had terms {terms}, and the snapshot ends with entry 2 of term 4"
    log_is(bench, node, 3, 2, because)
    votes(bench, node, entry_id(9, 3), expected=False, because=because)
    votes(bench, node, entry_id(2, 4), expected=True, because=because)
    term = node.node.term
    said = of_kind(node.hear(node.append_of(term, entry_id(2, 4), [command(3, term)])), AppendReply)
    found = [(reply.is_matching, reply.match_index) for reply in said]
    bench.see(found == [(True, 3)], "entry 3 fits behind entry 2 of term 4, and node 2 is told so", told(said))


@sentence(_13, of=((1, Configuration.of(1, 2)), (4, MEMBERS)))
def a_change_of_members_behind_it_stays_or_goes_with_the_log(bench: Bench, one: tuple[int, Configuration]) -> None:
    term, expected = one
    node = slow(bench, [1, 1])
    change = Entry(LogIndex(3), Term(5), EntryKind.CONFIGURATION, Configuration.of(1, 2).to_bytes())
    node.hear(node.append_of(5, entry_id(2, 1), [change]))
    request = chunk(2, term, 0, b"a", is_last=True)
    node.hear(request)
    installs(bench, node, request.snapshot, "all of it is on disk")
    found = node.node.configuration
    because = f"entry 3 behind entry 2 of term 1 made voters 1 and 2; the snapshot ends with entry 2 of term {term}"
    bench.see(found == expected, f"{because}: the voters are {expected.voters}", f"they are {found.voters}")


@sentence("Paper: Raft, figure 2", of=(True, False))
def a_snapshot_is_acknowledged_only_when_the_log_behind_it_is_on_disk_too(bench: Bench, begins_anew: bool) -> None:  # noqa: FBT001
    node = slow(bench, [1] if begins_anew else [1, 1, 1])
    request = chunk(3, 2, 0, b"a", is_last=True) if begins_anew else chunk(2, 1, 0, b"a", is_last=True)
    what = "the log that begins behind the snapshot" if begins_anew else "entry 4, in the log behind the snapshot,"
    node.hear(request)
    node.member.is_manual = True
    if not begins_anew:
        node.hear(node.append_of(5, entry_id(3, 1), [command(4, 5)]))
    said = _says_installed(node.is_received(request.snapshot))
    bench.see(not said, f"{what} is being written: node 2 is told nothing", told(said))
    said = _says_installed(node.save())
    bench.see(len(said) == 1, "it is written: node 2 is told that the snapshot is installed", told(said))
    if not begins_anew:
        _says_what_its_disk_has(bench)


def _says_what_its_disk_has(bench: Bench) -> None:
    """Committed is not yet durable here: of what a snapshot stands for, too."""
    node = slow(bench, [1])
    node.member.is_manual = True
    node.hear(node.append_of(5, entry_id(1, 1), [command(2, 5), command(3, 5)], commit=3))
    said = _says_installed(node.hear(chunk(3, 5, 0, b"a", is_last=True)))
    because = "a snapshot behind entry 3 is not needed, since 3 entries are committed; entries 2 and 3 are being written"
    bench.see(not said, f"{because}: node 2 is told nothing", told(said))
    said = _says_installed(node.save())
    bench.see(bool(said), "they are written: node 2 is told that what the snapshot stands for is here", told(said))


@sentence(_7, of=([1], [1, 1, 1, 1]))
def a_crash_between_the_snapshot_and_the_log_behind_it_is_mended_at_the_start(bench: Bench, terms: list[int]) -> None:
    node = slow(bench, terms)
    request = chunk(2, 4, 0, b"a b", is_last=True)
    node.hear(request)
    node.member.is_manual = True
    installs(bench, node, request.snapshot, "all of it is on disk")
    node.restart()
    node.member.is_manual = False
    node.tick()
    because = f"the power failed before the log behind the snapshot was on disk, where terms {terms} are"
    commit = node.node.commit_index
    bench.see(commit == 2, f"{because}: all up to entry 2 is committed", f"commit index is {commit}")
    log_is(bench, node, 3, 2, because)
    votes(bench, node, entry_id(9, 3), expected=False, because=because)


# --- no room


@sentence(_7, of=((FIRST,), (FIRST, SECOND)))
def what_there_was_no_room_for_begins_anew(bench: Bench, came: tuple[SnapshotRequest, ...]) -> None:
    node = slow(bench)
    node.hear(*came)
    said = of_kind(node.has_no_room(FIRST.snapshot), SnapshotReply)
    bench.see(not _says_installed(list(said)), "there was no room: nothing is installed", told(said))
    node.member.parts.clear()
    said = of_kind(node.hear(SECOND), SnapshotReply)
    found = [(reply.received_bytes, reply.is_installed) for reply in said]
    bench.see(found == [(0, False)], "to the next chunk node 2 is told that 0 bytes are here", told(said))
    node.hear(FIRST, SECOND)
    gave(bench, node, [(10, 0, b"aa"), (10, 2, b" b")], "all of it is sent again")
    installs(bench, node, FIRST.snapshot, "this time there was room")
    bench.see(node.member.commands == [b"aa", b"b"], "the state is the snapshot's: aa b", f"it is {node.member.state_text()}")


@sentence(_7)
def no_room_for_another_snapshot_does_not_touch_this_one(bench: Bench) -> None:
    node = slow(bench)
    older = chunk(5, 1, 0, b"zz", is_last=False)
    node.hear(older, FIRST)
    node.has_no_room(older.snapshot)
    node.hear(SECOND)
    because = "there was no room for the snapshot behind entry 5, and the one behind entry 10 had begun"
    gave(bench, node, [(5, 0, b"zz"), (10, 0, b"aa"), (10, 2, b" b")], because)
    node.has_no_room(FIRST.snapshot)
    node.hear(SECOND)
    gave(bench, node, [(5, 0, b"zz"), (10, 0, b"aa"), (10, 2, b" b")], "there was no room for this one: its end fits nowhere")


# --- a whole group: the leader's part and the follower's


def _goes_well(bench: Bench, because: str, *, lost: int | None = None, times: int = 1) -> None:
    nodes = with_compacted_log(bench)
    sent = moved(bench, nodes, 16, lost=lost, times=times)
    state, first = nodes.members[3].state_text(), nodes.members[3].log.first_index
    bench.see(state == "aa bb cc", f"{because}: node 3 has the state aa bb cc", f"it has {state}")
    bench.see(first == 5, f"{because}: node 3's log begins behind the snapshot, with entry 5", f"it begins with entry {first}")
    large = [request for request in sent if len(request.data) > 3]
    bench.see(not large, "no chunk has more than 3 bytes, as `chunk_bytes_max` says", f"{len(large)} of {len(sent)} had")
    nodes.propose(1, b"dd")
    moved(bench, nodes, 3)
    state = nodes.members[3].state_text()
    bench.see(state == "aa bb cc dd", f"{because}: the next command reaches node 3 as an entry", f"it has {state}")


@sentence(_7)
def a_follower_that_has_nothing_gets_the_snapshot_in_chunks_and_then_entries(bench: Bench) -> None:
    _goes_well(bench, "all chunks came")


@sentence(_7, of=(0, 1, 2, 3, 4, 5, None))
def chunks_and_answers_may_be_lost_or_come_twice(bench: Bench, lost: int | None) -> None:
    if lost is None:
        _goes_well(bench, "each chunk and each answer came twice", times=2)
    else:
        _goes_well(bench, f"number {lost + 1} of the chunks and their answers was lost", lost=lost)


# --- what a log that begins anew must not lose


@sentence("Paper: Raft, figure 2")
def a_log_that_begins_anew_keeps_term_and_vote(bench: Bench) -> None:
    node = slow(bench, [1])
    node.hear(node.request_of(2, 5, entry_id(3, 2)))
    request = chunk(3, 2, 0, b"a", is_last=True)
    node.hear(request)
    installs(bench, node, request.snapshot, "all of it is on disk")
    because = "it voted for node 2 in term 5, then its log began anew behind a snapshot"
    node.restart()
    term, vote = node.node.term, node.node.vote
    found = f"it is in term {term}, and {'knows of no vote' if vote is None else f'its vote is for node {vote}'}"
    bench.see((term, vote) == (5, 2), f"{because}: behind a restart it is in term 5, and its vote is for node 2", found)


SENTENCES = tuple(sentence.checks)
