"""Thesis: section 9.6: pre-vote. A Raft without it is right, too, and disturbs more."""

from collections.abc import Callable

import pytest

from mq.core.ids import EntryId, Term
from mq.raft.messages import AppendRequest, VoteReply, VoteRequest
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from tests.paper.lone import Lone, entry_id, of_kind

START = entry_id(0, 0)


def test_thesis_9_6_nobody_enters_a_new_term_for_a_question(lone: Callable[..., Lone]) -> None:
    node = lone(term=3, has_pre_vote=True)
    asked = of_kind(node.campaign(), VoteRequest)
    assert (node.role, node.node.term) == (Role.PRE_CANDIDATE, 3)
    assert {(request.term, request.is_pre_vote) for request in asked} == {(4, True)}


def test_thesis_9_6_a_voter_that_is_asked_neither_enters_the_term_nor_gives_its_vote(lone: Callable[..., Lone]) -> None:
    node = lone(term=3)
    question = VoteRequest(2, 1, Term(9), START, is_pre_vote=True)
    [reply] = of_kind(node.hear(question), VoteReply)
    assert (reply.is_granted, reply.is_pre_vote, node.node.term, node.node.vote) == (True, True, 3, None)
    [reply] = of_kind(node.hear(VoteRequest(3, 1, Term(9), START, is_pre_vote=True)), VoteReply)
    assert reply.is_granted


def test_thesis_9_6_with_a_majority_of_yes_it_campaigns(lone: Callable[..., Lone]) -> None:
    node = lone(voters=5, has_pre_vote=True)
    node.campaign()
    yes = [VoteReply(voter, 1, Term(1), is_granted=True, is_pre_vote=True) for voter in (2, 3)]
    node.hear(yes[0], yes[0])
    assert node.role is Role.PRE_CANDIDATE
    real = of_kind(node.hear(yes[1]), VoteRequest)
    assert (node.role, node.node.term, node.node.vote) == (Role.CANDIDATE, 1, 1)
    assert {(request.term, request.is_pre_vote) for request in real} == {(1, False)}


def test_thesis_9_6_a_yes_to_the_question_is_no_vote(lone: Callable[..., Lone]) -> None:
    node = lone(voters=5, has_pre_vote=True)
    node.campaign()
    yes = [VoteReply(voter, 1, Term(1), is_granted=True, is_pre_vote=True) for voter in (2, 3, 4, 5)]
    node.hear(*yes)
    assert node.role is Role.CANDIDATE


@pytest.mark.parametrize(("last", "expected"), [(entry_id(2, 1), False), (entry_id(1, 2), True), (entry_id(9, 1), False)])
def test_thesis_9_6_only_who_could_win_gets_a_yes(lone: Callable[..., Lone], last: EntryId, expected: bool) -> None:
    node = lone(terms=[2], term=3)
    [reply] = of_kind(node.hear(VoteRequest(2, 1, Term(4), last, is_pre_vote=True)), VoteReply)
    assert reply.is_granted is expected


@pytest.mark.parametrize(
    ("asked", "candidate", "expected"),
    [(2, 3, False), (3, 2, True), (3, 3, False), (4, 3, True)],
    ids=["an older term", "this term, by whom it voted for", "this term, by another", "the next term"],
)
def test_thesis_9_6_the_answer_is_that_which_a_real_request_would_get(
    lone: Callable[..., Lone], asked: int, candidate: int, expected: bool
) -> None:
    node = lone(term=3, vote=2)
    [reply] = of_kind(node.hear(VoteRequest(candidate, 1, Term(asked), START, is_pre_vote=True)), VoteReply)
    assert (reply.is_granted, reply.term) == (expected, asked if expected else 3)


def test_thesis_9_6_while_the_leader_is_well_the_answer_is_no(lone: Callable[..., Lone]) -> None:
    node = lone(has_check_quorum=True, has_pre_vote=True)
    node.hear(node.append_of(1, leader=3))
    [reply] = of_kind(node.hear(VoteRequest(2, 1, Term(2), START, is_pre_vote=True)), VoteReply)
    assert not reply.is_granted
    node.tick(10)
    [reply] = of_kind(node.hear(VoteRequest(2, 1, Term(2), START, is_pre_vote=True)), VoteReply)
    assert reply.is_granted


def test_thesis_9_6_a_node_that_was_cut_off_does_not_disturb(group: Callable[..., HandGroup]) -> None:
    nodes = group(has_pre_vote=True, has_check_quorum=True)
    nodes.campaign(1)
    nodes.stabilize()
    nodes.isolate(3)
    nodes.tick(3, 100)
    nodes.heal()
    nodes.tick(3, 10)
    nodes.stabilize()
    for _ in range(2):
        nodes.tick(1, 2)
        nodes.stabilize()
    assert [nodes.node(node_id).term for node_id in (1, 2, 3)] == [1, 1, 1]
    assert (nodes.node(1).role, nodes.node(3).leader) == (Role.LEADER, 1)


def test_thesis_9_6_a_no_of_a_later_term_is_learned(lone: Callable[..., Lone]) -> None:
    """Else a node that is behind would ask for a term that others have left."""
    node = lone(has_pre_vote=True)
    node.campaign()
    node.hear(VoteReply(2, 1, Term(7), is_granted=False, is_pre_vote=True))
    assert (node.role, node.node.term) == (Role.FOLLOWER, 7)


def test_thesis_9_6_a_no_to_an_earlier_question_does_not_hide_a_yes_to_this_one(lone: Callable[..., Lone]) -> None:
    """It names no question. Meanwhile the voter's own time-out may have passed."""
    node = lone(voters=5, has_pre_vote=True)
    node.campaign()
    node.campaign()
    node.hear(VoteReply(2, 1, Term(0), is_granted=False, is_pre_vote=True))
    node.hear(*(VoteReply(voter, 1, Term(1), is_granted=True, is_pre_vote=True) for voter in (2, 3)))
    assert (node.role, node.node.term) == (Role.CANDIDATE, 1)


def test_thesis_9_6_a_no_that_comes_after_a_yes_takes_nothing_back(lone: Callable[..., Lone]) -> None:
    node = lone(voters=5, has_pre_vote=True)
    node.campaign()
    node.hear(VoteReply(2, 1, Term(1), is_granted=True, is_pre_vote=True))
    node.hear(VoteReply(2, 1, Term(0), is_granted=False, is_pre_vote=True))
    node.hear(VoteReply(3, 1, Term(1), is_granted=True, is_pre_vote=True))
    assert node.role is Role.CANDIDATE


def test_thesis_9_6_a_yes_to_a_question_about_an_earlier_term_does_not_count(lone: Callable[..., Lone]) -> None:
    """Whoever gave it may have voted since, or follow a leader that is well."""
    node = lone(has_pre_vote=True)
    node.campaign()
    node.hear(node.append_of(3))
    asked = of_kind(node.campaign(), VoteRequest)
    assert {request.term for request in asked} == {4}
    node.hear(*(VoteReply(voter, 1, Term(1), is_granted=True, is_pre_vote=True) for voter in (2, 3)))
    assert (node.role, node.node.term) == (Role.PRE_CANDIDATE, 3)
    node.hear(VoteReply(2, 1, Term(4), is_granted=True, is_pre_vote=True))
    assert (node.role, node.node.term) == (Role.CANDIDATE, 4)


def test_thesis_9_6_a_question_that_hears_a_leader_gives_up(lone: Callable[..., Lone]) -> None:
    node = lone(has_pre_vote=True, term=1)
    node.campaign()
    node.hear(node.append_of(1))
    assert (node.role, node.node.leader) == (Role.FOLLOWER, 2)


def test_thesis_9_6_a_yes_that_comes_when_nobody_asks_any_more_is_ignored(lone: Callable[..., Lone]) -> None:
    node = lone(has_pre_vote=True, term=1)
    node.campaign()
    term = node.node.term
    node.hear(node.append_of(term))
    node.hear(*(VoteReply(voter, 1, Term(term + 1), is_granted=True, is_pre_vote=True) for voter in (2, 3)))
    assert (node.role, node.node.term) == (Role.FOLLOWER, term)


def test_thesis_9_6_a_leader_still_speaks_to_a_node_that_asked(lone: Callable[..., Lone]) -> None:
    node = lone(has_pre_vote=True, has_check_quorum=True)
    node.campaign()
    for voter in (2, 3):
        node.hear(VoteReply(voter, 1, Term(1), is_granted=True, is_pre_vote=True))
    node.hear(node.vote_of(2))
    assert node.role is Role.LEADER
    assert of_kind(node.tick(4), AppendRequest)
