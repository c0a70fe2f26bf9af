"""Paper: Raft, section 6; thesis: section 4.2: nodes without a vote, and members that do not answer any more."""

from collections.abc import Callable

import pytest

from mq.core.ids import Term
from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError
from mq.raft.messages import AppendRequest, VoteReply, VoteRequest
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from tests.paper.lone import entry_id, of_kind
from tests.paper.test_6_membership import led, settle


def test_6_a_node_without_a_vote_does_not_protect_a_leader_that_is_gone(group: Callable[..., HandGroup]) -> None:
    """Its time-out is over like anyone's, though it does not campaign. It may have become a voter, and not know it yet."""
    nodes = led(group, has_check_quorum=True)
    nodes.change(1, [1, 2, 3], [4])
    settle(nodes)
    assert nodes.node(4).leader == 1
    nodes.tick(4, 15)
    assert nodes.node(4).leader is None
    nodes.members[4].call(lambda node: node.step(VoteRequest(2, 4, Term(2), entry_id(9, 1))))
    replies = of_kind([flight.message for flight in nodes.flights], VoteReply)
    assert [(reply.to, reply.is_granted) for reply in replies] == [(2, True)]


def test_thesis_4_2_1_a_learner_that_never_answered_does_not_become_a_voter(group: Callable[..., HandGroup]) -> None:
    """However few entries there are: a leader of two, one of them gone, would commit nothing any more."""
    nodes = led(group, voters=1)
    nodes.add(2)
    nodes.crash(2)
    nodes.change(1, [1], [2])
    nodes.stabilize()
    with pytest.raises(ChangeRefusedError, match="caught up"):
        nodes.node(1).change_members([1, 2])
    nodes.propose(1, b"a")
    assert nodes.members[1].commands == [b"a"]


def test_thesis_4_2_1_a_learner_that_answers_no_more_does_not_become_a_voter(group: Callable[..., HandGroup]) -> None:
    """Though it had caught up."""
    nodes = led(group, voters=1)
    nodes.change(1, [1], [2])
    settle(nodes)
    nodes.crash(2)
    nodes.tick(1, 20)
    with pytest.raises(ChangeRefusedError, match="answers"):
        nodes.node(1).change_members([1, 2])
    nodes.restart(2)
    settle(nodes)
    nodes.change(1, [1, 2])
    settle(nodes)
    assert nodes.node(2).configuration == Configuration.of(1, 2)


def test_6_a_node_that_is_removed_by_its_own_answer_gets_no_more_entries(group: Callable[..., HandGroup]) -> None:
    """With that answer the joint configuration is committed, and the leader writes the one that leaves it out."""
    nodes = led(group)
    nodes.change(1, [1, 2, 3], [4])
    settle(nodes)
    nodes.change(1, [1, 4])
    for node_id in (4, 3):
        nodes.deliver(f"1>{node_id}")
        nodes.deliver(f"{node_id}>1")
    assert nodes.node(1).configuration == Configuration.of(1, 4)
    newest = entry_id(nodes.members[1].log.last_index, 1)
    sent = of_kind([flight.message for flight in nodes.flights], AppendRequest)
    assert [request.to for request in sent if request.entries and request.entries[-1].index == newest.index] == [4]
    settle(nodes)
    assert (nodes.node(1).role, nodes.node(1).commit_index) == (Role.LEADER, newest.index)
