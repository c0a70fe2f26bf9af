"""Paper: Raft, section 5.4: who may lead, and what a leader may count."""

from collections.abc import Callable

import pytest

from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.messages import AppendReply, VoteReply, VoteRequest
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from tests.paper.lone import Lone, command, entry_id, of_kind

UP_TO_DATE = {
    "the same log": ([1, 2], entry_id(2, 2), True),
    "a longer log that ends in the same term": ([1, 2], entry_id(3, 2), True),
    "a shorter log that ends in a later term": ([1, 1, 1], entry_id(1, 2), True),
    "a longer log that ends in an earlier term": ([1, 3], entry_id(9, 2), False),
    "a shorter log that ends in the same term": ([1, 1, 1], entry_id(2, 1), False),
    "no log": ([1], entry_id(0, 0), False),
}


def vote_for(node: Lone, last: EntryId, term: int = 9) -> bool:
    [reply] = of_kind(node.hear(node.request_of(2, term, last)), VoteReply)
    return reply.is_granted


@pytest.mark.parametrize("case", UP_TO_DATE)
def test_5_4_1_a_voter_votes_only_for_a_log_that_is_as_up_to_date_as_its_own(lone: Callable[..., Lone], case: str) -> None:
    """The later last term wins; with the same, the longer log."""
    terms, last, is_granted = UP_TO_DATE[case]
    assert vote_for(lone(terms=terms), last) is is_granted


def test_5_4_1_what_counts_is_the_term_of_the_last_entry_not_the_current_one(lone: Callable[..., Lone]) -> None:
    assert vote_for(lone(terms=[1], term=7), entry_id(1, 1))


def test_5_4_1_a_candidate_names_the_term_of_its_last_entry_not_its_own(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 2], term=7)
    assert {request.last for request in of_kind(node.campaign(), VoteRequest)} == {entry_id(2, 2)}


def test_5_4_1_entries_that_are_not_committed_count_for_the_comparison_too(lone: Callable[..., Lone]) -> None:
    """The voter cannot know whether they are."""
    assert not vote_for(lone(terms=[1, 1]), entry_id(1, 1))


def test_5_4_1_a_refusal_leaves_the_vote_free_for_a_better_log(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1])
    assert not vote_for(node, entry_id(1, 1))
    [reply] = of_kind(node.hear(node.request_of(3, 9, entry_id(2, 1))), VoteReply)
    assert reply.is_granted


def test_5_4_1_a_node_without_a_committed_entry_cannot_win(group: Callable[..., HandGroup]) -> None:
    nodes = group(3)
    nodes.campaign(1)
    nodes.stabilize()
    nodes.isolate(3)
    nodes.propose(1, b"a")
    nodes.stabilize()
    assert nodes.node(1).commit_index == 2
    nodes.heal()
    nodes.crash(1)
    for _ in range(3):
        nodes.campaign(3)
        nodes.stabilize()
        assert nodes.node(3).role is not Role.LEADER


def test_5_4_2_a_leader_does_not_commit_an_entry_of_an_earlier_term_by_counting(lone: Callable[..., Lone]) -> None:
    """Everyone has it; a later leader may still take it away (figure 8)."""
    node = lone(terms=[1, 2])
    node.lead()
    node.hear(node.matched_by(2, 2), node.matched_by(3, 2))
    assert node.node.commit_index == 0


def test_5_4_2_with_an_entry_of_its_own_term_the_earlier_ones_are_committed(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 2])
    node.lead()
    node.hear(node.matched_by(2, 3))
    assert node.node.commit_index == 3


def test_5_4_2_entries_keep_the_term_that_they_were_made_in(group: Callable[..., HandGroup]) -> None:
    nodes = group(3, {1: [1, 2], 2: [1], 3: [1]})
    nodes.campaign(1)
    nodes.stabilize()
    assert [entry.term for entry in nodes.members[3].log.entries(1, 9)] == [1, 2, 3]


def test_5_4_2_figure_8_an_entry_on_a_majority_can_still_be_replaced(group: Callable[..., HandGroup]) -> None:
    """States c and d: had it been applied at c, applying another one there would raise.

    The whole story: `tests/transcripts/figure_8_d.txt`.
    """
    nodes = group(5, {1: [1, 2], 2: [1, 2], 3: [1, 2], 4: [1], 5: [1, 3]})
    nodes.campaign(1)
    nodes.campaign(1)
    nodes.drop("1>5", which="all")
    while nodes.flights:  # c: node 1 leads term 4; entry 2 is on nodes 1, 2 and 3, and no answer tells of entry 3
        nodes.drop("1>*", "append-request", "all")
        for flight in nodes.flights[:1]:
            nodes.deliver(f"{flight.message.sender}>{flight.message.to}")
    assert (nodes.node(1).role, nodes.node(1).term) == (Role.LEADER, 4)
    for follower in (2, 3):
        has_two = AppendReply(follower, 1, Term(4), True, LogIndex(2), LogIndex(0), entry_id(0, 0), 0)
        nodes.members[1].call(lambda node, has_two=has_two: node.step(has_two))  # type: ignore[misc]
    nodes.tick(1, 2)
    nodes.drop("*>*", which="all")
    nodes.crash(1)
    nodes.campaign(5)
    nodes.drop("*>*", which="all")
    nodes.campaign(5)
    nodes.stabilize()  # d: node 5 wins, and entry 2 is another one everywhere
    for _ in range(2):
        nodes.tick(5, 2)
        nodes.stabilize()
    assert [entry.term for entry in nodes.members[2].log.entries(1, 9)] == [1, 3, 5]
    assert nodes.node(2).commit_index == 3


def test_5_4_3_an_entry_that_was_committed_is_never_replaced(lone: Callable[..., Lone]) -> None:
    """A leader that asked for it would break leader completeness, and the node says so."""
    node = lone(terms=[1, 1])
    node.hear(node.append_of(2, entry_id(2, 1), commit=2))
    with pytest.raises(StateError):
        node.hear(node.append_of(3, entry_id(1, 1), [command(2, 3)]))
    assert node.terms == [1, 1]
