"""Ring 1: who asks before it campaigns."""

from labs.stage3_raft.lab3a_election.sentences import TICKS, answer_of, hears_a_leader
from labs.stage3_raft.lab3a_election.sentences_candidates import sentence
from labs.stage3_raft.lone import NOWHERE, Bench, entry_id, is_in, of_kind
from mq.core.ids import Term
from mq.raft.messages import VoteReply, VoteRequest
from mq.raft.role import Role

__all__ = ["SENTENCES"]

_9_6 = "Thesis: section 9.6"


def _yes(voter: int, term: int) -> VoteReply:
    return VoteReply(voter, 1, Term(term), is_granted=True, is_pre_vote=True)


def _asked(said: set[tuple[int, Term, bool]]) -> str:
    """What was asked, and of whom. said: node, term, whether it is a question."""
    texts = []
    for term, is_question in sorted({(term, is_question) for _, term, is_question in said}):
        to = ", ".join(str(node) for node, *what in sorted(said) if what == [term, is_question])
        texts.append(f"{to} {'about' if is_question else 'for votes in'} term {term}")
    return f"it asked {' and '.join(texts) or 'nobody'}"


@sentence(_9_6)
def with_pre_vote_nobody_enters_a_term_for_a_question(bench: Bench) -> None:
    node = bench.lone(term=3, has_pre_vote=True)
    asked = of_kind(node.campaign(), VoteRequest)
    is_in(bench, node, Role.PRE_CANDIDATE, 3, because="it only asks")
    said = {(request.to, request.term, request.is_pre_vote) for request in asked}
    expected = "it asks nodes 2 and 3 about term 4, as a question"
    bench.see(said == {(2, 4, True), (3, 4, True)}, expected, _asked(said))
    reply = answer_of(bench, node.hear(node.request_of(2, 3)), 2)
    node.hear(VoteRequest(2, 1, Term(4), NOWHERE, is_pre_vote=True))
    is_in(bench, node, Role.PRE_CANDIDATE, 3, because="node 2 asks, too, and a question changes nothing")
    expected = "it gave no vote in term 3, not even to itself: node 2, which campaigns there, gets it"
    bench.see(reply.is_granted, expected, "node 2 is refused")


@sentence(_9_6)
def with_a_majority_of_yes_it_campaigns(bench: Bench) -> None:
    node = bench.lone(5, has_pre_vote=True)
    node.campaign()
    node.hear(_yes(2, 1), _yes(2, 1))
    is_in(bench, node, Role.PRE_CANDIDATE, 0, because="node 2 said yes, twice: that is 2 of 5")
    asked = of_kind(node.hear(_yes(3, 1)), VoteRequest)
    is_in(bench, node, Role.CANDIDATE, 1, because="3 of 5 would vote for it")
    said = {(request.to, request.term, request.is_pre_vote) for request in asked}
    wanted = {(to, 1, False) for to in node.others}
    bench.see(said == wanted, "now it asks nodes 2, 3, 4 and 5 for votes in term 1", _asked(said))
    bench.see(len(asked) == 4, "it asks each of them once", f"it sent {len(asked)} requests")


@sentence(_9_6)
def a_yes_to_the_question_is_no_vote(bench: Bench) -> None:
    node = bench.lone(5, has_pre_vote=True)
    node.campaign()
    node.hear(*(_yes(voter, 1) for voter in (2, 3, 4, 5)))
    is_in(bench, node, Role.CANDIDATE, 1, because="all said yes to the question, and nobody voted yet")
    reply = answer_of(bench, node.hear(VoteRequest(2, 1, Term(2), NOWHERE, is_pre_vote=True)), 2)
    expected = "node 2 asks about term 2, where its vote is free: the answer is yes, of a candidate too"
    bench.see(reply.is_granted, expected, "it is no")


@sentence(_9_6)
def a_yes_about_another_term_does_not_count(bench: Bench) -> None:
    node = bench.lone(has_pre_vote=True)
    node.campaign()
    node.hear(node.append_of(3))
    node.campaign()
    node.hear(_yes(2, 1), _yes(3, 1))
    is_in(bench, node, Role.PRE_CANDIDATE, 3, because="it asks about term 4, and these are answers about term 1")
    node.hear(_yes(2, 9), _yes(3, 9))  # what it asked before the power failed, when it knew of term 8, which was not on its disk
    is_in(bench, node, Role.PRE_CANDIDATE, 3, because="it asks about term 4, and these are answers about term 9")


@sentence(_9_6)
def a_vote_in_the_last_term_is_no_yes_to_a_question_about_the_next(bench: Bench) -> None:
    node = bench.lone(5, has_pre_vote=True)
    node.campaign()
    node.hear(_yes(2, 1), _yes(3, 1), node.vote_of(2, term=1))
    is_in(bench, node, Role.CANDIDATE, 1, because="3 of 5 would vote for it, and 2 of 5 did")
    node.campaign()
    node.hear(_yes(3, 2), node.vote_of(4, term=1))
    because = "it asks about term 2, and only node 3 and itself said yes to that; node 4's vote is of term 1, and late"
    is_in(bench, node, Role.PRE_CANDIDATE, 1, because=because)


@sentence(_9_6)
def a_no_takes_no_yes_back_and_may_tell_of_a_higher_term(bench: Bench) -> None:
    node = bench.lone(5, has_pre_vote=True)
    node.campaign()
    no = VoteReply(2, 1, Term(0), is_granted=False, is_pre_vote=True)
    node.hear(no, _yes(2, 1), no, _yes(3, 1))
    is_in(bench, node, Role.CANDIDATE, 1, because="nodes 2 and 3 said yes; a no of node 2 was about an earlier question")
    node = bench.lone(5, has_pre_vote=True)
    node.campaign()
    node.hear(no._replace(term=Term(7)))
    is_in(bench, node, Role.FOLLOWER, 7, because="it asks about term 1, and node 2, which says no, is in term 7")


@sentence(_9_6)
def who_hears_its_leader_no_more_would_vote_for_another(bench: Bench) -> None:
    for seed in (None, 1, 2, 3, 4, 5):
        node = hears_a_leader(bench, has_pre_vote=True, has_check_quorum=True, seed=seed)
        node.tick(TICKS)
        question = VoteRequest(2, 1, Term(2), NOWHERE, is_pre_vote=True)
        reply = answer_of(bench, node.hear(question), 2)
        what = f"its leader was silent for {TICKS} ticks, which is `election_ticks`"
        drawn = "" if seed is None else ", however long the time-out that it drew for itself"
        bench.see(reply.is_granted, f"{what}: a question gets a yes{drawn}", "it says no")


@sentence("Paper: Raft, section 6")
def a_leader_that_is_well_goes_on_and_says_no(bench: Bench) -> None:
    node = bench.lone(has_pre_vote=True, has_check_quorum=True)
    node.campaign()
    node.hear(_yes(2, 1), _yes(3, 1), node.vote_of(2, term=1))
    is_in(bench, node, Role.LEADER, 1, because="nodes 2 and 3 said yes to its question, and node 2 voted for it")
    reply = answer_of(bench, node.hear(VoteRequest(2, 1, Term(0), NOWHERE, is_pre_vote=True)), 2)
    found = (reply.is_granted, reply.term)
    bench.see(found == (False, 1), "node 2 asks about term 0, in which it is: the answer is no, with term 1", f"it is {found}")
    last = entry_id(9, 1)
    replies = of_kind(node.hear(VoteRequest(2, 1, Term(2), last, is_pre_vote=True)), VoteReply)
    expected = "node 2 asks about term 2: it gets no yes from a leader that is well, which would be one of the two it needs"
    bench.see(not any(reply.is_granted for reply in replies), expected, "it gets one")
    node.hear(node.request_of(2, 2, last))
    is_in(bench, node, Role.LEADER, 1, because="node 2 campaigns in term 2, as it does not hear of the leader, which is well")


@sentence(_9_6)
def who_asks_waits_for_the_answers_before_it_asks_again(bench: Bench) -> None:
    node = bench.lone(has_pre_vote=True)
    asked = [request for request in of_kind(node.tick(5 * TICKS), VoteRequest) if request.to == 2]
    expected = f"nobody answers for {5 * TICKS} ticks, and a time-out has {TICKS} at least: it asks node 2 at most 5 times"
    bench.see(len(asked) <= 5, expected, f"{len(asked)} times")
    node = bench.lone(5, has_pre_vote=True)
    node.campaign()
    node.hear(_yes(2, 1), VoteReply(3, 1, Term(0), is_granted=False, is_pre_vote=True))
    votes = [request for request in of_kind(node.tick(5 * TICKS), VoteRequest) if not request.is_pre_vote]
    expected = "of 5 nodes one said yes and one no, and then all are silent: it campaigns in no term, however long it waits"
    bench.see(not votes and node.node.term == 0, expected, f"it is a {node.role} in term {node.node.term}")


SENTENCES = tuple(sentence.checks)
"""All of ring 1, in order."""
