"""Ring 1: what a voter answers. First to the question of pre-vote, which changes nothing; then to a request, which does."""

from labs.stage3_raft.lab3a_election.sentences import TICKS, answer_of, hears_a_leader, sentence
from labs.stage3_raft.lone import NOWHERE, Bench, Lone, entry_id, is_in, of_kind
from mq.core.ids import EntryId, Term
from mq.raft.messages import VoteReply, VoteRequest
from mq.raft.role import Role

__all__ = ["sentence"]

_5_2, _5_4_1 = "Paper: Raft, section 5.2", "Paper: Raft, section 5.4.1"
_6, _9_6 = "Paper: Raft, section 6", "Thesis: section 9.6"
_WORDS = ("no", "yes")


def _question(term: int, last: EntryId = NOWHERE, *, candidate: int = 2) -> VoteRequest:
    return VoteRequest(candidate, 1, Term(term), last, is_pre_vote=True)


def _votes(bench: Bench, node: Lone, request: VoteRequest, *, expected: bool, because: str) -> None:
    reply = answer_of(bench, node.hear(request), request.sender)
    bench.see(reply.is_granted == expected, f"{because}: the answer is {_WORDS[expected]}", f"it is {_WORDS[reply.is_granted]}")


def _answers_question(bench: Bench, node: Lone, question: VoteRequest, *, expected: bool, because: str) -> None:
    """A no with a later term than its own would take who asked into that term."""
    term = question.term if expected else node.node.term
    reply = answer_of(bench, node.hear(question), question.sender)
    wanted, found = (expected, term), (reply.is_granted, reply.term)
    bench.see(found == wanted, f"{because}: the answer is {_said(*wanted)}", f"it is {_said(*found)}")


def _said(is_granted: bool, term: int) -> str:  # noqa: FBT001 - what was said
    return f"{_WORDS[is_granted]}, term {term}"


def _answers(count: int) -> str:
    return "1 answer was" if count == 1 else f"{count} answers were"


# --- the question


@sentence(_9_6)
def a_question_about_an_earlier_term_gets_a_no_with_the_own_term(bench: Bench) -> None:
    node = bench.lone(term=3, has_pre_vote=True)
    reply = answer_of(bench, node.hear(_question(2)), 2)
    found = (reply.is_granted, reply.is_pre_vote, reply.term)
    bench.see(found == (False, True, 3), "it is in term 3: a no that says so, as an answer to a question", reply)


_LOGS: tuple[tuple[list[int], EntryId, bool, str], ...] = (
    ([1, 2], entry_id(2, 2), True, "the same log"),
    ([1, 2], entry_id(3, 2), True, "a longer log that ends in the same term"),
    ([1, 1, 1], entry_id(1, 2), True, "a shorter log that ends in a later term"),
    ([1, 3], entry_id(9, 2), False, "a longer log that ends in an earlier term"),
    ([1, 1, 1], entry_id(2, 1), False, "a shorter log that ends in the same term"),
    ([1], NOWHERE, False, "no log"),
    ([1] * 9, entry_id(8, 1), False, "a log that lacks the last of many entries"),
    ([1] * 9, entry_id(1, 2), True, "a much shorter log that ends in a later term"),
)


@sentence(_5_4_1, of=_LOGS)
def who_asks_could_win_only_with_a_log_that_lacks_nothing(bench: Bench, one: tuple[list[int], EntryId, bool, str]) -> None:
    terms, last, expected, what = one
    node = bench.lone(3, terms, has_pre_vote=True)
    because = f"its log has terms {terms}, and who asks about term 9 has {what}"
    _answers_question(bench, node, _question(9, last), expected=expected, because=because)


@sentence(_9_6)
def who_is_asked_neither_enters_the_term_nor_gives_its_vote(bench: Bench) -> None:
    node = bench.lone(term=3, has_pre_vote=True)
    for candidate in (2, 3):
        reply = answer_of(bench, node.hear(_question(9, candidate=candidate)), candidate)
        so = (reply.is_granted, reply.is_pre_vote, reply.term)
        bench.see(so == (True, True, 9), f"node {candidate} gets a yes for term 9", reply)
    is_in(bench, node, Role.FOLLOWER, 3, because="it was only asked")
    bench.see(node.node.vote is None, "its vote is free", f"its vote is {node.node.vote}")


@sentence(_9_6)
def while_its_leader_is_well_the_answer_to_a_question_is_no(bench: Bench) -> None:
    node = hears_a_leader(bench, has_pre_vote=True, has_check_quorum=True)
    _answers_question(bench, node, _question(2), expected=False, because="it has just heard from its leader")
    node.tick(TICKS - 1)
    because = f"its leader was silent for {TICKS - 1} ticks of {TICKS}"
    _answers_question(bench, node, _question(2), expected=False, because=because)


@sentence(_9_6, of=((2, 3, False), (3, 2, True), (3, 3, False), (4, 3, True)))
def the_answer_is_that_which_a_request_would_get(bench: Bench, one: tuple[int, int, bool]) -> None:
    term, candidate, expected = one
    node = bench.lone(term=3, vote=2, has_pre_vote=True)
    reply = answer_of(bench, node.hear(_question(term, candidate=candidate)), candidate)
    because = f"it is in term 3 and voted for node 2; node {candidate} asks about term {term}"
    wanted, found = ((expected, term if expected else 3), (reply.is_granted, reply.term))
    bench.see(found == wanted, f"{because}: the answer is {_said(*wanted)}", f"it is {_said(*found)}")


# --- the vote


@sentence(_5_4_1, of=_LOGS)
def a_vote_is_given_only_to_a_log_that_lacks_nothing(bench: Bench, one: tuple[list[int], EntryId, bool, str]) -> None:
    terms, last, expected, what = one
    for is_transfer in (False, True):
        node = bench.lone(3, terms)
        asked = ", and campaigns because the leader asked for it" if is_transfer else ""
        because = f"its log has terms {terms}, the candidate has {what}{asked}"
        _votes(bench, node, node.request_of(2, 9, last, is_transfer=is_transfer), expected=expected, because=because)


@sentence(_5_4_1)
def what_counts_is_the_term_of_the_last_entry_and_not_the_current_one(bench: Bench) -> None:
    node = bench.lone(3, [1], term=7)
    _votes(bench, node, node.request_of(2, 9, entry_id(1, 1)), expected=True, because="both logs end with entry 1 of term 1")


@sentence(_5_2)
def one_vote_a_term_first_come_first_served(bench: Bench) -> None:
    node = bench.lone()
    _votes(bench, node, node.request_of(3, 1), expected=True, because="node 3 asks first")
    _votes(bench, node, node.request_of(2, 1), expected=False, because="node 3 has its vote in term 1")
    handed = "node 3 has its vote in term 1, whoever asked node 2 to campaign"
    _votes(bench, node, node.request_of(2, 1, is_transfer=True), expected=False, because=handed)
    _votes(bench, node, node.request_of(2, 2), expected=True, because="in term 2 its vote is free again")
    node = bench.lone(voters=(1, 2), learners=(3,))
    promoted = "node 3 is a learner as far as it knows, and may be a voter to those who know more"
    _votes(bench, node, node.request_of(3, 1), expected=True, because=promoted)


@sentence(_5_2)
def the_same_candidate_gets_the_same_answer_again(bench: Bench) -> None:
    node = bench.lone()
    _votes(bench, node, node.request_of(3, 1), expected=True, because="node 3 asks first")
    _votes(bench, node, node.request_of(3, 1), expected=True, because="node 3 asks again: the answer may have been lost")


@sentence("Paper: Raft, figure 2", of=(None, 4))
def term_and_vote_are_on_the_disk_before_an_answer_rests_on_them(bench: Bench, leader: int | None) -> None:
    _keeps_its_term(bench)
    node = bench.lone(4)
    if leader is None:
        node.member.is_manual = True
        sent = of_kind(node.hear(node.request_of(3, 1)), VoteReply)
        bench.see(not sent, "its disk is not done: no answer was sent yet", f"{_answers(len(sent))} sent")
        answer_of(bench, node.save(), 3)
    elif not _gives_its_vote_under(bench, node, leader):
        return
    node.restart()
    _votes(bench, node, node.request_of(2, 1), expected=False, because="behind a restart it still knows that node 3 has its vote")


def _keeps_its_term(bench: Bench) -> None:
    """A refusal rests on the term that it names."""
    node = bench.lone(3, [1])
    node.member.is_manual = True
    early = [reply for reply in of_kind(node.hear(node.request_of(3, 9)), VoteReply) if reply.term == 9]
    why = "a candidate of term 9 lacks an entry, and its own disk is not done"
    bench.see(not early, f"{why}: no refusal names term 9 yet", f"{_answers(len(early))} sent")
    reply = answer_of(bench, node.save(), 3)
    bench.see((reply.is_granted, reply.term) == (False, 9), "its disk is done: the candidate is refused, with term 9", reply)


def _gives_its_vote_under(bench: Bench, node: Lone, leader: int) -> bool:
    """It follows the leader of term 1, and node 3 asks for its vote in that term: yes and no are right, as node 3 cannot win."""
    node.hear(node.append_of(1, leader=leader))
    node.member.is_manual = True
    early = [reply for reply in of_kind(node.hear(node.request_of(3, 1)), VoteReply) if reply.is_granted]
    why = f"its vote in term 1 is free, and node {leader} leads that term; node 3 asks for the vote"
    bench.see(not early, f"{why}: no yes is sent before the disk is done", "one was: a loss of power makes the vote free again")
    return any(reply.is_granted for reply in of_kind(node.save(), VoteReply))


@sentence(_5_2)
def a_vote_that_it_gave_begins_the_time_out_anew(bench: Bench) -> None:
    node = bench.lone(3, [1, 1])
    node.tick(TICKS - 1)
    node.hear(node.request_of(2, 2, entry_id(2, 1)))
    node.tick(TICKS - 1)
    is_in(bench, node, Role.FOLLOWER, 2, because=f"it gave its vote {TICKS - 1} ticks ago")


@sentence(_6)
def a_campaign_that_the_leader_asked_for_needs_no_protection(bench: Bench) -> None:
    node = hears_a_leader(bench, has_check_quorum=True)
    node.hear(node.request_of(2, 9, is_transfer=True))
    is_in(bench, node, Role.FOLLOWER, 9, because="the leader itself asked node 2 to campaign")


@sentence(_6)
def without_check_quorum_nobody_protects_a_leader(bench: Bench) -> None:
    node = hears_a_leader(bench)
    node.hear(node.request_of(2, 9))
    is_in(bench, node, Role.FOLLOWER, 9, because="it heard of its leader just now, check-quorum is off, and node 2 campaigns")
