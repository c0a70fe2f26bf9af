"""Paper: Raft, section 6; thesis: chapter 4: changing the members."""

from collections.abc import Callable

import pytest

from mq.core.errors import IllegalArgumentError
from mq.core.ids import LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError, NotLeaderError
from mq.raft.messages import VoteReply, VoteRequest
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from tests.paper.lone import Lone, entry_id, of_kind

JOINT = Configuration((3, 4, 5), (1, 2, 3))


def settle(nodes: HandGroup) -> None:
    """Heartbeats of all that lead, until everything is everywhere."""
    for _ in range(3):
        nodes.stabilize()
        for node_id, member in nodes.members.items():
            if member.node is not None and member.node.role is Role.LEADER:
                nodes.tick(node_id, 2)
    nodes.stabilize()


def led(make: Callable[..., HandGroup], voters: int = 3, **options: object) -> HandGroup:
    nodes = make(voters, **options)
    nodes.campaign(1)
    settle(nodes)
    return nodes


def joint(make: Callable[..., HandGroup]) -> HandGroup:
    """From 1 2 3 to 3 4 5, with the joint configuration in the leader's log and nowhere else."""
    nodes = led(make)
    nodes.change(1, [1, 2, 3], [4, 5])
    settle(nodes)
    nodes.change(1, [3, 4, 5])
    assert nodes.node(1).configuration == JOINT
    return nodes


# ---------------------------------------------------------------- joint consensus


def test_6_a_configuration_is_in_force_as_soon_as_it_is_in_the_log(group: Callable[..., HandGroup]) -> None:
    nodes = joint(group)
    assert nodes.node(3).configuration == Configuration((1, 2, 3), (), (4, 5))
    nodes.deliver("1>3")
    assert nodes.node(3).configuration == JOINT
    assert nodes.node(3).commit_index < nodes.members[3].log.last_index


def test_6_a_change_goes_by_way_of_a_joint_configuration_to_the_new_one(group: Callable[..., HandGroup]) -> None:
    nodes = joint(group)
    settle(nodes)
    found = [nodes.node(node_id).configuration for node_id in (3, 4, 5)]
    assert found == [Configuration.of(3, 4, 5)] * 3


def test_6_joint_decisions_need_a_majority_of_the_old_voters(group: Callable[..., HandGroup]) -> None:
    nodes = joint(group)
    for node_id in (4, 5):
        nodes.deliver(f"1>{node_id}")
    nodes.deliver("*>1", which="all")
    assert nodes.node(1).commit_index == 2
    nodes.deliver("1>2")
    nodes.deliver("2>1")
    assert nodes.node(1).commit_index == 3


def test_6_joint_decisions_need_a_majority_of_the_new_voters(group: Callable[..., HandGroup]) -> None:
    nodes = joint(group)
    nodes.deliver("1>2")
    nodes.deliver("1>3")
    nodes.deliver("*>1", which="all")
    assert nodes.node(1).commit_index == 2
    nodes.deliver("1>4")
    nodes.deliver("4>1")
    assert nodes.node(1).commit_index == 3


@pytest.mark.parametrize(
    ("voters", "wins"), [((2,), False), ((4, 5), False), ((2, 4), True), ((1, 5), True), ((1, 2), False), ((1, 2, 4), True)]
)
def test_6_a_joint_election_needs_both_majorities(group: Callable[..., HandGroup], voters: tuple[int, ...], wins: bool) -> None:
    """Node 3 is a voter of both and votes for itself."""
    nodes = joint(group)
    nodes.deliver("1>3")
    nodes.drop("*>*", which="all")
    nodes.campaign(3)
    requests = [flight.message for flight in nodes.flights if isinstance(flight.message, VoteRequest)]
    assert {request.to for request in requests} == {1, 2, 4, 5}
    for voter in voters:
        reply = VoteReply(voter, 3, nodes.node(3).term, is_granted=True)
        nodes.members[3].call(lambda node, reply=reply: node.step(reply))  # type: ignore[misc]
    assert (nodes.node(3).role is Role.LEADER) is wins


def test_6_the_new_configuration_follows_by_itself_when_the_joint_one_is_committed(group: Callable[..., HandGroup]) -> None:
    nodes = joint(group)
    for node_id in (3, 4):
        nodes.deliver(f"1>{node_id}")
    nodes.deliver("*>1", which="all")
    assert nodes.node(1).configuration == Configuration.of(3, 4, 5)
    assert nodes.node(1).commit_index == 3


def test_6_the_new_configuration_does_not_follow_before_the_joint_one_is_committed(group: Callable[..., HandGroup]) -> None:
    nodes = joint(group)
    nodes.deliver("1>2")
    nodes.deliver("2>1")
    assert nodes.node(1).configuration == JOINT


def test_6_a_new_leader_finishes_the_change_that_it_finds(group: Callable[..., HandGroup]) -> None:
    nodes = joint(group)
    for node_id in (2, 3, 4, 5):
        nodes.deliver(f"1>{node_id}")
    nodes.crash(1)
    nodes.drop("*>*", which="all")
    nodes.campaign(3)
    settle(nodes)
    assert [nodes.node(node_id).configuration for node_id in (3, 4, 5)] == [Configuration.of(3, 4, 5)] * 3


def test_6_a_configuration_that_is_superseded_is_not_in_force_any_more(group: Callable[..., HandGroup]) -> None:
    nodes = joint(group)
    before = nodes.node(2).configuration
    nodes.isolate(1)
    nodes.campaign(2)
    settle(nodes)
    nodes.heal()
    settle(nodes)
    assert nodes.node(1).configuration == before


def test_6_a_configuration_that_could_not_be_saved_is_not_in_force(group: Callable[..., HandGroup]) -> None:
    nodes = led(group)
    before = nodes.node(1).configuration
    nodes.members[1].is_manual = True
    nodes.change(1, [1, 2, 3], [4])
    nodes.save_fails(1)
    assert nodes.node(1).configuration == before


def test_6_a_restart_finds_the_configuration_in_the_log(group: Callable[..., HandGroup]) -> None:
    nodes = joint(group)
    nodes.deliver("1>3")
    nodes.crash(3)
    nodes.restart(3)
    assert nodes.node(3).configuration == JOINT


# ---------------------------------------------------------------- one change at a time


def test_6_only_one_change_at_a_time(group: Callable[..., HandGroup]) -> None:
    nodes = joint(group)
    with pytest.raises(ChangeRefusedError, match="not done"):
        nodes.node(1).change_members([1, 2, 3])


def test_thesis_4_1_a_change_of_learners_must_be_committed_before_the_next(group: Callable[..., HandGroup]) -> None:
    nodes = led(group)
    nodes.change(1, [1, 2, 3], [4])
    with pytest.raises(ChangeRefusedError, match="not done"):
        nodes.node(1).change_members([1, 2, 3], [4, 5])
    settle(nodes)
    nodes.change(1, [1, 2, 3], [4, 5])
    assert nodes.node(1).configuration.learners == (4, 5)


def test_thesis_4_1_a_leader_changes_nothing_before_it_committed_in_its_own_term(group: Callable[..., HandGroup]) -> None:
    """An error in the first version of the thesis, found in 2015: else two changes of two leaders can overlap."""
    nodes = group()
    nodes.campaign(1)
    nodes.deliver("1>2")
    nodes.deliver("2>1")
    assert nodes.node(1).role is Role.LEADER
    with pytest.raises(ChangeRefusedError, match="own term"):
        nodes.node(1).change_members([1, 2])


def test_6_only_the_leader_changes_members(group: Callable[..., HandGroup]) -> None:
    nodes = led(group)
    with pytest.raises(NotLeaderError) as refused:
        nodes.node(2).change_members([1, 2])
    assert refused.value.leader == 1


@pytest.mark.parametrize(("voters", "error"), [([], IllegalArgumentError), ([1, 2, 3], ChangeRefusedError)])
def test_6_a_change_to_nobody_or_to_nothing_new_is_refused(
    group: Callable[..., HandGroup], voters: list[int], error: type[Exception]
) -> None:
    nodes = led(group)
    with pytest.raises(error):
        nodes.node(1).change_members(voters)
    assert nodes.members[1].log.last_index == 1


# ---------------------------------------------------------------- new nodes


def test_6_a_new_node_catches_up_without_a_vote_before_it_counts(group: Callable[..., HandGroup]) -> None:
    """The first problem: else the group could stand still until it has."""
    nodes = led(group, learner_lag_max=0)
    nodes.propose(1, b"a", b"b")
    settle(nodes)
    nodes.add(4)
    nodes.isolate(4)
    nodes.change(1, [1, 2, 3], [4])
    settle(nodes)
    with pytest.raises(ChangeRefusedError, match="caught up"):
        nodes.node(1).change_members([1, 2, 3, 4])
    nodes.heal()
    settle(nodes)
    assert nodes.members[4].commands == [b"a", b"b"]
    nodes.change(1, [1, 2, 3, 4])
    settle(nodes)
    assert nodes.node(4).configuration == Configuration.of(1, 2, 3, 4)


def test_thesis_4_2_1_a_learner_does_not_count(group: Callable[..., HandGroup]) -> None:
    nodes = led(group)
    nodes.change(1, [1, 2, 3], [4, 5])
    settle(nodes)
    committed = nodes.node(1).commit_index
    nodes.isolate(2)
    nodes.isolate(3)
    nodes.propose(1, b"a")
    settle(nodes)
    assert nodes.members[4].log.last_index == nodes.members[1].log.last_index
    assert nodes.node(1).commit_index == committed


def test_thesis_4_2_1_a_learner_never_campaigns(group: Callable[..., HandGroup]) -> None:
    nodes = led(group)
    nodes.change(1, [1, 2, 3], [4])
    settle(nodes)
    nodes.tick(4, 60)
    nodes.campaign(4)
    assert (nodes.node(4).role, nodes.node(4).term) == (Role.FOLLOWER, 1)


def test_6_a_node_that_knows_of_no_vote_of_its_own_never_campaigns(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    nodes.add(7)
    nodes.tick(7, 60)
    assert (nodes.node(7).role, nodes.node(7).term) == (Role.FOLLOWER, 0)


# ---------------------------------------------------------------- removed nodes


def test_6_a_leader_that_is_removed_leads_until_the_new_configuration_is_committed(group: Callable[..., HandGroup]) -> None:
    """The second problem. And then no longer."""
    nodes = joint(group)
    for node_id in (3, 4):
        nodes.deliver(f"1>{node_id}")
    nodes.deliver("*>1", which="all")
    assert nodes.node(1).configuration == Configuration.of(3, 4, 5)
    assert nodes.node(1).role is Role.LEADER
    settle(nodes)
    assert nodes.node(1).role is Role.FOLLOWER


def test_thesis_4_2_2_a_node_that_a_change_leaves_out_still_campaigns_until_that_is_committed(
    group: Callable[..., HandGroup],
) -> None:
    """Only 1 holds the new configuration; 3, 4 and 5 are joint and cannot win without 1 or 2, and 2 has not even that."""
    nodes = joint(group)
    for node_id in (3, 4):
        nodes.deliver(f"1>{node_id}")
    nodes.deliver("*>1", which="all")
    assert nodes.node(1).configuration == Configuration.of(3, 4, 5)
    nodes.crash(1)
    nodes.restart(1)
    nodes.campaign(1)
    settle(nodes)
    assert nodes.node(1).configuration == Configuration.of(3, 4, 5)
    assert nodes.node(3).commit_index == nodes.members[1].log.last_index, "it won, committed the change, and left"
    assert nodes.node(1).role is Role.FOLLOWER
    nodes.campaign(1)
    assert nodes.node(1).role is Role.FOLLOWER, "now that it is committed, it is none of its business"


def test_6_a_leader_that_is_removed_does_not_count_itself(group: Callable[..., HandGroup]) -> None:
    nodes = joint(group)
    for node_id in (3, 4):
        nodes.deliver(f"1>{node_id}")
    nodes.deliver("*>1", which="all")
    index = nodes.members[1].log.last_index
    assert nodes.node(1).configuration == Configuration.of(3, 4, 5)
    nodes.deliver("1>4", which="all")
    nodes.deliver("4>1", which="all")
    assert nodes.node(1).commit_index == index - 1
    nodes.deliver("1>5", which="all")
    nodes.deliver("5>1", which="all")
    while nodes.members[5].log.last_index < index:
        nodes.deliver("1>5", which="all")
        nodes.deliver("5>1", which="all")
    assert nodes.node(1).commit_index == index


@pytest.mark.parametrize("learners", [[], [1]], ids=["it is removed", "it becomes a learner"])
def test_6_a_leader_that_loses_its_vote_counts_for_no_majority_of_the_new_voters(
    group: Callable[..., HandGroup], learners: list[int]
) -> None:
    """Of two new voters both are needed, for the joint configuration and for the one behind it."""
    nodes = led(group)
    nodes.change(1, [2, 3], learners)
    for index in (2, 3):
        assert nodes.members[1].log.last_index == index
        nodes.deliver("1>2", which="all")
        nodes.deliver("2>1", which="all")
        assert (nodes.members[2].log.last_index, nodes.node(1).commit_index) == (index, index - 1)
        nodes.deliver("1>3", which="all")
        nodes.deliver("3>1", which="all")
        assert nodes.node(1).commit_index == index


def test_6_those_who_are_removed_cannot_end_a_reign_that_is_well(lone: Callable[..., Lone]) -> None:
    """The third problem: a request for votes is ignored within an election time-out of the leader's last word."""
    node = lone(has_check_quorum=True)
    node.hear(node.append_of(1))
    assert node.hear(node.request_of(3, 9, entry_id(9, 8))) == []
    assert (node.node.term, node.node.leader) == (1, 2)


def test_6_those_who_are_removed_cannot_depose_a_leader_that_is_well(lone: Callable[..., Lone]) -> None:
    node = lone(has_check_quorum=True)
    node.lead()
    node.hear(node.request_of(3, 9, entry_id(9, 8)))
    assert (node.role, node.node.term) == (Role.LEADER, 1)


def test_6_after_an_election_time_out_without_the_leader_a_request_counts(lone: Callable[..., Lone]) -> None:
    node = lone(has_check_quorum=True)
    node.hear(node.append_of(1))
    node.tick(10)
    replies = of_kind(node.hear(node.request_of(3, 9, entry_id(9, 8))), VoteReply)
    assert [reply.is_granted for reply in replies] == [True]


def test_6_a_campaign_that_the_leader_wants_counts_at_once(lone: Callable[..., Lone]) -> None:
    node = lone(has_check_quorum=True)
    node.hear(node.append_of(1))
    request = VoteRequest(3, 1, Term(2), entry_id(0, 0), is_transfer=True)
    [reply] = of_kind(node.hear(request), VoteReply)
    assert reply.is_granted


def test_6_a_snapshot_holds_the_configuration_that_was_in_force_there(group: Callable[..., HandGroup]) -> None:
    nodes = led(group)
    nodes.change(1, [1, 2, 3], [4])
    settle(nodes)
    nodes.snapshot(1)
    nodes.crash(1)
    nodes.restart(1)
    assert nodes.node(1).configuration == Configuration((1, 2, 3), (), (4,))
    nodes.members[1].call(lambda node: node.applied(LogIndex(0)))
    assert nodes.node(1).snapshot.configuration == Configuration((1, 2, 3), (), (4,))


def test_6_a_snapshot_does_not_hold_a_configuration_that_came_after_it(group: Callable[..., HandGroup]) -> None:
    nodes = led(group)
    before = nodes.node(1).configuration
    nodes.isolate(1)
    nodes.change(1, [1, 2, 3], [4])
    nodes.snapshot(1)
    assert nodes.node(1).snapshot.configuration == before
    assert nodes.node(1).configuration != before
