"""How a leader takes a wiped node back: which change of members comes next, and when there is none."""

import pytest

from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.role import Role
from mq.raft.view import NodeView, PeerView
from mq.server.readmitting import Returning, Standing, next_members, standing_of

TERM, COMMITTED = Term(4), LogIndex(90)
WIPED = 3


def leader(
    members: Configuration, *, match: dict[int, int] | None = None, silent: frozenset[int] = frozenset({WIPED})
) -> NodeView:
    """Node 1, which leads these members."""
    peers = tuple(
        PeerView(node, "replicate", LogIndex((match or {}).get(node, 0)), LogIndex(91), 0, node not in silent)
        for node in members.members
        if node != 1
    )
    last = EntryId(TERM, COMMITTED)
    return NodeView(
        1, Role.LEADER, TERM, 1, 1, COMMITTED, COMMITTED, COMMITTED, LogIndex(1), COMMITTED, last,
        EntryId(Term(0), LogIndex(0)), members, peers, is_transferring=False,
    )  # fmt: skip


def asks(*, was_voter: bool = True, is_learning: bool = False, learner_at: int = 0) -> Returning:
    return Returning(WIPED, was_voter, is_learning, learner_at)


def test_the_whole_way_back_is_three_changes() -> None:
    three, two = Configuration.of(1, 2, 3), Configuration.of(1, 2)
    learner = two._replace(learners=(3,))
    assert next_members(leader(three), asks(), is_settled=True) == two
    assert next_members(leader(two), asks(), is_settled=True) == learner
    assert next_members(leader(learner), asks(), is_settled=True) is None, "it has to be told first that it is a learner"
    assert next_members(leader(learner), asks(is_learning=True), is_settled=True) == three
    assert next_members(leader(three), asks(is_learning=True), is_settled=True) is None


@pytest.mark.parametrize(("matched", "is_voter"), [(0, False), (69, False), (70, True), (90, True)])
def test_a_learner_becomes_a_voter_with_all_that_was_committed_when_it_was_told(matched: int, is_voter: bool) -> None:
    """Else a node with nothing in its log votes, wherever the whole log is shorter than a lag that counts as small."""
    learning = leader(Configuration((1, 2), (), (3,)), match={3: matched})
    wanted = next_members(learning, asks(is_learning=True, learner_at=70), is_settled=True)
    assert wanted == (Configuration.of(1, 2, 3) if is_voter else None)


def test_a_leader_that_has_not_heard_of_the_learner_yet_waits() -> None:
    alone = leader(Configuration((1, 2), (), (3,)))._replace(peers=())
    assert next_members(alone, asks(is_learning=True, learner_at=1), is_settled=True) is None


@pytest.mark.parametrize("members", [Configuration.of(1, 2, 3), Configuration.of(1, 2), Configuration((1, 2), (), (3,))])
@pytest.mark.parametrize("is_learning", [False, True])
def test_one_change_at_a_time(members: Configuration, is_learning: bool) -> None:
    assert next_members(leader(members, match={3: 5}), asks(is_learning=is_learning), is_settled=False) is None


def test_a_voter_stays_one_until_it_knows_that_it_was_one() -> None:
    three = Configuration.of(1, 2, 3)
    assert next_members(leader(three), asks(was_voter=False), is_settled=True) is None
    assert standing_of(leader(three), asks(was_voter=False), is_settled=True) == Standing("voter", COMMITTED, TERM)


def test_a_voter_stays_one_while_the_others_are_no_majority_without_it() -> None:
    three, five = Configuration.of(1, 2, 3), Configuration.of(1, 2, 3, 4, 5)
    assert next_members(leader(three, silent=frozenset({2, 3})), asks(), is_settled=True) is None
    assert next_members(leader(five, silent=frozenset({3, 4, 5})), asks(), is_settled=True) is None
    assert next_members(leader(five, silent=frozenset({3, 4})), asks(), is_settled=True) == Configuration.of(1, 2, 4, 5)
    assert next_members(leader(Configuration.of(1, 3)), asks(), is_settled=True) is None, "of two, one is no majority"


def test_a_node_that_was_never_a_member_waits_until_it_is_added() -> None:
    two = Configuration.of(1, 2)
    assert next_members(leader(two), asks(was_voter=False), is_settled=True) is None
    assert standing_of(leader(two), asks(was_voter=False), is_settled=True).kind == "none"


def test_one_that_was_added_becomes_a_voter_only_by_a_word() -> None:
    added = Configuration((1, 2), (), (3,))
    assert standing_of(leader(added), asks(was_voter=False), is_settled=True).kind == "learner"
    assert next_members(leader(added), asks(was_voter=False, is_learning=True), is_settled=True) is None


def test_what_a_leader_knows_of_a_folder_that_is_gone_is_forgotten_first() -> None:
    """Else it would wait for ever behind an entry that the node acknowledged before it was wiped."""
    learner = Configuration((1, 2), (), (3,))
    stale = leader(learner, match={3: 40})
    assert next_members(stale, asks(), is_settled=True) == Configuration.of(1, 2)
    assert standing_of(stale, asks(), is_settled=True).kind == "none"
    assert standing_of(stale, asks(is_learning=True), is_settled=True).kind == "learner", "what it acknowledges now is its own"


def test_only_what_is_committed_makes_a_learner() -> None:
    assert standing_of(leader(Configuration((1, 2), (), (3,))), asks(), is_settled=False).kind == "none"
    joint = Configuration((1, 2), (1, 2, 3), (3,))
    assert standing_of(leader(joint), asks(), is_settled=False).kind == "voter", "its vote counts until the change is done"
