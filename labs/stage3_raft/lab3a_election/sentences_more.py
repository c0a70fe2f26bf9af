"""Ring 1: what the paper says of terms, and the thesis of pre-vote."""

from labs.stage3_raft.lab3a_election.sentences import answer_of, sentence
from labs.stage3_raft.lone import NOWHERE, Bench, Lone, command, entry_id, is_in, of_kind
from mq.core.ids import Term
from mq.raft.messages import AppendReply, AppendRequest, VoteReply, VoteRequest
from mq.raft.role import Role

__all__ = ["SENTENCES"]

_5_1, _9_6, _6 = "Paper: Raft, section 5.1", "Thesis: section 9.6", "Paper: Raft, section 6"
_TICKS = 10


def _question(term: int, *, candidate: int = 2) -> VoteRequest:
    return VoteRequest(candidate, 1, Term(term), NOWHERE, is_pre_vote=True)


def _yes(voter: int, term: int) -> VoteReply:
    return VoteReply(voter, 1, Term(term), is_granted=True, is_pre_vote=True)


# --- terms


@sentence(_5_1, of=(Role.FOLLOWER, Role.CANDIDATE, Role.LEADER))
def a_higher_term_makes_a_follower_of_that_term(bench: Bench, role: Role) -> None:
    for message in (AppendRequest(2, 1, Term(9), NOWHERE, (), 0, 0), VoteRequest(2, 1, Term(9), entry_id(9, 9))):  # type: ignore[arg-type]
        node = bench.lone(3, [1])
        if role is Role.CANDIDATE:
            node.campaign()
        elif role is Role.LEADER:
            node.lead()
        node.hear(message)
        is_in(bench, node, Role.FOLLOWER, 9, because=f"it was a {role} and heard of term 9 in a {type(message).__name__}")


@sentence(_5_1)
def an_answer_of_a_higher_term_makes_a_follower_too(bench: Bench) -> None:
    node = bench.lone()
    node.campaign()
    node.hear(node.vote_of(2, is_granted=False, term=7))
    is_in(bench, node, Role.FOLLOWER, 7, because="node 2 refuses and is in term 7")
    bench.see(node.node.vote is None, "its vote in term 7 is free", f"its vote is {node.node.vote}")


@sentence(_5_1)
def what_an_older_term_asks_is_refused_with_the_own_term(bench: Bench) -> None:
    node = bench.lone(3, [1, 1], term=4)
    reply = answer_of(bench, node.hear(node.request_of(2, 3, entry_id(9, 3))), 2)
    bench.see((reply.is_granted, reply.term) == (False, 4), "a candidate of term 3 is refused, with term 4", reply)
    answers = of_kind(node.hear(node.append_of(3, entry_id(1, 1), [command(2, 3)])), AppendReply)
    said = [(answer.is_matching, answer.term) for answer in answers]
    bench.see(said == [(False, 4)], "a leader of term 3 is refused, with term 4", f"the answers are {said}")
    bench.see(node.node.leader is None, "and is not taken for the leader", f"its leader is node {node.node.leader}")


@sentence("Paper: Raft, section 5.2")
def a_candidate_that_hears_its_terms_leader_follows_it_and_keeps_its_vote(bench: Bench) -> None:
    node = bench.lone()
    node.campaign()
    node.hear(node.append_of(1, leader=3))
    is_in(bench, node, Role.FOLLOWER, 1, because="node 3 leads term 1")
    reply = answer_of(bench, node.hear(node.request_of(2, 1, entry_id(4, 1))), 2)
    bench.see(not reply.is_granted, "it voted for itself in term 1, so node 2 gets no vote", "it got one")


# --- pre-vote


@sentence(_9_6)
def with_pre_vote_nobody_enters_a_term_for_a_question(bench: Bench) -> None:
    node = bench.lone(term=3, has_pre_vote=True)
    asked = of_kind(node.campaign(), VoteRequest)
    is_in(bench, node, Role.PRE_CANDIDATE, 3, because="it only asks")
    said = {(request.to, request.term, request.is_pre_vote) for request in asked}
    bench.see(said == {(2, 4, True), (3, 4, True)}, "it asks 2 and 3 about term 4, as a question", f"it sent {said}")


@sentence(_9_6)
def with_a_majority_of_yes_it_campaigns(bench: Bench) -> None:
    node = bench.lone(5, has_pre_vote=True)
    node.campaign()
    node.hear(_yes(2, 1), _yes(2, 1))
    is_in(bench, node, Role.PRE_CANDIDATE, 0, because="node 2 said yes, twice: that is 2 of 5")
    asked = of_kind(node.hear(_yes(3, 1)), VoteRequest)
    is_in(bench, node, Role.CANDIDATE, 1, because="3 of 5 would vote for it")
    kinds = {(request.term, request.is_pre_vote) for request in asked}
    bench.see(kinds == {(1, False)}, "now it asks for votes in term 1", f"it sent {kinds}")


@sentence(_9_6)
def a_yes_to_the_question_is_no_vote(bench: Bench) -> None:
    node = bench.lone(5, has_pre_vote=True)
    node.campaign()
    node.hear(*(_yes(voter, 1) for voter in (2, 3, 4, 5)))
    is_in(bench, node, Role.CANDIDATE, 1, because="all said yes to the question, and nobody voted yet")


@sentence(_9_6)
def who_is_asked_neither_enters_the_term_nor_gives_its_vote(bench: Bench) -> None:
    node = bench.lone(term=3)
    for candidate in (2, 3):
        reply = answer_of(bench, node.hear(_question(9, candidate=candidate)), candidate)
        so = (reply.is_granted, reply.is_pre_vote, reply.term)
        bench.see(so == (True, True, 9), f"node {candidate} gets a yes for term 9", reply)
    is_in(bench, node, Role.FOLLOWER, 3, because="it was only asked")
    bench.see(node.node.vote is None, "its vote is free", f"its vote is {node.node.vote}")


@sentence(_9_6, of=((2, 3, False), (3, 2, True), (3, 3, False), (4, 3, True)))
def the_answer_is_that_which_a_request_would_get(bench: Bench, one: tuple[int, int, bool]) -> None:
    term, candidate, expected = one
    node = bench.lone(term=3, vote=2)
    reply = answer_of(bench, node.hear(_question(term, candidate=candidate)), candidate)
    because = f"it is in term 3 and voted for node 2; node {candidate} asks about term {term}"
    wanted = (expected, term if expected else 3)
    bench.see((reply.is_granted, reply.term) == wanted, f"{because}: the answer is {wanted}", (reply.is_granted, reply.term))


@sentence(_9_6)
def a_log_that_lacks_something_gets_a_no(bench: Bench) -> None:
    node = bench.lone(3, [1, 1])
    reply = answer_of(bench, node.hear(_question(5)), 2)
    bench.see(not reply.is_granted, "node 2 has no log at all: it could not win", "it got a yes")


@sentence(_9_6)
def a_yes_about_an_earlier_term_does_not_count(bench: Bench) -> None:
    node = bench.lone(has_pre_vote=True)
    node.campaign()
    node.hear(node.append_of(3))
    node.campaign()
    node.hear(_yes(2, 1), _yes(3, 1))
    is_in(bench, node, Role.PRE_CANDIDATE, 3, because="it asks about term 4, and these are answers about term 1")


@sentence(_9_6)
def a_no_takes_no_yes_back(bench: Bench) -> None:
    node = bench.lone(5, has_pre_vote=True)
    node.campaign()
    no = VoteReply(2, 1, Term(0), is_granted=False, is_pre_vote=True)
    node.hear(no, _yes(2, 1), no, _yes(3, 1))
    is_in(bench, node, Role.CANDIDATE, 1, because="nodes 2 and 3 said yes; a no of node 2 was about an earlier question")


# --- a leader that is well


def _hears_a_leader(bench: Bench) -> Lone:
    node = bench.lone(has_pre_vote=True, has_check_quorum=True)
    node.hear(node.append_of(1, leader=3))
    return node


@sentence(_9_6)
def while_its_leader_is_well_the_answer_to_a_question_is_no(bench: Bench) -> None:
    node = _hears_a_leader(bench)
    reply = answer_of(bench, node.hear(_question(2)), 2)
    bench.see(not reply.is_granted, "it has just heard from its leader", "it says yes")
    node.tick(_TICKS)
    reply = answer_of(bench, node.hear(_question(2)), 2)
    bench.see(reply.is_granted, f"its leader was silent for {_TICKS} ticks", "it says no")


@sentence(_6)
def while_its_leader_is_well_a_candidates_term_is_not_entered(bench: Bench) -> None:
    node = _hears_a_leader(bench)
    node.hear(node.request_of(2, 9))
    is_in(bench, node, Role.FOLLOWER, 1, because="a node that does not hear the leader must not end its reign")
    node.hear(node.request_of(2, 9, is_transfer=True))
    is_in(bench, node, Role.FOLLOWER, 9, because="the leader itself asked node 2 to campaign")


@sentence(_6)
def a_leader_without_check_quorum_protects_nobody(bench: Bench) -> None:
    node = bench.lone()
    node.hear(node.append_of(1, leader=3))
    node.hear(node.request_of(2, 9))
    is_in(bench, node, Role.FOLLOWER, 9, because="a leader that nobody hears would be protected for ever")


SENTENCES = tuple(sentence.checks)
