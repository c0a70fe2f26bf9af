"""Paper: Raft, section 5.1: roles, and terms as a logical clock."""

from collections.abc import Callable

import pytest

from mq.core.ids import LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, AppendRequest, Message, Snapshot, SnapshotReply, SnapshotRequest, VoteReply, VoteRequest
from mq.raft.role import Role
from tests.paper.lone import Lone, command, entry_id, of_kind

NOWHERE = entry_id(0, 0)
SNAPSHOT = Snapshot(entry_id(5, 1), Configuration.of(1, 2, 3))


def requests(term: int) -> dict[str, Message]:
    """All that a node of that term may ask of node 1."""
    return {
        "append": AppendRequest(2, 1, Term(term), NOWHERE, (), LogIndex(0), 0),
        "vote": VoteRequest(2, 1, Term(term), entry_id(9, term)),
        "snapshot": SnapshotRequest(2, 1, Term(term), SNAPSHOT, 0, b"state", is_last=True),
    }


def answers(term: int) -> dict[str, Message]:
    """All that a node of that term may answer."""
    return {
        "append": AppendReply(2, 1, Term(term), False, LogIndex(0), LogIndex(0), NOWHERE, 0),
        "vote": VoteReply(2, 1, Term(term), is_granted=False),
        "snapshot": SnapshotReply(2, 1, Term(term), SNAPSHOT.last, 0, is_installed=False),
    }


def in_role(node: Lone, role: Role) -> None:
    if role is Role.CANDIDATE:
        node.campaign()
    elif role is Role.LEADER:
        node.lead()
    assert node.role is role


def test_5_1_a_node_begins_as_a_follower_whatever_it_was(lone: Callable[..., Lone]) -> None:
    node = lone()
    assert node.role is Role.FOLLOWER
    node.lead()
    node.restart()
    assert node.role is Role.FOLLOWER


@pytest.mark.parametrize("role", [Role.FOLLOWER, Role.CANDIDATE, Role.LEADER])
@pytest.mark.parametrize("kind", requests(0))
def test_5_1_a_request_of_a_higher_term_makes_a_follower_of_that_term(lone: Callable[..., Lone], kind: str, role: Role) -> None:
    node = lone(terms=[1])
    in_role(node, role)
    node.hear(requests(9)[kind])
    assert (node.role, node.node.term) == (Role.FOLLOWER, 9)


@pytest.mark.parametrize("role", [Role.CANDIDATE, Role.LEADER])
@pytest.mark.parametrize("kind", answers(0))
def test_5_1_an_answer_of_a_higher_term_makes_a_follower_of_that_term(lone: Callable[..., Lone], kind: str, role: Role) -> None:
    node = lone(terms=[1])
    in_role(node, role)
    node.hear(answers(9)[kind])
    assert (node.role, node.node.term) == (Role.FOLLOWER, 9)


@pytest.mark.parametrize("kind", requests(0))
def test_5_1_a_request_of_an_older_term_is_refused_and_the_answer_names_the_term(lone: Callable[..., Lone], kind: str) -> None:
    node = lone(terms=[1, 1], term=4)
    [answer] = node.hear(requests(3)[kind])
    assert answer.term == 4
    assert not getattr(answer, "is_granted", False)
    assert not getattr(answer, "is_matching", False)
    assert not getattr(answer, "is_installed", False)
    assert node.terms == [1, 1]
    assert node.node.leader is None


def test_5_1_an_old_leaders_entries_are_not_taken(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1], term=4)
    node.hear(node.append_of(3, entry_id(1, 1), [command(2, 3)], commit=2))
    assert node.terms == [1]
    assert node.node.commit_index == 0


def test_5_1_a_vote_of_an_older_term_is_ignored(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.campaign()
    node.campaign()
    node.hear(node.vote_of(2, term=1), node.vote_of(3, term=1))
    assert (node.role, node.node.term) == (Role.CANDIDATE, 2)


def test_5_1_an_acknowledgement_of_an_older_term_is_ignored(lone: Callable[..., Lone]) -> None:
    """What it speaks of may have been superseded since."""
    node = lone(terms=[1, 1], term=1)
    node.lead()
    node.hear(node.matched_by(2, 3, term=1), node.matched_by(3, 3, term=1))
    assert node.node.commit_index == 0


def test_5_1_terms_only_rise(lone: Callable[..., Lone]) -> None:
    node = lone(term=5)
    for message in (*requests(3).values(), *answers(2).values()):
        node.hear(message)
        assert node.node.term == 5


def test_5_1_each_time_out_begins_a_new_term(lone: Callable[..., Lone]) -> None:
    node = lone()
    seen = []
    for _ in range(3):
        node.campaign()
        seen.append(int(node.node.term))
    assert seen == [1, 2, 3]


def test_5_1_in_a_new_term_the_vote_is_free_again(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.hear(node.request_of(2, 1, NOWHERE))
    [no] = of_kind(node.hear(node.request_of(3, 1, NOWHERE)), VoteReply)
    [yes] = of_kind(node.hear(node.request_of(3, 2, NOWHERE)), VoteReply)
    assert (no.is_granted, yes.is_granted) == (False, True)
