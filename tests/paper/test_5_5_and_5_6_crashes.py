"""Paper: Raft, sections 5.5 and 5.6, and figure 2, "Persistent state": crashes, and what must be on disk before what."""

from collections.abc import Callable

import pytest

from mq.core.errors import IllegalArgumentError
from mq.raft.messages import AppendReply, AppendRequest, VoteReply, VoteRequest
from mq.raft.options import RaftOptions
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from tests.paper.lone import Lone, command, entry_id, of_kind

START = entry_id(0, 0)


def test_5_5_a_request_that_comes_twice_is_answered_twice_and_done_once(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1])
    request = node.append_of(1, entry_id(1, 1), [command(2, 1)])
    replies = of_kind(node.hear(request, request), AppendReply)
    assert [(reply.is_matching, reply.match_index) for reply in replies] == [(True, 2)] * 2
    assert node.terms == [1, 1]


def test_5_5_a_follower_that_was_down_gets_what_it_missed(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    nodes.campaign(1)
    nodes.stabilize()
    nodes.crash(3)
    nodes.propose(1, b"a", b"b")
    nodes.stabilize()
    nodes.restart(3)
    for _ in range(3):
        nodes.tick(1, 2)
        nodes.stabilize()
    assert nodes.members[3].commands == [b"a", b"b"]


# ---------------------------------------------------------------- what is saved before what


def test_5_6_a_vote_is_on_disk_before_it_is_given(lone: Callable[..., Lone]) -> None:
    node = lone(is_manual=True)
    assert of_kind(node.hear(node.request_of(2, 1, START)), VoteReply) == []
    [reply] = of_kind(node.save(), VoteReply)
    assert reply.is_granted
    assert (node.member.log.hard_state.term, node.member.log.hard_state.vote) == (1, 2)


def test_5_6_a_vote_survives_a_crash(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.hear(node.request_of(2, 1, START))
    node.restart()
    [reply] = of_kind(node.hear(node.request_of(3, 1, START)), VoteReply)
    assert not reply.is_granted
    [reply] = of_kind(node.hear(node.request_of(2, 1, START)), VoteReply)
    assert reply.is_granted


def test_5_6_a_candidates_vote_for_itself_survives_a_crash(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.campaign()
    node.restart()
    [reply] = of_kind(node.hear(node.request_of(2, 1, entry_id(5, 1))), VoteReply)
    assert not reply.is_granted


def test_5_6_the_term_survives_a_crash(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.hear(node.append_of(7))
    node.restart()
    assert node.node.term == 7
    [reply] = of_kind(node.hear(node.append_of(6, leader=3)), AppendReply)
    assert (reply.term, reply.is_matching) == (7, False)


def test_5_6_a_term_is_on_disk_before_a_message_names_it(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1], is_manual=True)
    assert of_kind(node.hear(node.request_of(2, 8, entry_id(1, 1))), VoteReply) == []
    [reply] = of_kind(node.save(), VoteReply)
    assert (reply.term, reply.is_granted) == (8, False)


def test_5_6_entries_are_on_disk_before_they_are_acknowledged(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1], is_manual=True)
    assert of_kind(node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)])), AppendReply) == []
    [reply] = of_kind(node.save(), AppendReply)
    assert (reply.is_matching, reply.match_index) == (True, 2)


def test_5_6_what_is_still_on_its_way_to_the_disk_is_not_acknowledged_by_a_later_request(lone: Callable[..., Lone]) -> None:
    """Neither when it comes again, nor by a heartbeat behind it."""
    node = lone(terms=[1], is_manual=True)
    request = node.append_of(1, entry_id(1, 1), [command(2, 1)])
    node.hear(request)
    replies = of_kind(node.hear(request, node.append_of(1, entry_id(2, 1))), AppendReply)
    assert [reply for reply in replies if reply.match_index >= 2] == []


def test_5_6_of_two_saves_the_first_does_not_speak_for_the_second(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1], is_manual=True)
    node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)]), node.append_of(1, entry_id(2, 1), [command(3, 1)]))
    node.group.save(1)
    assert [reply.match_index for reply in of_kind(node.sent(), AppendReply)] == [2]
    node.group.save(1)
    assert [reply.match_index for reply in of_kind(node.sent(), AppendReply)] == [3]


def test_5_6_an_answer_that_is_given_later_waits_for_all_saves_before_it(lone: Callable[..., Lone]) -> None:
    """A heartbeat behind the second one comes when only the first is durable."""
    node = lone(terms=[1], is_manual=True)
    node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)]), node.append_of(1, entry_id(2, 1), [command(3, 1)]))
    node.group.save(1)
    assert of_kind(node.hear(node.append_of(1, entry_id(3, 1))), AppendReply) == []
    assert {reply.match_index for reply in of_kind(node.save(), AppendReply)} == {3}


def test_5_6_what_was_acknowledged_survives_a_crash(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1], is_manual=True)
    node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1), command(3, 1)]))
    node.save()
    node.hear(node.append_of(1, entry_id(3, 1), [command(4, 1)]))
    node.restart()
    assert node.terms == [1, 1, 1]


def test_5_6_a_candidate_counts_its_own_vote_when_it_is_on_disk(lone: Callable[..., Lone]) -> None:
    node = lone(is_manual=True)
    node.campaign()
    node.hear(node.vote_of(2))
    assert node.node.view().role is Role.CANDIDATE
    node.save()
    assert node.node.view().role is Role.LEADER


def test_5_6_a_candidate_asks_for_votes_when_term_vote_and_log_are_on_disk(lone: Callable[..., Lone]) -> None:
    """Else it could collect votes for one log and lead with another, after a crash, in the same term."""
    node = lone(terms=[1], is_manual=True)
    node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)]))
    assert of_kind(node.campaign(), VoteRequest) == []
    assert {request.last for request in of_kind(node.save(), VoteRequest)} == {entry_id(2, 1)}


def test_5_6_a_single_node_commits_nothing_before_its_disk(lone: Callable[..., Lone]) -> None:
    node = lone(voters=1, is_manual=True)
    node.campaign()
    assert node.role is Role.CANDIDATE
    node.group.save(1)
    node.group.propose(1, b"a")
    assert node.node.commit_index == 0
    node.save()
    assert node.node.commit_index == 2


def test_5_6_the_commit_index_need_not_be_saved(group: Callable[..., HandGroup]) -> None:
    """It is 0 after a start, and learned anew: nothing is applied before a leader says so."""
    nodes = group()
    nodes.campaign(1)
    nodes.stabilize()
    nodes.propose(1, b"a")
    nodes.stabilize()
    nodes.crash(1)
    nodes.restart(1)
    assert (nodes.node(1).commit_index, nodes.members[1].commands) == (0, [])
    nodes.campaign(1)
    nodes.stabilize()
    assert nodes.members[1].commands == [b"a"]


def test_5_6_a_node_whose_disk_failed_promises_nothing(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1], is_manual=True)
    node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)]))
    node.group.disk_fails(1)
    assert node.hear(node.append_of(1, entry_id(1, 1)), node.request_of(3, 9, entry_id(9, 8))) == []
    assert node.tick(40) == []
    assert node.role is Role.MUTE


def test_5_6_a_node_whose_log_is_damaged_promises_nothing(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1])
    node.member.log.is_damaged = True
    node.restart()
    assert node.hear(node.append_of(1, entry_id(2, 1)), node.request_of(3, 9, entry_id(9, 8))) == []
    assert node.tick(40) == []
    assert node.role is Role.MUTE


def test_5_6_a_save_that_failed_promises_nothing_and_leaves_the_log_as_it_was(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1], is_manual=True)
    node.hear(node.append_of(2, entry_id(1, 1), [command(2, 2)], commit=2))
    node.group.save_fails(1)
    assert node.sent() == []
    assert node.terms == [1, 1]
    assert node.node.commit_index < 2
    [reply] = of_kind([*node.hear(node.append_of(2, entry_id(1, 1), [command(2, 2)], commit=2)), *node.save()], AppendReply)
    assert (reply.is_matching, reply.match_index) == (True, 2)
    assert node.terms == [1, 2]


def test_5_6_a_vote_that_could_not_be_saved_is_saved_before_it_is_given_after_all(lone: Callable[..., Lone]) -> None:
    node = lone(is_manual=True)
    node.hear(node.request_of(2, 1, START))
    node.group.save_fails(1)
    node.hear(node.request_of(2, 1, START), node.append_of(1, START, [command(1, 1)]))
    assert [reply.is_granted for reply in of_kind(node.save(), VoteReply)] == [True]
    node.restart()
    assert (node.node.term, node.node.vote) == (1, 2)


def test_5_6_a_term_that_could_not_be_saved_is_tried_again_with_the_next_tick(lone: Callable[..., Lone]) -> None:
    node = lone(is_manual=True)
    node.hear(node.request_of(2, 1, START))
    node.group.save_fails(1)
    node.group.tick(1)
    node.save()
    node.restart()
    assert (node.node.term, node.node.vote) == (1, 2)


def test_5_6_a_leader_that_cannot_save_gives_up(lone: Callable[..., Lone]) -> None:
    """Its followers may have what it lost."""
    node = lone()
    node.lead()
    node.member.is_manual = True
    node.group.propose(1, b"a")
    node.group.save_fails(1)
    assert node.role is Role.FOLLOWER
    assert node.terms == [1]


def test_5_6_a_candidate_that_cannot_save_its_vote_gives_up(lone: Callable[..., Lone]) -> None:
    node = lone(is_manual=True)
    node.campaign()
    node.group.save_fails(1)
    assert node.role is Role.FOLLOWER
    assert node.sent() == []


def test_5_6_heartbeats_must_come_much_more_often_than_elections() -> None:
    """The timing requirement: broadcast time is well below the election time-out."""
    with pytest.raises(IllegalArgumentError, match="heartbeat_ticks"):
        RaftOptions(election_ticks=5, heartbeat_ticks=5)
    assert RaftOptions().heartbeat_ticks * 4 <= RaftOptions().election_ticks


def test_thesis_10_2_1_entries_leave_while_the_leaders_own_disk_works(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.lead()
    node.hear(node.matched_by(2, 1), node.matched_by(3, 1))
    node.member.is_manual = True
    node.group.propose(1, b"a")
    assert {request.to for request in of_kind(node.sent(), AppendRequest) if request.entries} == {2, 3}


def test_thesis_10_2_1_a_leader_counts_its_own_copy_when_it_is_on_disk(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.lead()
    node.hear(node.matched_by(2, 1))
    node.member.is_manual = True
    node.group.propose(1, b"a")
    node.hear(node.matched_by(2, 2))
    assert node.node.commit_index == 1
    node.save()
    assert node.node.commit_index == 2


def test_thesis_10_2_1_a_majority_of_followers_commits_without_the_leaders_disk(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.lead()
    node.hear(node.matched_by(2, 1))
    node.member.is_manual = True
    node.group.propose(1, b"a")
    node.hear(node.matched_by(2, 2), node.matched_by(3, 2))
    assert node.node.commit_index == 2
    assert node.member.commands == []  # but nothing is applied before it is durable here
    node.save()
    assert node.member.commands == [b"a"]


def test_thesis_10_2_1_a_request_that_was_lost_is_noticed_and_sent_again(group: Callable[..., HandGroup]) -> None:
    nodes = group(entries_max=1)
    nodes.campaign(1)
    nodes.stabilize()
    nodes.propose(1, b"a", b"b", b"c")
    nodes.drop("1>2", which="first")
    nodes.drop("1>3", which="all")
    for _ in range(4):
        nodes.stabilize()
        nodes.tick(1, 2)
    nodes.stabilize()
    assert [nodes.members[node_id].commands for node_id in (2, 3)] == [[b"a", b"b", b"c"]] * 2
