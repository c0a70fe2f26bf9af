"""Majorities, compared with what they mean, spelled out slowly."""

from itertools import chain, combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.raft.configuration import Configuration
from mq.raft.quorum import has_majority, is_won, majority, quorum_value

VOTERS = st.lists(st.integers(1, 9), min_size=1, max_size=7, unique=True).map(lambda ids: tuple(sorted(ids)))
VALUES = st.dictionaries(st.integers(1, 9), st.integers(0, 6))
VOTES = st.dictionaries(st.integers(1, 9), st.booleans())
CONFIGURATIONS = st.builds(Configuration, VOTERS, st.one_of(st.just(()), VOTERS))


def groups(voters: tuple[int, ...]) -> list[set[int]]:
    """All groups of them."""
    return [set(found) for found in chain.from_iterable(combinations(voters, size) for size in range(len(voters) + 1))]


def wins(voters: tuple[int, ...], group: set[int]) -> bool:
    """More than half, in numbers that need no rounding."""
    return 2 * len(group & set(voters)) > len(voters)


def decides(configuration: Configuration, group: set[int]) -> bool:
    """In both majorities."""
    return wins(configuration.voters, group) and (not configuration.old_voters or wins(configuration.old_voters, group))


@pytest.mark.parametrize(("count", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)])
def test_a_majority_is_more_than_half(count: int, needed: int) -> None:
    assert majority(count) == needed


@given(VOTERS)
def test_a_majority_is_the_smallest_size_of_which_any_two_groups_share_a_voter(voters: tuple[int, ...]) -> None:
    def always_meet(size: int) -> bool:
        return all(set(one) & set(other) for one, other in product(combinations(voters, size), repeat=2))

    assert always_meet(majority(len(voters)))
    assert not always_meet(majority(len(voters)) - 1)


@given(VOTERS, st.sets(st.integers(1, 9)))
def test_a_group_has_a_majority_when_it_is_more_than_half(voters: tuple[int, ...], group: set[int]) -> None:
    assert has_majority(voters, group.__contains__) is wins(voters, group)


def test_nobody_is_no_majority_of_nobody() -> None:
    assert not has_majority((), lambda _: True)
    assert quorum_value((), lambda _: 5) == 0


@given(VOTERS, VALUES)
def test_the_quorums_value_is_the_highest_that_a_majority_has_reached(voters: tuple[int, ...], values: dict[int, int]) -> None:
    reached = [value for value in range(7) if wins(voters, {voter for voter in voters if values.get(voter, 0) >= value})]
    assert quorum_value(voters, lambda voter: values.get(voter, 0)) == max(reached)


def outcome(configuration: Configuration, votes: dict[int, bool]) -> bool | None:
    """True: however the others vote, it is won. False: however they vote, it is not."""
    voters = {*configuration.voters, *configuration.old_voters}
    open_votes = sorted(voters - set(votes))
    cast = {voter for voter, is_granted in votes.items() if is_granted}
    results = {decides(configuration, cast | more) for more in groups(tuple(open_votes))}
    return results.pop() if len(results) == 1 else None


@given(VOTERS, VOTES)
def test_an_election_is_decided_when_the_missing_votes_cannot_change_it(voters: tuple[int, ...], votes: dict[int, bool]) -> None:
    assert is_won(voters, votes) is outcome(Configuration(voters), votes)


# ---------------------------------------------------------------- two majorities at once


@given(CONFIGURATIONS, st.sets(st.integers(1, 9)))
def test_a_joint_decision_needs_a_majority_of_each(configuration: Configuration, group: set[int]) -> None:
    assert configuration.has_quorum(group.__contains__) is decides(configuration, group)


@given(CONFIGURATIONS, VALUES)
def test_a_joint_quorums_value_is_the_highest_that_both_have_reached(
    configuration: Configuration, values: dict[int, int]
) -> None:
    reached = [value for value in range(7) if decides(configuration, {v for v in range(1, 10) if values.get(v, 0) >= value})]
    assert configuration.quorum_value(lambda voter: values.get(voter, 0)) == max(reached)


@given(CONFIGURATIONS, st.dictionaries(st.integers(1, 9), st.booleans(), min_size=5))
def test_a_joint_election_is_decided_when_the_missing_votes_cannot_change_it(
    configuration: Configuration, votes: dict[int, bool]
) -> None:
    """But for one case that nobody waits for: two halves that are open and exclude each other."""
    found, expected = configuration.is_won(votes), outcome(configuration, votes)
    assert found is expected or (found is None and expected is False)
    assert (found is True) is (expected is True)


SMALL = st.lists(st.integers(1, 5), min_size=1, max_size=4, unique=True).map(lambda ids: tuple(sorted(ids)))


@given(SMALL, SMALL)
def test_whoever_decides_before_a_change_and_whoever_during_it_share_a_voter(old: tuple[int, ...], new: tuple[int, ...]) -> None:
    """And so do those during it and after it, however different old and new are. Paper: Raft, section 6."""
    before = Configuration(old)
    joint = before.joined_with(new, ())
    after = joint.left()
    everyone = tuple(sorted({*old, *new}))
    for one, other in ((before, joint), (joint, after), (before, before), (joint, joint), (after, after)):
        first = [group for group in groups(everyone) if one.has_quorum(group.__contains__)]
        second = [group for group in groups(everyone) if other.has_quorum(group.__contains__)]
        assert first
        assert all(mine & theirs for mine in first for theirs in second)


def test_without_the_joint_step_two_majorities_may_not_meet() -> None:
    """Why it is there: figure 10 of the paper, from 1 2 3 to 1 2 3 4 5."""
    old, new = Configuration.of(1, 2, 3), Configuration.of(1, 2, 3, 4, 5)
    assert old.has_quorum({1, 2}.__contains__)
    assert new.has_quorum({3, 4, 5}.__contains__)
