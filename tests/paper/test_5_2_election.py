"""Paper: Raft, section 5.2: leader election."""

from collections.abc import Callable
from random import Random

import pytest

from mq.raft.configuration import Configuration
from mq.raft.messages import AppendRequest, VoteReply, VoteRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from mq.sim.hand.hand_log import HandLog
from tests.paper.lone import Lone, entry_id, of_kind

NOWHERE = entry_id(0, 0)


def test_5_2_a_follower_campaigns_after_a_silence_and_not_before(lone: Callable[..., Lone]) -> None:
    node = lone()
    assert node.tick(9) == []
    assert node.node.term == 0
    node.tick(30)
    assert node.role is Role.CANDIDATE


def test_5_2_a_word_of_the_leader_keeps_it_a_follower(lone: Callable[..., Lone]) -> None:
    node = lone()
    for _ in range(5):
        node.tick(9)
        node.hear(node.append_of(1))
        assert node.role is Role.FOLLOWER


def test_5_2_a_vote_that_it_gave_keeps_it_a_follower(lone: Callable[..., Lone]) -> None:
    """Figure 2, Followers: without granting vote to candidate."""
    node = lone()
    node.tick(9)
    node.hear(node.request_of(2, 1, NOWHERE))
    node.tick(9)
    assert node.role is Role.FOLLOWER


def test_5_2_a_vote_that_it_refused_does_not(lone: Callable[..., Lone]) -> None:
    """Else a candidate that cannot win could keep those who can from trying."""
    silences = []
    for is_asked in (False, True):
        node = lone(terms=[1, 1])
        node.tick(9)
        if is_asked:
            node.hear(node.request_of(2, 2, entry_id(1, 1)))
        term, silence = node.node.term, 9
        while node.node.term == term:
            node.tick()
            silence += 1
        silences.append(silence)
    assert silences[0] == silences[1]


def test_5_2_a_candidate_raises_its_term_votes_for_itself_and_asks_everyone(lone: Callable[..., Lone]) -> None:
    node = lone(voters=5, terms=[1, 2])
    asked = of_kind(node.campaign(), VoteRequest)
    assert (node.node.term, node.node.vote) == (3, 1)
    assert sorted(request.to for request in asked) == [2, 3, 4, 5]
    assert {(request.term, request.last) for request in asked} == {(3, entry_id(2, 2))}


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4)])
def test_5_2_it_wins_with_the_votes_of_a_majority_its_own_among_them(lone: Callable[..., Lone], voters: int, needed: int) -> None:
    node = lone(voters=voters)
    node.campaign()
    for given, voter in enumerate(node.others(), 1):
        assert node.role is (Role.LEADER if given >= needed else Role.CANDIDATE)
        node.hear(node.vote_of(voter))
    assert node.role is Role.LEADER


def test_5_2_refusals_do_not_count_as_votes(lone: Callable[..., Lone]) -> None:
    node = lone(voters=5)
    node.campaign()
    node.hear(*(node.vote_of(voter, is_granted=False) for voter in node.others()))
    assert node.role is not Role.LEADER


def test_5_2_a_vote_that_comes_twice_is_one_vote(lone: Callable[..., Lone]) -> None:
    node = lone(voters=5)
    node.campaign()
    node.hear(*[node.vote_of(2)] * 3)
    assert node.role is Role.CANDIDATE


def test_5_2_the_votes_of_the_last_campaign_are_gone(lone: Callable[..., Lone]) -> None:
    node = lone(voters=5)
    node.campaign()
    node.hear(node.vote_of(2))
    node.campaign()
    node.hear(node.vote_of(3))
    assert node.role is Role.CANDIDATE


def test_5_2_votes_of_those_who_are_no_voters_do_not_count(lone: Callable[..., Lone]) -> None:
    node = lone(voters=3)
    node.campaign()
    node.hear(VoteReply(8, 1, node.node.term, is_granted=True), VoteReply(9, 1, node.node.term, is_granted=True))
    assert node.role is Role.CANDIDATE


def test_5_2_each_node_votes_for_one_candidate_a_term_first_come_first_served(lone: Callable[..., Lone]) -> None:
    node = lone()
    [first] = of_kind(node.hear(node.request_of(3, 1, NOWHERE)), VoteReply)
    [second] = of_kind(node.hear(node.request_of(2, 1, NOWHERE)), VoteReply)
    assert (first.is_granted, second.is_granted, node.node.vote) == (True, False, 3)


def test_5_2_the_same_candidate_may_ask_twice(lone: Callable[..., Lone]) -> None:
    """The answer may have been lost."""
    node = lone()
    node.hear(node.request_of(3, 1, NOWHERE))
    [again] = of_kind(node.hear(node.request_of(3, 1, NOWHERE)), VoteReply)
    assert again.is_granted


def test_5_2_a_candidate_votes_for_nobody_else(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.campaign()
    [reply] = of_kind(node.hear(node.request_of(2, 1, entry_id(4, 1))), VoteReply)
    assert not reply.is_granted
    assert node.role is Role.CANDIDATE


def test_5_2_a_candidate_that_hears_its_terms_leader_follows_it(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.campaign()
    node.hear(node.append_of(1, leader=3))
    assert (node.role, node.node.leader) == (Role.FOLLOWER, 3)


def test_5_2_a_candidate_that_gives_way_keeps_its_vote_so_that_it_cannot_give_it_again(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.campaign()
    node.hear(node.append_of(1, leader=3))
    [reply] = of_kind(node.hear(node.request_of(2, 1, entry_id(4, 1))), VoteReply)
    assert not reply.is_granted
    assert node.node.vote == 1


def test_5_2_a_candidate_goes_on_when_an_older_leader_speaks(lone: Callable[..., Lone]) -> None:
    node = lone(term=3)
    node.campaign()
    node.hear(node.append_of(3))
    assert (node.role, node.node.term) == (Role.CANDIDATE, 4)


def test_5_2_a_winner_tells_everyone_at_once(lone: Callable[..., Lone]) -> None:
    node = lone(voters=5)
    told = of_kind(node.lead(), AppendRequest)
    assert {request.to for request in told} == {2, 3, 4, 5}


def test_5_2_a_leader_sends_heartbeats_to_all_well_within_an_election_time_out(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.lead()
    for _ in range(3):
        assert {beat.to for beat in of_kind(node.tick(5), AppendRequest)} == {2, 3}


def test_5_2_when_votes_are_split_the_next_term_decides(group: Callable[..., HandGroup]) -> None:
    nodes = group(4)
    nodes.campaign(1)
    nodes.campaign(2)
    nodes.deliver("1>3")
    nodes.deliver("2>4")
    nodes.stabilize()
    assert [nodes.node(node_id).role is Role.LEADER for node_id in (1, 2, 3, 4)] == [False] * 4
    nodes.campaign(2)
    nodes.stabilize()
    assert (nodes.node(2).role, nodes.node(2).term) == (Role.LEADER, 2)


def test_5_2_election_time_outs_are_random(raft_class: type[RaftNode]) -> None:
    """No shorter than the options say, a few times that at most, and not always the same, so that splits are rare and short."""
    options = RaftOptions(has_pre_vote=False)
    node = raft_class(1, HandLog(), Random(7), options=options, configuration=Configuration.of(1, 2, 3))
    spans: list[int] = []
    ticks = 0
    while len(spans) < 60:
        term, ticks = node.term, ticks + 1
        node.tick()
        if node.term > term:
            spans.append(ticks)
            ticks = 0
    assert min(spans) >= options.election_ticks
    assert max(spans) <= 4 * options.election_ticks
    assert len(set(spans)) >= 5


def test_5_2_two_nodes_do_not_draw_the_same_time_outs(raft_class: type[RaftNode]) -> None:
    drawn = []
    for seed in (1, 2):
        options = RaftOptions(has_pre_vote=False)
        node = raft_class(seed, HandLog(), Random(seed), options=options, configuration=Configuration.of(1, 2, 3))
        terms = []
        for _ in range(200):
            node.tick()
            terms.append(int(node.term))
        drawn.append(terms)
    assert drawn[0] != drawn[1]
