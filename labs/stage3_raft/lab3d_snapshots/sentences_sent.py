"""Ring 1: a leader sends its snapshot to who needs what is not kept any more, in chunks."""

from typing import Any

from labs.stage3_raft.lab3d_snapshots.bench import SlowNode, slow
from labs.stage3_raft.lab3d_snapshots.sentences import new_snapshot, sentence
from labs.stage3_raft.lone import NOWHERE, Bench, entry_id, of_kind
from mq.core.ids import EntryId, LogIndex
from mq.raft.messages import AppendReply, AppendRequest, Message, SnapshotReply, SnapshotRequest
from mq.raft.output import ChunkWanted
from mq.raft.role import Role

__all__ = ["sentence"]  # numbers go on from one module to the next

_7 = "Paper: Raft, section 7"
_CHUNK_BYTES, _SOON_TICKS = 3, 20
_LAST, _NEWER = entry_id(2, 1), entry_id(3, 1)
"""What the leader's snapshot stands for, and its next one."""


def _leader(bench: Bench, **options: Any) -> SlowNode:
    """Of term 1: node 3 has all, node 2 never answered, and a snapshot took the place of entries 1 and 2."""
    node = slow(bench, recent_bytes_max=1, chunk_bytes_max=_CHUNK_BYTES, **options)
    node.lead()
    node.hear(node.matched_by(3, 1))
    node.group.propose(1, b"aabbcc")
    node.hear(node.matched_by(3, 2))
    node.taken_is_saved(new_snapshot(bench, node, entry_id(2, 1), "2 entries are committed and applied"))
    first = node.member.log.first_index
    bench.see(first == 3, "its snapshot stands for entries 1 and 2: its log begins with entry 3", f"it begins with entry {first}")
    return node


def _next_wanted(
    bench: Bench, node: SlowNode, at: int, because: str, last: EntryId = _LAST, *, clears: bool = True
) -> ChunkWanted:
    """The chunk that it wants for node 2, now or some ticks later. Raises: PromiseBrokenError when it wants none, or another."""
    for _ in range(_SOON_TICKS):
        if node.wanted_for(2):
            break
        node.tick()
        node.hear(node.matched_by(3, 2))
    found = node.wanted_for(2)
    expected = f"{because}: its host is to read the snapshot behind entry {last.index} from byte {at} on, for node 2"
    bench.see(bool(found), expected, f"{_SOON_TICKS} ticks later it is to read nothing for it")
    places = sorted({wanted.at for wanted in found})
    bench.see(len(places) == 1, f"{because}: one chunk is to be read for node 2", f"those from bytes {places} on are")
    wanted = found[-1]
    said = f"it is to read the snapshot behind entry {wanted.snapshot.last.index} from byte {wanted.at} on"
    bench.see((wanted.snapshot.last, wanted.at) == (last, at), expected, said)
    if clears:
        node.member.wanted.clear()
    return wanted


def _none_wanted(bench: Bench, node: SlowNode, because: str) -> None:
    found = [wanted.at for wanted in node.wanted_for(2)]
    bench.see(not found, f"{because}: no chunk is to be read for node 2", f"one is, from byte {found and found[0]} on")


def _received(node: SlowNode, received_bytes: int, *, is_installed: bool = False, last: EntryId = _LAST) -> SnapshotReply:
    """Node 2 answers."""
    return SnapshotReply(2, 1, node.node.term, last, received_bytes, is_installed)


def _sends(bench: Bench, sent: list[Message], at: int, data: bytes, because: str) -> SnapshotRequest:
    """The chunk that went to node 2. Raises: PromiseBrokenError."""
    chunks = [request for request in of_kind(sent, SnapshotRequest) if request.to == 2]
    said = [(request.at, request.data) for request in chunks]
    words = f"{because}: {data!r} is sent to node 2, as the bytes from {at} on"
    bench.see(said == [(at, data)], words, f"what is sent to it is {said or 'nothing'}")
    return chunks[0]


def _lacks_all(node: SlowNode) -> AppendReply:
    """Node 2 refuses entries behind entry 2: it has none."""
    return AppendReply(2, 1, node.node.term, False, LogIndex(0), LogIndex(2), NOWHERE, 0)  # noqa: FBT003


def _nothing_sent(bench: Bench, sent: list[Message], because: str) -> None:
    chunks = [(request.snapshot.last.index, request.at) for request in of_kind(sent, SnapshotRequest) if request.to == 2]
    found = ", ".join(f"one of the snapshot behind entry {index}, from byte {at} on" for index, at in chunks)
    bench.see(not chunks, f"{because}: no chunk is sent to node 2", f"{found} is")


# --- the first chunk


@sentence(_7)
def for_who_needs_what_is_not_kept_the_newest_snapshot_is_read_from_its_start(bench: Bench) -> None:
    node = _leader(bench)
    wanted = _next_wanted(bench, node, 0, "node 2 needs entry 1, which is not kept any more", clears=False)
    so = (wanted.term, wanted.bytes_max)
    bench.see(so == (1, _CHUNK_BYTES), f"it is for term 1, and {_CHUNK_BYTES} bytes at most, as `chunk_bytes_max` says", so)
    found = node.wanted_for(3)
    bench.see(not found, "node 3 needs nothing of the snapshot: no chunk is to be read for it", f"{len(found)} are")


@sentence("Paper: Raft, figure 13")
def what_was_read_is_sent(bench: Bench) -> None:
    node = _leader(bench)
    wanted = _next_wanted(bench, node, 0, "node 2 needs entry 1")
    sent = _sends(bench, node.chunk_is_read(wanted, b"aab", is_last=False), 0, b"aab", "the first 3 bytes were read")
    expected = (1, wanted.snapshot, False)
    found = (sent.term, sent.snapshot, sent.is_last)
    bench.see(found == expected, "it says term 1, which snapshot it is of, and that it is not the last chunk", found)
    sent = _sends(bench, node.chunk_is_read(wanted, b"aa", is_last=True), 0, b"aa", "all of a smaller one was read at once")
    bench.see(sent.is_last, "it says that it is the last chunk", "it does not")
    _sends(
        bench, node.chunk_is_read(wanted, b"", is_last=True), 0, b"", "the snapshot has no bytes, which is not the same as none"
    )


@sentence(_7)
def who_does_not_lead_any_more_sends_no_chunk(bench: Bench) -> None:
    node = _leader(bench)
    wanted = _next_wanted(bench, node, 0, "node 2 needs entry 1")
    node.hear(node.append_of(2, leader=3))
    bench.see(node.role is Role.FOLLOWER, "node 3 leads term 2, and this node follows it", f"it is a {node.role}")
    sent = of_kind(node.chunk_is_read(wanted, b"aab", is_last=False), SnapshotRequest)
    bench.see(not sent, "what it wanted as the leader of term 1 is not sent", f"{len(sent)} chunks are")
    node.campaign()
    node.hear(*(node.vote_of(voter) for voter in node.others))
    sent = of_kind(node.chunk_is_read(wanted, b"aab", is_last=False), SnapshotRequest)
    bench.see(not sent, "nor in its next reign, where it does not know yet what node 2 lacks", f"{len(sent)} chunks are")
    node.hear(_lacks_all(node))
    because = "node 2 says in its next reign that it lacks entry 1"
    anew = _next_wanted(bench, node, 0, because)
    sent = of_kind(node.chunk_is_read(wanted, b"aab", is_last=False), SnapshotRequest)
    bench.see(not sent, f"{because}: of what it wanted as the leader of term 1 nothing is sent", f"{len(sent)} chunks are")
    _sends(bench, node.chunk_is_read(anew, b"aab", is_last=False), 0, b"aab", "what it wanted in this reign was read")


# --- the next ones


def _after_first_chunk(bench: Bench, **options: Any) -> tuple[SlowNode, ChunkWanted]:
    node = _leader(bench, **options)
    wanted = _next_wanted(bench, node, 0, "node 2 needs entry 1")
    _sends(bench, node.chunk_is_read(wanted, b"aab", is_last=False), 0, b"aab", "the first 3 bytes were read")
    return node, wanted


def _takes_a_newer_one(bench: Bench, node: SlowNode) -> None:
    node.group.propose(1, b"dd")
    node.hear(node.matched_by(3, 3))
    node.taken_is_saved(new_snapshot(bench, node, _NEWER, "one more entry is applied"))
    first = node.member.log.first_index
    expected = "its newest snapshot stands for entry 3, while the one before it is being sent: its log begins with entry 4"
    bench.see(first == 4, expected, f"it begins with entry {first}")
    node.member.wanted.clear()


def _sends_a_newer_one(bench: Bench) -> tuple[SlowNode, ChunkWanted]:
    """Node 2 had 3 bytes of the snapshot behind entry 2, which is not there any more; the first chunk of the next is wanted."""
    node, _ = _after_first_chunk(bench)
    node.hear(_received(node, 3))
    wanted = _next_wanted(bench, node, 3, "node 2 has 3 bytes")
    _takes_a_newer_one(bench, node)
    node.chunk_is_read(wanted, None, is_last=False)
    return node, _next_wanted(bench, node, 0, "the snapshot behind entry 2 is not there any more", _NEWER)


@sentence("Paper: Raft, figure 13")
def the_answer_to_a_chunk_brings_the_next_one(bench: Bench) -> None:
    node, _ = _after_first_chunk(bench)
    node.hear(_received(node, 3))
    wanted = _next_wanted(bench, node, 3, "node 2 has 3 bytes")
    sent = _sends(bench, node.chunk_is_read(wanted, b"bcc", is_last=True), 3, b"bcc", "the next 3 bytes were read")
    bench.see(sent.is_last, "it says that it is the last chunk", "it does not")
    node, _ = _after_first_chunk(bench, has_check_quorum=True)
    for _ in range(8):
        node.tick(5)
        node.hear(_received(node, 3))
    because = "node 2 answers about the snapshot every 5 ticks, and node 3 is silent: it hears of a majority"
    bench.see(node.role is Role.LEADER, f"{because}, and leads", f"it is a {node.role}")


@sentence(_7)
def one_chunk_at_a_time_is_on_its_way(bench: Bench) -> None:
    node, _ = _after_first_chunk(bench)
    node.hear(_received(node, 3))
    wanted = _next_wanted(bench, node, 3, "node 2 has 3 bytes")
    _sends(bench, node.chunk_is_read(wanted, b"bcc", is_last=False), 3, b"bcc", "the next 3 bytes were read")
    node.hear(_received(node, 3))
    _none_wanted(bench, node, "the same answer came twice, and the chunk behind it is on its way")
    node, _ = _after_first_chunk(bench)
    again = _next_wanted(bench, node, 0, "nobody answered the first chunk: it may be lost")
    node.hear(_received(node, 3))
    wanted = _next_wanted(bench, node, 3, "it was not, node 2 has 3 bytes")
    sent = node.chunk_is_read(again, b"aab", is_last=False)
    _nothing_sent(bench, sent, "node 2 has the first 3 bytes, which were read once more")
    _sends(bench, node.chunk_is_read(wanted, b"bcc", is_last=True), 3, b"bcc", "the next 3 bytes were read")


@sentence(_7)
def a_follower_that_lost_what_it_had_is_sent_all_of_it_again(bench: Bench) -> None:
    node, _ = _after_first_chunk(bench)
    node.hear(_received(node, 3))
    wanted = _next_wanted(bench, node, 3, "node 2 has 3 bytes")
    node.chunk_is_read(wanted, b"bcc", is_last=True)
    node.hear(_received(node, 0))
    _next_wanted(bench, node, 0, "node 2 had no room, and now has 0 bytes")
    _goes_back(bench)


def _goes_back(bench: Bench) -> None:
    """Its answer that it has nothing was lost, and a chunk came twice: it has 3 bytes, says so each time, and takes no others."""
    node, _ = _after_first_chunk(bench)
    node.hear(_received(node, 6))
    places: set[int] = set()
    for _ in range(4):
        for _ in range(_SOON_TICKS):
            if node.wanted_for(2):
                break
            node.tick()
        found = node.wanted_for(2)
        places = {wanted.at for wanted in found}
        node.member.wanted.clear()
        if found and max(places) <= 3:
            break
        for wanted in found:
            node.chunk_is_read(wanted, b"c", is_last=True)
            node.hear(_received(node, 3))
    expected = "node 2 had 6 bytes, and says again and again that it has 3: bytes from 3 on are read, or all from the start"
    bench.see(bool(places) and max(places) <= 3, expected, f"at last those from byte {places or 'none'} on are")


@sentence(_7)
def an_answer_about_another_snapshot_or_of_a_stranger_moves_nothing(bench: Bench) -> None:
    node, _ = _after_first_chunk(bench)
    node.hear(_received(node, 6, last=entry_id(1, 1)))
    _none_wanted(bench, node, "the answer speaks of 6 bytes of a snapshot behind entry 1, not of this one")
    node.hear(_received(node, 6)._replace(sender=9))
    _none_wanted(bench, node, "node 9 is no member, and says that it has 6 bytes")
    node.hear(_received(node, 3))
    _next_wanted(bench, node, 3, "node 2 has 3 bytes of this one")
    node, newer = _sends_a_newer_one(bench)
    node.chunk_is_read(newer, b"aab", is_last=False)
    node.hear(_received(node, 6, is_installed=True))
    node.member.wanted.clear()
    node.hear(_received(node, 3, last=_NEWER))
    because = "node 2 says, late, that it installed the one behind entry 2; it lacks entry 3, and has 3 bytes of the newer one"
    _next_wanted(bench, node, 3, because, _NEWER)
    node, newer = _sends_a_newer_one(bench)
    node.chunk_is_read(newer, b"aab", is_last=False)
    node.hear(_received(node, 6, is_installed=True))
    node.member.wanted.clear()
    because = "node 2 says, late, that it installed the one behind entry 2, and nobody answers the first chunk of the newer one"
    _next_wanted(bench, node, 0, because, _NEWER)


@sentence(_7)
def when_the_snapshot_is_installed_the_entries_behind_it_follow(bench: Bench) -> None:
    node, _ = _after_first_chunk(bench)
    node.group.propose(1, b"dd")
    sent = node.hear(_received(node, 6, is_installed=True))
    sent += [message for _ in range(4) for message in node.tick()]
    _none_wanted(bench, node, "node 2 has all of the snapshot")
    got = [request for request in of_kind(sent, AppendRequest) if request.to == 2 and request.entries]
    said = [(request.previous, request.entries[0].index) for request in got][:1]
    bench.see(said == [(entry_id(2, 1), 3)], "node 2 gets entry 3, behind entry 2 of term 1", f"it gets {said or 'no entries'}")
    node.hear(_received(node, 3))
    _none_wanted(bench, node, "an answer to an earlier chunk came late")
    node.hear(node.matched_by(2, 3))
    commit = node.node.commit_index
    bench.see(commit == 3, "node 2 and the leader have entry 3: it is committed", f"commit index is {commit}")


# --- what goes wrong


@sentence(_7)
def a_chunk_that_nobody_answers_is_sent_again_some_time_later(bench: Bench) -> None:
    node, _ = _after_first_chunk(bench)
    for _ in range(2):
        wanted = _next_wanted(bench, node, 0, "nobody answered the first chunk: it may be lost")
        _sends(bench, node.chunk_is_read(wanted, b"aab", is_last=False), 0, b"aab", "it was read again")


def _answer_round(node: SlowNode, sent: list[Message]) -> list[Message]:
    """Node 3 answers what it was sent; what comes of that."""
    requests = [request for request in of_kind(sent, AppendRequest) if request.to == 3]
    return node.hear(
        *(AppendReply(3, 1, node.node.term, True, LogIndex(2), LogIndex(0), NOWHERE, request.round) for request in requests)  # noqa: FBT003
    )


@sentence(_7)
def reads_do_not_make_a_chunk_leave_again(bench: Bench) -> None:
    node, _ = _after_first_chunk(bench)
    for context in range(1, 7):
        node.group.flights.clear()
        node.group.read(1)
        sent = [flight.message for flight in node.group.flights]
        while sent:
            sent = _answer_round(node, sent)
        _none_wanted(bench, node, f"{context} reads asked all followers, and no time passed since the chunk left")


@sentence(_7)
def when_that_snapshot_is_gone_the_newest_is_sent_from_its_start(bench: Bench) -> None:
    _sends_a_newer_one(bench)
    node, _ = _after_first_chunk(bench)
    _takes_a_newer_one(bench, node)
    node.hear(_received(node, 3))
    found = {(wanted.snapshot.last, wanted.at) for wanted in node.wanted_for(2)}
    because = "node 2 has 3 bytes of the snapshot behind entry 2, and there is one behind entry 3"
    bench.see((_NEWER, 3) not in found, f"{because}: that one is read from byte 0 on", "it is to be read from byte 3 on")


@sentence(_7, of=(b"aab", None))
def what_is_read_late_of_an_older_snapshot_is_not_sent_and_ends_nothing(bench: Bench, data: bytes | None) -> None:
    node, _ = _after_first_chunk(bench)
    late = _next_wanted(bench, node, 0, "nobody answered the first chunk: it may be lost")
    node.hear(_received(node, 3))
    wanted = _next_wanted(bench, node, 3, "it was not, node 2 has 3 bytes")
    _takes_a_newer_one(bench, node)
    node.chunk_is_read(wanted, None, is_last=False)
    newer = _next_wanted(bench, node, 0, "the snapshot behind entry 2 is not there any more", _NEWER)
    because = (
        "its host is done late with what was wanted of the snapshot behind entry 2, and the one behind entry 3 is being sent"
    )
    _nothing_sent(bench, node.chunk_is_read(late, data, is_last=False), because)
    _none_wanted(bench, node, because)
    _sends(bench, node.chunk_is_read(newer, b"aab", is_last=False), 0, b"aab", "the first 3 bytes of the newer one were read")
    node.hear(_received(node, 3, last=_NEWER))
    _next_wanted(bench, node, 3, "node 2 has 3 bytes of the newer one", _NEWER, clears=False)
    node.member.wanted.clear()
    _nothing_sent(bench, node.chunk_is_read(late, data, is_last=False), because)
    _none_wanted(bench, node, because)


@sentence(_7)
def what_could_not_be_read_is_tried_again_later_and_not_at_once(bench: Bench) -> None:
    node = _leader(bench)
    wanted = _next_wanted(bench, node, 0, "node 2 needs entry 1")
    for _ in range(2):
        sent = of_kind(node.chunk_is_read(wanted, None, is_last=False), SnapshotRequest)
        bench.see(not sent, "nothing was read: nothing is sent", f"{len(sent)} chunks are")
        _none_wanted(bench, node, "the disk did not read it just now, and would be asked without an end")
        wanted = _next_wanted(bench, node, 0, "the disk may read it this time")
    _sends(bench, node.chunk_is_read(wanted, b"aab", is_last=False), 0, b"aab", "now it was read")
