"""Thesis: sections 3.10 (transfer) and 6.2 (a leader without a quorum)."""

from collections.abc import Callable

import pytest

from mq.core.ids import Term
from mq.raft.errors import ChangeRefusedError, NotLeaderError
from mq.raft.messages import TimeoutNow
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from tests.paper.lone import Lone, entry_id

START = entry_id(0, 0)


def led(group: Callable[..., HandGroup], **options: object) -> HandGroup:
    nodes = group(**options)
    nodes.campaign(1)
    nodes.stabilize()
    return nodes


# ---------------------------------------------------------------- 3.10 leadership transfer


def test_thesis_3_10_the_target_campaigns_at_once_and_wins(group: Callable[..., HandGroup]) -> None:
    """Though pre-vote and check-quorum protect the leader from all others."""
    nodes = led(group, has_pre_vote=True, has_check_quorum=True)
    nodes.transfer(1, 2)
    nodes.stabilize()
    assert (nodes.node(2).role, nodes.node(1).role, nodes.node(2).term) == (Role.LEADER, Role.FOLLOWER, 2)


def test_thesis_3_10_it_is_brought_up_to_date_first(group: Callable[..., HandGroup]) -> None:
    nodes = led(group)
    nodes.isolate(2)
    nodes.propose(1, b"a")
    nodes.stabilize()
    nodes.heal()
    nodes.transfer(1, 2)
    assert [flight for flight in nodes.flights if isinstance(flight.message, TimeoutNow)] == []
    for _ in range(2):
        nodes.tick(1, 2)
        nodes.stabilize()
    assert nodes.node(2).role is Role.LEADER
    assert nodes.members[2].log.last_index == 3


def test_thesis_3_10_meanwhile_nothing_is_proposed(group: Callable[..., HandGroup]) -> None:
    nodes = led(group)
    assert not nodes.node(1).view().is_transferring
    nodes.transfer(1, 2)
    assert nodes.node(1).view().is_transferring
    with pytest.raises(NotLeaderError):
        nodes.node(1).propose([b"a"])
    assert nodes.members[1].log.last_index == 1


def test_thesis_3_10_nor_are_other_members(group: Callable[..., HandGroup]) -> None:
    nodes = led(group)
    nodes.transfer(1, 2)
    with pytest.raises(ChangeRefusedError, match="being handed over to node 2"):
        nodes.node(1).change_members([1, 2, 3], [4])
    assert nodes.members[1].log.last_index == 1


def test_thesis_3_10_nothing_is_handed_over_while_members_change(group: Callable[..., HandGroup]) -> None:
    """The change would go on, and with its next entry the target's log is not complete any more: it could not win."""
    nodes = led(group)
    nodes.change(1, [1, 2])
    with pytest.raises(ChangeRefusedError, match="before the change of members is done"):
        nodes.node(1).transfer(2)
    assert not nodes.node(1).view().is_transferring
    nodes.stabilize()
    nodes.transfer(1, 2)
    nodes.stabilize()
    assert nodes.node(2).role is Role.LEADER


def test_thesis_3_10_when_nothing_comes_of_it_the_leader_goes_on(group: Callable[..., HandGroup]) -> None:
    """After an election time-out."""
    nodes = led(group)
    nodes.transfer(1, 2)
    nodes.drop("1>2", which="all")
    for _ in range(10):
        nodes.tick(1)
        nodes.stabilize()
    nodes.propose(1, b"a")
    nodes.stabilize()
    assert nodes.members[1].commands == [b"a"]


def test_thesis_3_10_a_hand_over_ends_with_the_reign(lone: Callable[..., Lone]) -> None:
    """Whoever asks names the leader of now, and a later reign of the same node begins like any other."""
    node = lone()
    node.lead()
    node.hear(node.matched_by(2, 1), node.matched_by(3, 1))
    node.group.transfer(1, 2)
    assert node.node.view().is_transferring
    node.hear(node.append_of(9, entry_id(1, 1), leader=3))
    with pytest.raises(NotLeaderError) as refused:
        node.node.propose([b"a"])
    assert refused.value.leader == 3
    node.lead()
    assert not node.node.view().is_transferring
    node.hear(node.matched_by(2, 2))
    node.group.propose(1, b"a")
    node.group.change(1, [1, 2, 3], [4])
    assert node.terms == [1, 10, 10, 10]


def test_thesis_3_10_only_to_another_voter(group: Callable[..., HandGroup]) -> None:
    nodes = led(group)
    nodes.change(1, [1, 2, 3], [4])
    nodes.stabilize()
    for target in (1, 4, 9):
        with pytest.raises(ChangeRefusedError):
            nodes.node(1).transfer(target)
    with pytest.raises(NotLeaderError):
        nodes.node(2).transfer(3)


def test_thesis_3_10_an_old_leaders_wish_is_ignored(lone: Callable[..., Lone]) -> None:
    node = lone(term=4)
    node.hear(TimeoutNow(2, 1, Term(3)))
    assert (node.role, node.node.term) == (Role.FOLLOWER, 4)


# ---------------------------------------------------------------- 6.2 a leader without a quorum


def test_thesis_6_2_a_leader_that_hears_of_no_quorum_steps_down(lone: Callable[..., Lone]) -> None:
    node = lone(voters=5, has_check_quorum=True)
    node.lead()
    for _ in range(20):
        if node.role is Role.LEADER:
            node.tick()
            node.hear(node.matched_by(2, 1))
    assert (node.role, node.node.term) == (Role.FOLLOWER, 1)


def test_thesis_6_2_with_a_quorum_it_goes_on(lone: Callable[..., Lone]) -> None:
    node = lone(voters=5, has_check_quorum=True)
    node.lead()
    for _ in range(8):
        node.tick(5)
        node.hear(node.matched_by(2, 1), node.matched_by(5, 1))
    assert node.role is Role.LEADER


@pytest.mark.parametrize(
    ("heard", "leads"),
    [((4, 5), False), ((2,), False), ((3,), False), ((2, 4), False), ((3, 4), True), ((2, 4, 5), True)],
    ids=str,
)
def test_thesis_6_2_while_members_change_it_must_hear_of_both_majorities(
    lone: Callable[..., Lone], heard: tuple[int, ...], leads: bool
) -> None:
    """From 1 2 3 to 3 4 5: what it cannot decide any more it must not pretend to lead. Paper: Raft, section 6."""
    node = lone(has_check_quorum=True)
    node.lead()
    node.hear(node.matched_by(2, 1))
    node.group.change(1, [1, 2, 3], [4, 5])
    node.hear(*(node.matched_by(member, 2) for member in (2, 3, 4, 5)))
    node.group.change(1, [3, 4, 5])
    assert node.node.configuration.is_joint
    for _ in range(20):
        if node.role is Role.LEADER:
            node.tick()
            node.hear(*(node.matched_by(member, 2) for member in heard))
    assert (node.role is Role.LEADER) is leads


def test_thesis_6_2_to_have_heard_once_is_not_enough(lone: Callable[..., Lone]) -> None:
    node = lone(has_check_quorum=True)
    node.lead()
    node.hear(node.matched_by(2, 1), node.matched_by(3, 1))
    node.tick(30)
    assert node.role is not Role.LEADER


def test_thesis_6_2_a_fresh_leader_that_hears_of_nobody_steps_down_at_its_first_look(lone: Callable[..., Lone]) -> None:
    """Nobody answered yet in this reign; votes were given before it."""
    node = lone(has_check_quorum=True)
    node.lead()
    ticks = 0
    while node.role is Role.LEADER and ticks < 30:
        node.tick()
        ticks += 1
    assert (ticks, node.node.leader) == (10, None)


def test_thesis_6_2_a_leader_that_is_asked_to_campaign_still_looks_for_its_quorum(lone: Callable[..., Lone]) -> None:
    """It leads already: nothing begins anew by that, least of all the time until it looks."""
    node = lone(has_check_quorum=True)
    node.lead()
    for _ in range(20):
        if node.role is Role.LEADER:
            node.campaign()
            node.tick()
    assert (node.role, node.node.term) == (Role.FOLLOWER, 1)
