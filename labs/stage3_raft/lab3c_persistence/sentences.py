"""Ring 1: what has to be on the disk before something is said of it: entries, votes and terms. The rest: `sentences_more`."""

from labs.stage3_raft.lab3c_persistence.bench import (
    acknowledged,
    answered,
    disk_fails,
    save_one,
    says_nothing,
    with_slow_disk,
)
from labs.stage3_raft.lone import Bench, Lone, command, entry_id, of_kind
from labs.stage3_raft.sentences import Sentences
from mq.core.entry import Entry
from mq.core.ids import EntryId, Term
from mq.raft.messages import AppendReply, Snapshot, SnapshotRequest, VoteReply, VoteRequest
from mq.raft.output import Output
from mq.raft.role import Role

__all__ = ["LONG", "sentence"]

sentence = Sentences()

LONG = 40
"""Ticks: longer than any time-out."""
_FIGURE_2, _5_1, _3_8 = (
    "Paper: Raft, figure 2", "Paper: Raft, section 5.1", "Thesis: section 3.8",
)  # fmt: skip


def _is_told(bench: Bench, node: Lone, output: Output, *, because: str) -> None:
    """Raises: PromiseBrokenError."""
    begun, told = ([write.sequence for write in writes] for writes in (node.member.log.waiting, output.saves))
    bench.see(bool(begun), f"{because}: that is written to its log", "nothing was")
    bench.see(begun == told, f"{because}: `Output.saves` holds all that the log planned, {begun}", f"it holds {told}")


# --- what the state machine may have, what needs no disk, and a disk that failed


@sentence(_3_8)
def behind_a_start_nothing_of_its_log_is_applied_before_a_leader_says_what_is_committed(bench: Bench) -> None:
    node = bench.lone(3, [1, 1])
    node.restart()
    node.tick(2)
    applied = node.member.applied_index
    bench.see(applied == 0, "its disk holds 2 entries, and it heard from nobody: none is applied", f"{applied} are")


@sentence("Thesis: section 9.6")
def a_question_promises_nothing_and_needs_no_disk(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(has_pre_vote=True))
    sent = node.campaign()
    if node.role is not Role.PRE_CANDIDATE:  # who does not ask beforehand has a vote to save first
        sent = [*sent, *node.save()]
    asked = sorted({request.to for request in of_kind(sent, VoteRequest)})
    bench.see(asked == [2, 3], "its time-out is over: nodes 2 and 3 are asked", f"those that are asked are {asked or 'none'}")


@sentence(_FIGURE_2)
def a_node_whose_disk_failed_promises_nothing_any_more(bench: Bench) -> None:
    node = bench.lone(3, [1, 1])
    disk_fails(node)
    bench.see(node.role is Role.MUTE, "its disk failed: it is mute", f"it is a {node.role}")
    sent = node.hear(node.append_of(1, entry_id(2, 1)), node.request_of(3, 9, entry_id(9, 8)))
    says_nothing(bench, sent, because="a leader spoke to it, and a candidate asked for its vote")
    says_nothing(bench, node.tick(LONG), because="its time-out is over")


# --- entries


@sentence(_FIGURE_2)
def an_answer_for_which_nothing_has_to_be_written_leaves(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1, 1]))
    for which in ("first", "second"):
        sent = node.hear(node.append_of(1, entry_id(2, 1)))
        got = acknowledged([*sent, *node.save()])
        because = f"the {which} heartbeat stands behind entry 2, which is on its disk"
        bench.see(got == 2, f"{because}: it says so", f"it acknowledges {got}")


@sentence(_FIGURE_2)
def an_answer_that_left_does_not_leave_again_unasked(bench: Bench) -> None:
    node = bench.lone(3, [1, 1])
    node.hear(node.append_of(1, entry_id(2, 1)))
    again = of_kind(node.hear(node.request_of(3, 1)), AppendReply)
    bench.see(
        not again, "the leader has its answer, then a candidate asks: only that is answered", f"{len(again)} more went to it"
    )


@sentence(_FIGURE_2)
def its_host_is_told_of_every_write(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1]))
    _is_told(bench, node, node.node.step(node.append_of(1, entry_id(1, 1), [command(2, 1)])), because="an entry came")
    node = with_slow_disk(bench.lone(3, [1]))
    _is_told(bench, node, node.node.step(node.request_of(2, 1, entry_id(1, 1))), because="it gives its vote")


@sentence(_FIGURE_2)
def entries_are_on_its_disk_before_they_are_acknowledged(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1]))
    got = acknowledged(node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)])))
    bench.see(got < 2, "entry 2 came, and its disk is not done: it does not acknowledge it", f"it acknowledges {got}")
    got = acknowledged(node.save())
    bench.see(got == 2, "its disk is done: it acknowledges entry 2", f"it acknowledges {got}")


@sentence(_FIGURE_2)
def what_is_on_its_way_to_the_disk_is_not_acknowledged_by_a_later_answer(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1]))
    request = node.append_of(1, entry_id(1, 1), [command(2, 1)])
    node.hear(request)
    got = acknowledged(node.hear(request))
    bench.see(got < 2, "entry 2 came again, and its disk is not done: it does not acknowledge it", f"it acknowledges {got}")
    got = acknowledged(node.hear(node.append_of(1, entry_id(2, 1))))
    because = "a heartbeat stands behind entry 2, and its disk is not done"
    bench.see(got < 2, f"{because}: it does not acknowledge it", f"it acknowledges {got}")
    got = acknowledged(node.save())
    bench.see(got == 2, "its disk is done: it acknowledges entry 2", f"it acknowledges {got}")


@sentence(_FIGURE_2)
def an_entry_in_the_place_of_another_is_acknowledged_when_it_is_on_its_disk(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1, 1, 1], term=2))
    request = node.append_of(2, entry_id(1, 1), [command(2, 2)])
    got = acknowledged(node.hear(request))
    because = "entry 2 of term 2 came in the place of that of term 1, and its disk is not done"
    bench.see(got < 2, f"{because}: it does not acknowledge it", f"it acknowledges {got}")
    node.restart()
    bench.see(node.terms == [1, 1, 1], "the power failed first: its log is the old one", f"it has terms {node.terms}")
    got = acknowledged([*node.hear(request), *node.save()])
    node.restart()
    bench.see(got == 2, "entry 2 came again and its disk was done: it acknowledges it", f"it acknowledges {got}")
    bench.see(node.terms == [1, 2], "behind a restart it has it", f"its log has terms {node.terms}")


@sentence(_FIGURE_2)
def no_answer_acknowledges_more_than_its_disk_has_at_that_moment(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1]))
    sent = node.hear(*(node.append_of(1, entry_id(index - 1, 1), [command(index, 1)]) for index in (2, 3, 4)))
    got = acknowledged(sent)
    while node.member.log.waiting:
        durable = node.member.log.durable_index
        because = f"entries 2, 3 and 4 came one by one, and heartbeats behind them; its disk holds {durable} entries"
        bench.see(got <= durable, f"{because}: it acknowledges no more", f"it acknowledges {got}")
        got = max(got, acknowledged(save_one(node)), acknowledged(node.hear(node.append_of(1, entry_id(4, 1)))))
    bench.see(got == 4, "all is written: it acknowledges entry 4", f"it acknowledges {got}")


@sentence("Thesis: section 10.2.1")
def what_is_committed_is_applied_when_the_own_disk_has_it(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1]))
    node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1, b"a"), command(3, 1, b"b")], commit=2))
    applied = node.member.applied_index
    bench.see(applied <= 1, "entry 2 is committed, its own disk has only entry 1: it applies no more", f"it applied {applied}")
    node.save()
    applied = node.member.applied_index
    bench.see(applied == 2, "its disk has entries 2 and 3, and 2 is committed: it applied 2", f"it applied {applied}")
    node.hear(node.append_of(1, entry_id(3, 1), [command(4, 1, b"c")], commit=3))
    applied = node.member.applied_index
    because = "3 is committed, and on its disk, which is at work on entry 4"
    bench.see(applied == 3, f"{because}: it applied 3", f"it applied {applied}")
    _applies_what_its_snapshot_stands_for(bench)


def _applies_what_its_snapshot_stands_for(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(term=1))
    node.hear(node.append_of(1, entries=[command(1, 1, b"a"), command(2, 1, b"b"), command(3, 1, b"c")]))
    node.hear(_chunk(node, 1, entry_id(2, 1), b"a b", is_last=True))
    found = node.node.view().apply_to
    because = "a snapshot that stands for entries 1 and 2 is on its disk, which is at work on the entries themselves"
    bench.see(found == 2, f"{because}: `apply_to` is 2", f"it is {found}")


def _chunk(node: Lone, term: int, last: EntryId, data: bytes, *, is_last: bool) -> SnapshotRequest:
    """Node 2, which leads that term, sends the first bytes of a snapshot."""
    return SnapshotRequest(2, 1, Term(term), Snapshot(last, node.group.configuration), 0, data, is_last)


# --- votes


@sentence(_FIGURE_2)
def a_vote_is_on_its_disk_before_it_is_given(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(term=3))
    sent = of_kind(node.hear(node.request_of(2, 3)), VoteReply)
    bench.see(not any(reply.is_granted for reply in sent), "its disk is not done: no vote left", "it gave its vote")
    reply = answered(bench, node.save(), 2)
    bench.see(reply.is_granted, "its disk is done: node 2 gets the vote", "node 2 is refused")
    node.restart()
    reply = answered(bench, [*node.hear(node.request_of(3, 3)), *node.save()], 3)
    bench.see(not reply.is_granted, "behind a restart node 3 is refused in term 3", "node 3 got a vote, too")
    reply = answered(bench, [*node.hear(node.request_of(2, 3)), *node.save()], 2)
    bench.see(reply.is_granted, "node 2 asks again: it has the vote", "it is refused")


@sentence(_FIGURE_2, of=([], [command(1, 3)]))
def a_leader_that_it_finds_does_not_free_its_vote(bench: Bench, entries: list[Entry]) -> None:
    node = bench.lone(term=3)
    node.hear(node.request_of(2, 3), node.append_of(3, entries=entries, leader=3))
    node.restart()
    vote = node.node.vote
    found = "it knows of no vote" if vote is None else f"it is node {vote}'s"
    then = "then it took an entry of node 3, which led" if entries else "then node 3 led"
    bench.see(vote == 2, f"it voted for node 2, {then}: behind a restart its vote in term 3 is node 2's", found)


@sentence(_3_8)
def what_is_on_its_disk_is_not_written_again(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(term=3))
    node.hear(node.request_of(2, 3))
    node.save()
    node.hear(node.request_of(2, 3), node.append_of(3), node.append_of(3))
    writes = len(node.member.log.waiting)
    bench.see(not writes, "its term and vote are on its disk, a request comes again, then heartbeats: no write", f"{writes} wait")
    node.hear(node.append_of(3, entries=[command(1, 3)]))
    states = [write.hard_state for write in node.member.log.waiting if write.hard_state is not None]
    expected = "its term and vote are on its disk, and an entry comes: that alone is written"
    bench.see(not states, expected, f"term and vote are written once more: {states}")


# --- terms


@sentence(_FIGURE_2)
def a_term_is_on_its_disk_before_an_answer_names_it(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1, 1]))
    sent = node.hear(node.request_of(2, 8, entry_id(1, 1)))
    named = [reply.term for reply in of_kind(sent, VoteReply) if reply.term == 8]
    bench.see(not named, "it heard of term 8, and its disk is not done: no answer names it", f"{len(named)} did")
    reply = answered(bench, node.save(), 2)
    so = (reply.term, reply.is_granted)
    bench.see(so == (8, False), "its disk is done: the poorer log is refused, with term 8", so)
    node.restart()
    bench.see(node.node.term == 8, "behind a restart it is in term 8", f"it is in term {node.node.term}")
    for what in ("entries behind entry 9, which it does not have,", "the first bytes of a snapshot"):
        node = with_slow_disk(bench.lone(3, [1, 1]))
        is_chunk = what.endswith("snapshot")
        early = node.hear(_chunk(node, 8, entry_id(9, 7), b"a", is_last=False) if is_chunk else node.append_of(8, entry_id(9, 7)))
        of_8 = [answer for answer in early if answer.term == 8]
        because = f"a leader of term 8 sends {what} and its own disk is not done"
        bench.see(not of_8, f"{because}: no answer names term 8", f"{len(of_8)} did")
        terms = [answer.term for answer in node.save()]
        expected = "its disk is done: the leader is answered, with term 8"
        bench.see(8 in terms, expected, f"the answers are of terms {terms or 'none'}")


@sentence(_5_1)
def behind_a_restart_an_older_leader_is_refused_with_the_term_that_it_knew(bench: Bench) -> None:
    node = bench.lone()
    node.hear(node.append_of(7))
    node.restart()
    answers = of_kind(node.hear(node.append_of(6, leader=3)), AppendReply)
    said = {(answer.term, answer.is_matching) for answer in answers}
    bench.see(
        said == {(7, False)}, "it knew of term 7, a leader of term 6 is refused with 7", f"the answers are {said or 'none'}"
    )
    bench.see(node.node.term == 7, "and it stays in term 7", f"it is in term {node.node.term}")


@sentence(_5_1)
def a_term_that_it_heard_of_in_an_answer_is_kept_as_well(bench: Bench) -> None:
    node = bench.lone(term=2)
    node.hear(node.vote_of(2, is_granted=False, term=7))
    node.restart()
    bench.see(node.node.term == 7, "node 2's answer was of term 7: behind a restart it is in 7", f"it is in {node.node.term}")


@sentence(_FIGURE_2)
def in_a_new_term_the_vote_is_free_also_behind_a_restart(bench: Bench) -> None:
    node = bench.lone(term=3, vote=2)
    node.hear(node.append_of(4, leader=3))
    node.restart()
    kept = (node.node.term, node.node.vote)
    bench.see(kept == (4, None), "it voted in term 3 and heard of term 4: there its vote is free", f"term and vote are {kept}")
    reply = answered(bench, node.hear(node.request_of(3, 4)), 3)
    bench.see(reply.is_granted, "so node 3 gets it", "node 3 is refused")


@sentence(_FIGURE_2, of=(0, 1, 2, 3))
def no_entry_is_on_its_disk_without_its_term(bench: Bench, writes: int) -> None:
    node = with_slow_disk(bench.lone(3, [1]))
    node.hear(node.append_of(5, entry_id(1, 1), [command(2, 5)]))
    for _ in range(writes):
        save_one(node)
    node.restart()
    term, last = node.node.term, node.terms[-1]
    because = f"the power failed when {writes} of its writes were done, its last entry is of term {last}"
    bench.see(term >= last, f"{because}: it is in no earlier term", f"it is in term {term}")
