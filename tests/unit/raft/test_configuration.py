"""Configurations: members, the way from one to another, bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.core.errors import FormatError
from mq.raft.configuration import Configuration

IDS = st.lists(st.integers(1, 12), max_size=5, unique=True).map(lambda ids: tuple(sorted(ids)))
SOME = st.lists(st.integers(1, 12), min_size=1, max_size=5, unique=True).map(lambda ids: tuple(sorted(ids)))
CONFIGURATIONS = st.builds(Configuration, SOME, IDS, IDS)


@given(CONFIGURATIONS)
def test_bytes_and_back(configuration: Configuration) -> None:
    assert Configuration.from_bytes(configuration.to_bytes()) == configuration


@given(CONFIGURATIONS)
def test_equal_ones_have_equal_bytes_in_whatever_order_they_were_written(configuration: Configuration) -> None:
    shuffled = {name: list(reversed(ids)) for name, ids in configuration._asdict().items()}
    found = Configuration.from_bytes(json.dumps(shuffled).encode())
    assert found == configuration
    assert found.to_bytes() == configuration.to_bytes()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\x00",
        b"{}",
        b'{"voters":[1],"old_voters":[]}',
        b'{"voters":"x","old_voters":[],"learners":[]}',
        b'{"voters":5,"old_voters":[],"learners":[]}',
        b'{"voters":[null],"old_voters":[],"learners":[]}',
        b'{"voters":[],"old_voters":[],"learners":[1]}',
    ],
)
def test_other_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(FormatError):
        Configuration.from_bytes(payload)


@given(CONFIGURATIONS)
def test_everyone_is_a_member_and_only_voters_vote(configuration: Configuration) -> None:
    voters = {*configuration.voters, *configuration.old_voters}
    assert configuration.members == tuple(sorted(voters | set(configuration.learners)))
    assert {node_id for node_id in range(13) if configuration.is_voter(node_id)} == voters


@given(SOME, IDS, SOME, IDS)
def test_the_way_to_another_goes_by_both_and_ends_there(
    voters: tuple[int, ...], learners: tuple[int, ...], wanted: tuple[int, ...], to_learn: tuple[int, ...]
) -> None:
    now = Configuration(voters, (), tuple(sorted(set(learners) - set(voters))))
    joint = now.joined_with(wanted, to_learn)
    assert joint.is_joint
    assert (joint.voters, joint.old_voters) == (wanted, voters)
    assert not set(joint.learners) & set(joint.voters)
    after = joint.left()
    assert not after.is_joint
    assert after == Configuration(wanted, (), tuple(sorted(set(to_learn) - set(wanted))))


@given(SOME)
def test_of_sorts(ids: tuple[int, ...]) -> None:
    assert Configuration.of(*reversed(ids)) == Configuration(ids)
