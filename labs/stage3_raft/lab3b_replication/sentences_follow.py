"""Ring 1: what a follower takes, answers and commits."""

from collections.abc import Callable
from contextlib import suppress

from labs.stage3_raft.lab3b_replication.bench import TICKS, answer_of, committed, holds, leading
from labs.stage3_raft.lab3b_replication.sentences_reign import sentence
from labs.stage3_raft.lone import NOWHERE, Bench, Lone, command, entry_id, is_in, of_kind
from mq.core.entry import Entry
from mq.core.errors import StateError
from mq.core.ids import EntryId, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, Message, Snapshot, SnapshotRequest
from mq.raft.role import Role

__all__ = ["sentence"]

_5_2, _5_3, _5_4_3, _FIGURE_2 = (
    "Paper: Raft, section 5.2", "Paper: Raft, section 5.3", "Paper: Raft, section 5.4.3", "Paper: Raft, figure 2",
)  # fmt: skip


def _chunk(term: int, leader: int) -> SnapshotRequest:
    """A word of a leader that is no AppendEntries."""
    snapshot = Snapshot(entry_id(9, 1), Configuration.of(1, 2, 3))
    return SnapshotRequest(leader, 1, Term(term), snapshot, 0, b"a", is_last=False)


def _unbroken(node: Lone, *messages: Message) -> list[Message]:
    """It hears what cannot be; that it says so is as good as silence."""
    with suppress(StateError):
        return node.hear(*messages)
    return []


def _said(answer: AppendReply) -> str:
    is_yes = answer.is_matching
    return f"it says {f'yes, up to entry {answer.match_index}' if is_yes else f'no, not behind entry {answer.rejected_index}'}"


# --- whom it follows


@sentence(_5_2)
def whoever_leads_this_term_is_followed_by_a_candidate_too(bench: Bench) -> None:
    node = bench.lone()
    node.campaign()
    node.hear(_chunk(1, leader=3))
    is_in(bench, node, Role.FOLLOWER, 1, because="it campaigned in term 1, and node 3 sends a part of a snapshot as its leader")
    bench.see(node.node.leader == 3, "its leader is node 3", f"it takes node {node.node.leader} for the leader")
    bench.see(node.node.vote == 1, "its vote in term 1 is given: to itself", f"its vote is {node.node.vote}")


@sentence(_5_2)
def each_word_of_the_leader_begins_the_time_out_anew(bench: Bench) -> None:
    node = bench.lone()
    for _ in range(4):
        node.hear(_chunk(1, leader=3))
        node.tick(TICKS - 1)
        is_in(bench, node, Role.FOLLOWER, 1, because=f"every {TICKS - 1} ticks its leader sends a part of a snapshot")


@sentence("Paper: Raft, section 5.3, Leader Append-Only")
def who_leads_takes_nothing_from_another_leader_of_its_term(bench: Bench) -> None:
    node = bench.lone(3, [1])
    node.lead()
    _unbroken(node, node.append_of(2, NOWHERE, [command(1, 2, b"other")], leader=3))
    is_in(bench, node, Role.LEADER, 2, because="node 3 says that it leads term 2, which cannot be")
    holds(bench, node, [1, 2], because="a leader only adds to its log")


# --- what it refuses


_PARTED: tuple[tuple[list[int], EntryId, str], ...] = (
    ([1, 2], entry_id(3, 2), "it has no entry 3"),
    ([], entry_id(2, 1), "it has no entry at all"),
    ([1, 1], entry_id(2, 2), "its entry 2 is of term 1, the leader's of term 2"),
    ([1, 2, 2], entry_id(3, 1), "its entry 3 is of term 2, the leader's of term 1"),
    ([1, 1, 1], entry_id(2, 2), "its entry 2 of 3 is of term 1, the leader's of term 2"),
)


@sentence(_5_3, of=_PARTED)
def what_follows_an_entry_that_it_lacks_is_refused(bench: Bench, one: tuple[list[int], EntryId, str]) -> None:
    terms, previous, why = one
    for entries in ([command(previous.index + 1, 3)], list[Entry]()):
        node = bench.lone(3, terms)
        answer = answer_of(bench, node.hear(node.append_of(3, previous, entries, commit=previous.index)))
        what = "an entry" if entries else "a heartbeat"
        bench.see(not answer.is_matching, f"{why}: {what} behind it is refused", "the answer says that the logs are equal")
        kept = [entry.term for entry in node.member.log.entries(1, len(terms))][: previous.index - 1]
        bench.see(kept == terms[: previous.index - 1], f"what stands before entry {previous.index} stays", f"it has {kept}")
        is_taken = node.member.log.last_index > max(len(terms), previous.index - 1)
        bench.see(not is_taken, "nothing of it is taken", f"its log ends with entry {node.member.log.last_index}")
        committed(bench, node, 0, because="nothing is known to be equal")


@sentence(_5_3, of=_PARTED)
def a_refusal_says_what_was_refused_and_hints_at_an_entry_that_is_there(
    bench: Bench, one: tuple[list[int], EntryId, str]
) -> None:
    terms, previous, why = one
    node = bench.lone(3, terms)
    request = node.append_of(3, previous, [command(previous.index + 1, 3)])._replace(round=7)
    answer = answer_of(bench, node.hear(request))
    bench.see(answer.round == 7, "the answer names the request's round, 7", f"it names round {answer.round}")
    named = answer.rejected_index
    bench.see(named == previous.index, f"{why}: the refusal names entry {previous.index}", f"it names entry {named}")
    hint, own = answer.hint, [NOWHERE, *(entry_id(index, term) for index, term in enumerate(terms, 1))]
    is_there = hint in own and hint.index <= previous.index
    because = f"its entries are of terms {terms}, and what stands behind entry {previous.index} was refused"
    expected = f"{because}: it hints at an entry that is here, {previous.index} or one before it"
    bench.see(is_there, expected, f"it hints at entry {hint.index} of term {hint.term}")


# --- what it takes


@sentence(_5_4_3)
def what_is_committed_is_never_replaced(bench: Bench) -> None:
    node = leading(bench)
    node.group.propose(1, b"a")
    node.hear(node.matched_by(2, 2))
    committed(bench, node, 2, because="it led term 1, and a majority has entry 2")
    _unbroken(node, node.append_of(2, entry_id(1, 1), [command(2, 2)], leader=3))
    holds(bench, node, [1, 1], because="a leader of term 2 that lacks entry 2 cannot be, and is not obeyed")


_TAKEN: tuple[tuple[list[int], EntryId, list[int], list[int], str], ...] = (
    ([], NOWHERE, [1, 1], [1, 1], "the first ones"),
    ([1, 2], entry_id(2, 2), [3, 3], [1, 2, 3, 3], "they follow its last entry"),
    ([1, 1, 1, 1], entry_id(1, 1), [2], [1, 2], "its entry 2 contradicts, and goes with all that follow"),
    ([1, 1, 1, 1], NOWHERE, [1, 1, 2, 2], [1, 1, 2, 2], "entries 1 and 2 are there, entry 3 contradicts"),
    ([1, 1], NOWHERE, [1, 1, 1, 3], [1, 1, 1, 3], "entries 1 and 2 are there, the others are new"),
)


@sentence(_FIGURE_2, of=_TAKEN)
def what_follows_an_entry_that_it_has_is_taken(bench: Bench, one: tuple[list[int], EntryId, list[int], list[int], str]) -> None:
    terms, previous, sent, wanted, why = one
    node = bench.lone(3, terms)
    entries = [command(previous.index + at, term) for at, term in enumerate(sent, 1)]
    answer = answer_of(bench, node.hear(node.append_of(3, previous, entries)._replace(round=7)))
    holds(bench, node, wanted, because=why)
    found = (answer.is_matching, answer.match_index)
    bench.see(found == (True, len(wanted)), f"the answer: the logs are equal up to entry {len(wanted)}", _said(answer))
    bench.see(answer.round == 7, "and names the request's round, 7", f"it names round {answer.round}")
    answer = answer_of(bench, node.hear(node.append_of(9, leader=3)._replace(round=2)), to=3)
    because = "node 3 leads term 9, and each leader counts its own rounds"
    bench.see(answer.round == 2, f"{because}: the answer to its round 2 names round 2", f"it names round {answer.round}")


_LATE: tuple[tuple[int, EntryId, list[int], int], ...] = tuple(
    (leads, previous, sent, match)
    for leads in (1, 2)
    for previous, sent, match in (
        (entry_id(1, 1), [1], 2), (NOWHERE, [1, 1, 1], 3), (entry_id(2, 1), [], 2), (NOWHERE, [], 0),
    )
)  # fmt: skip


@sentence(_FIGURE_2, of=_LATE)
def a_request_that_comes_late_takes_nothing_away(bench: Bench, one: tuple[int, EntryId, list[int], int]) -> None:
    """What is of the leader's own term came from nobody else: who says that it has all of it is right, too."""
    leads, previous, sent, match = one
    node = bench.lone(3, [1, 1, 1, 1])
    entries = [command(previous.index + at, term) for at, term in enumerate(sent, 1)]
    answer = answer_of(bench, node.hear(node.append_of(leads, previous, entries)))
    came = f"a request of term {leads}, of {len(sent)} entries behind entry {previous.index}, came"
    holds(bench, node, [1, 1, 1, 1], because=f"{came}{' late' if leads == 1 else ''}")
    least = f"{came}: the answer says that the logs are equal up to entry {match}, where it ends"
    bench.see(answer.is_matching and answer.match_index >= match, least, _said(answer))
    most = 4 if leads == 1 else match
    there = "4 are here" if leads == 1 else "what follows here is of term 1, and may be another leader's"
    bench.see(answer.match_index <= most, f"{came}: the answer says no more than entry {most}, as {there}", _said(answer))


@sentence("Paper: Raft, section 7")
def what_a_snapshot_stands_for_is_there(bench: Bench) -> None:
    for previous in (NOWHERE, entry_id(1, 1), entry_id(3, 1)):
        node = bench.lone(3, [1, 1, 1])
        node.hear(node.append_of(1, entry_id(3, 1), commit=3))
        node.group.snapshot(1)
        entries = [command(index, 1) for index in range(previous.index + 1, 6)]
        answer = answer_of(bench, node.hear(node.append_of(1, previous, entries)))
        because = f"its snapshot stands for entries 1 to 3; a request came behind entry {previous.index}, with entries up to 5"
        is_at_least_3 = answer.is_matching and answer.match_index >= 3
        bench.see(is_at_least_3, f"{because}: it says that it has 3, or all 5", _said(answer))
        if answer.match_index == 3:  # who says only what is committed here is sent the rest behind that
            answer = answer_of(bench, node.hear(node.append_of(1, entry_id(3, 1), entries[-2:])))
            because += ", and 4 and 5 once more, behind entry 3"
        found = (answer.is_matching, answer.match_index, node.member.log.last_index)
        ends = f"{_said(answer)}, and its log ends with entry {found[-1]}"
        bench.see(found == (True, 5, 5), f"{because}: it takes 4 and 5, and says that it has 5", ends)


# --- what it commits


@sentence(_FIGURE_2)
def it_commits_what_the_leader_has_committed_and_the_request_covers(bench: Bench) -> None:
    node = bench.lone(3, [1, 1, 1, 1])
    node.hear(node.append_of(2, entry_id(1, 1), [command(2, 1)], commit=4))
    committed(bench, node, 2, because="the leader committed 4 entries, and the request shows that 2 of them are here")
    node.hear(node.append_of(2, entry_id(3, 1), commit=4))
    committed(bench, node, 3, because="a heartbeat shows that entry 3 is the leader's")
    node.hear(node.append_of(2, entry_id(3, 1), [command(4, 2)], commit=3))
    committed(bench, node, 3, because="entry 4 is here, and the leader has committed 3 entries")


@sentence(_FIGURE_2)
def the_commit_index_never_falls(bench: Bench) -> None:
    node = bench.lone(3, [1, 1, 1])
    node.hear(node.append_of(2, entry_id(3, 1), commit=3))
    committed(bench, node, 3, because="the leader committed 3 entries, and they are here")
    node.hear(node.append_of(2, entry_id(3, 1), commit=1), node.append_of(2, entry_id(1, 1), commit=3))
    committed(bench, node, 3, because="then a late request came that says 1, and one that covers entry 1 alone")


# --- when it answers


def _again(node: Lone) -> Message:
    return node.append_of(1, NOWHERE, [command(1, 1), command(2, 1)])


def _heartbeat(node: Lone) -> Message:
    return node.append_of(1, entry_id(2, 1))


_OF_A_LATER_TERM = {"a heartbeat": entry_id(1, 1), "a heartbeat that it refuses": entry_id(2, 1)}


@sentence(_FIGURE_2, of=("nothing else", "the same again", "a heartbeat behind it", *_OF_A_LATER_TERM))
def an_answer_waits_for_the_disk(bench: Bench, what: str) -> None:
    more: dict[str, Callable[[Lone], Message]] = {"the same again": _again, "a heartbeat behind it": _heartbeat}
    if what in _OF_A_LATER_TERM:
        _until_its_term_is_saved(bench, what)
        return
    node = bench.lone()
    node.member.is_manual = True
    sent = node.hear(_again(node))
    if what in more:
        sent += node.hear(more[what](node))
    early = [answer for answer in of_kind(sent, AppendReply) if answer.is_matching]
    left = ", ".join(_said(answer) for answer in early)
    bench.see(not early, f"two entries came, and {what}; its disk is at work: no acknowledgement is sent", left)
    answer = answer_of(bench, node.save())
    bench.see(answer.match_index == 2, "its disk is done: it has entry 2", f"the answer says {answer.match_index}")


def _until_its_term_is_saved(bench: Bench, what: str) -> None:
    node = bench.lone(3, [1])
    node.member.is_manual = True
    early = of_kind(node.hear(node.append_of(5, _OF_A_LATER_TERM[what])), AppendReply)
    left = ", ".join(f"{_said(answer)}, in term {answer.term}" for answer in early)
    bench.see(not early, f"{what} of term 5 came, and its disk is at work on that term: no answer is sent that names it", left)
    answer = answer_of(bench, node.save())
    bench.see(answer.term == 5, "its disk is done: the answer names term 5", f"it names term {answer.term}")


@sentence("Paper: Raft, section 5.1")
def a_leader_of_an_earlier_term_is_not_obeyed(bench: Bench) -> None:
    node = bench.lone(3, [1])
    node.hear(node.append_of(4, entry_id(1, 1), [command(2, 4)], leader=3))
    holds(bench, node, [1, 4], because="the leader of term 4 sent entry 2")
    answer = answer_of(bench, node.hear(node.append_of(3, entry_id(1, 1), [command(2, 3), command(3, 3)], commit=3)))
    holds(bench, node, [1, 4], because="a leader of term 3 sent other entries")
    found = (answer.is_matching, answer.term)
    bench.see(found == (False, 4), "and was refused, with term 4", f"{_said(answer)}, in term {answer.term}")
    bench.see(node.node.leader == 3, "its leader is node 3, as before", f"it takes node {node.node.leader} for the leader")


@sentence(_5_2, of=(True, False))
def heartbeats_are_heard(bench: Bench, is_refused: bool) -> None:  # noqa: FBT001 - one of two cases
    node = bench.lone(3, [1])
    previous = entry_id(2, 2) if is_refused else entry_id(1, 1)
    for _ in range(4):
        node.hear(node.append_of(2, previous))
        node.tick(TICKS - 1)
        what = "which it refuses, as it lacks something" if is_refused else "which agree"
        is_in(bench, node, Role.FOLLOWER, 2, because=f"a heartbeat came every {TICKS - 1} ticks, {what}")
