"""Ring 1: a follower collects the chunks of a snapshot. Paper: Raft, figure 13. Whole ones: `sentences_installed`."""

from labs.stage3_raft.lab3d_snapshots.bench import SlowNode, chunk, slow, told
from labs.stage3_raft.lab3d_snapshots.sentences_sent import sentence
from labs.stage3_raft.lone import Bench, entry_id, of_kind
from mq.raft.messages import Message, Snapshot, SnapshotReply, SnapshotRequest
from mq.raft.role import Role

__all__ = ["FIRST", "SECOND", "gave", "installs", "log_is", "sentence"]

_7, _13 = "Paper: Raft, section 7", "Paper: Raft, figure 13"
_TICKS = 10
FIRST, SECOND = chunk(10, 2, 0, b"aa", is_last=False), chunk(10, 2, 2, b" b", is_last=True)
_ALL = chunk(10, 2, 0, b"aa b", is_last=True)


def _part(part: tuple[int, int, bytes]) -> str:
    return f"bytes {part[1]} to {part[1] + len(part[2])} of the snapshot behind entry {part[0]}"


def gave(bench: Bench, node: SlowNode, expected: list[tuple[int, int, bytes]], because: str) -> None:
    """Raises: PromiseBrokenError when its host was to save something else."""
    words, found = (", ".join(map(_part, parts)) or "nothing" for parts in (expected, node.parts))
    bench.see(node.parts == expected, f"{because}: its host is to save {words}", f"it is to save {found}")


def installs(bench: Bench, node: SlowNode, snapshot: Snapshot, because: str) -> list[Message]:
    """All of it is on disk. Raises: PromiseBrokenError when its state does not become the node's."""
    before = len(node.member.installed)
    sent = node.is_received(snapshot)
    index = snapshot.last.index
    expected = f"{because}: the host is to load the snapshot behind entry {index}"
    bench.see(node.member.installed[before:] == [snapshot], expected, "it is not to load it")
    commit = node.node.commit_index
    bench.see(commit == index, f"{because}: all up to entry {index} is committed", f"commit index is {commit}")
    return sent


def log_is(bench: Bench, node: SlowNode, first: int, last: int, because: str) -> None:
    """Raises: PromiseBrokenError when it begins or ends elsewhere."""
    log = node.member.log
    found = (log.first_index, log.last_index)
    expected = f"{because}: the log begins with entry {first} and ends with entry {last}"
    bench.see(found == (first, last), expected, f"it begins with {found[0]} and ends with {found[1]}")


# --- what is older than the own state


def _with_three_entries(bench: Bench) -> SlowNode:
    """Of term 1, all committed."""
    node = slow(bench, [1, 1, 1])
    node.hear(node.append_of(5, entry_id(3, 1), commit=3))
    return node


@sentence(_7, of=(2, 3))
def a_snapshot_of_no_more_than_is_committed_here_is_answered_and_changes_nothing(bench: Bench, index: int) -> None:
    node = _with_three_entries(bench)
    said = of_kind(node.hear(chunk(index, 1, 0, b"old", is_last=True)), SnapshotReply)
    ok = [(reply.to, reply.last, reply.is_installed) for reply in said] == [(2, entry_id(index, 1), True)]
    bench.see(ok, f"3 entries are committed here: what is behind entry {index} is here, and node 2 is told so", told(said))
    gave(bench, node, [], "nothing of it is needed")
    log_is(bench, node, 1, 3, "the snapshot is older than what is here")
    commit = node.node.commit_index
    bench.see(commit == 3, "3 entries are committed, and stay so", f"commit index is {commit}")


@sentence("Paper: Raft, section 5.2")
def a_chunk_is_a_word_of_the_leader(bench: Bench) -> None:
    node = _with_three_entries(bench)
    for _ in range(4):
        node.tick(_TICKS - 1)
        node.hear(chunk(2, 1, 0, b"old", is_last=True))
        words = f"its leader sends a chunk every {_TICKS - 1} ticks: it follows"
        bench.see(node.role is Role.FOLLOWER, words, f"it is a {node.role}")
    node.campaign()
    node.hear(chunk(2, 1, 0, b"old", is_last=True, leader=3, reign=6))
    found = (node.role, node.node.leader)
    expected = "it campaigned in term 6 and hears a chunk of that term's leader: it follows node 3"
    bench.see(found == (Role.FOLLOWER, 3), expected, f"it is a {found[0]}, and its leader is {found[1]}")


# --- chunks


@sentence(_13)
def chunks_go_to_the_disk_as_they_come_and_the_answer_says_how_much_is_here(bench: Bench) -> None:
    node = slow(bench)
    said = of_kind(node.hear(FIRST), SnapshotReply)
    gave(bench, node, [(10, 0, b"aa")], "the first chunk came")
    found = [(reply.to, reply.last, reply.received_bytes, reply.is_installed) for reply in said]
    bench.see(found == [(2, entry_id(10, 2), 2, False)], "node 2 is told that 2 bytes are here", told(said))
    node.hear(SECOND)
    gave(bench, node, [(10, 0, b"aa"), (10, 2, b" b")], "the second one came")
    flags = [part.is_last for part in node.member.parts]
    bench.see(flags == [False, True], "the host is told which one is the last", f"`is_last` was {flags}")
    node = slow(bench)
    node.hear(FIRST, chunk(10, 2, 2, b"", is_last=True))
    gave(bench, node, [(10, 0, b"aa"), (10, 2, b"")], "the second one has no bytes, and says that it is the last")


@sentence(_13)
def a_chunk_that_does_not_fit_behind_what_is_here_is_not_taken(bench: Bench) -> None:
    node = slow(bench)
    said = of_kind(node.hear(SECOND), SnapshotReply)
    gave(bench, node, [], "bytes 2 to 4 came, and none before them")
    found = [reply.received_bytes for reply in said]
    bench.see(found == [0], "node 2 is told that 0 bytes are here", told(said))
    node.hear(FIRST, FIRST)
    gave(bench, node, [(10, 0, b"aa")], "the first chunk came twice")
    node.hear(chunk(10, 2, 4, b"cc", is_last=True))
    gave(bench, node, [(10, 0, b"aa")], "bytes 4 to 6 came, and bytes 2 to 4 are not here")


_OTHERS = (
    (12, 5, 2, 5, "a newer snapshot of this leader"),
    (10, 2, 3, 6, "another leader's snapshot behind the same entry, which may have other bytes"),
    (12, 5, 3, 6, "another leader's newer one"),
    (8, 2, 3, 6, "another leader's older one"),
)


@sentence(_13, of=_OTHERS)
def another_snapshot_begins_anew_and_two_are_never_put_together(bench: Bench, one: tuple[int, int, int, int, str]) -> None:
    index, term, leader, reign, what = one
    node = slow(bench)
    first, second = (
        chunk(index, term, at, data, is_last=at > 0, leader=leader, reign=reign) for at, data in ((0, b"yy"), (2, b"zz"))
    )
    node.hear(FIRST)
    said = of_kind(node.hear(second), SnapshotReply)
    gave(bench, node, [(10, 0, b"aa")], f"the second half of {what} came, and nothing of it is here")
    found = [(reply.to, reply.last, reply.received_bytes, reply.is_installed) for reply in said]
    bench.see(found == [(leader, entry_id(index, term), 0, False)], f"node {leader} is told that 0 bytes are here", told(said))
    node.hear(first, second)
    gave(bench, node, [(10, 0, b"aa"), (index, 0, b"yy"), (index, 2, b"zz")], f"then all of {what} came")


_LATE = (chunk(5, 1, 4, b"zz", is_last=True), chunk(5, 1, 0, b"zz", is_last=True))


@sentence(_7, of=_LATE)
def a_late_chunk_of_an_older_snapshot_does_not_end_a_newer_one(bench: Bench, late: SnapshotRequest) -> None:
    node = slow(bench)
    node.hear(FIRST, late, SECOND)
    because = f"bytes from {late.at} on of this leader's snapshot behind entry 5 came late, between the two chunks"
    gave(bench, node, [(10, 0, b"aa"), (10, 2, b" b")], because)


_MEANWHILE = (*_LATE, chunk(12, 5, 0, b"cc", is_last=True), chunk(12, 5, 0, b"cc", is_last=True, leader=3, reign=6))


@sentence(_7, of=_MEANWHILE)
def while_a_whole_snapshot_is_being_saved_no_other_one_begins(bench: Bench, other: SnapshotRequest) -> None:
    node, index = slow(bench), other.snapshot.last.index
    node.hear(_ALL, other, _ALL)
    what = f"a chunk of node {other.sender}'s snapshot behind entry {index}"
    gave(bench, node, [(10, 0, b"aa b")], f"{what} came while all of the one behind entry 10 was being saved")
    if index > 10:
        installs(bench, node, _ALL.snapshot, "all of it is on disk")
        node.hear(other)
        gave(bench, node, [(10, 0, b"aa b"), (12, 0, b"cc")], f"{what} came again when the other one was saved")
