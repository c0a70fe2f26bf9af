"""Registrations cross the wire as they are; what makes no sense is refused by its field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.core.errors import IllegalArgumentError
from mq.core.message import MessageKind, Permission
from mq.proto import registry_v1_pb2 as pb
from mq.registry.registration import ConsumerGroupEntry, Registration, Replication, Role, Serial, TopicEntry
from mq.registry.table import RegistryTable
from mq.rpc.registration_codec import cluster_of, cluster_to, registration_of, registration_to

names = st.text("abcxyz-0123456789", min_size=1, max_size=20)
numbers = st.integers(0, 1 << 40)
topics = st.builds(TopicEntry, names, st.sampled_from(MessageKind), st.integers(0, 1000), st.sampled_from(Permission))
registrations = st.builds(
    Registration, names, names, st.integers(0, 255), st.builds(Serial, numbers, numbers), st.sampled_from(Replication),
    st.sampled_from(Role), numbers, numbers, names, st.lists(names, min_size=1, max_size=5).map(tuple), numbers, numbers,
    st.booleans(), st.lists(topics, max_size=4).map(tuple),
    st.lists(st.builds(ConsumerGroupEntry, names, st.booleans()), max_size=3).map(tuple), st.lists(names, max_size=3).map(tuple),
)  # fmt: skip


@given(registrations)
def test_a_registration_is_the_same_behind_the_wire(said: Registration) -> None:
    assert registration_of(pb.Registration.FromString(registration_to(said).SerializeToString())) == said


@given(st.lists(registrations, max_size=6), numbers)
def test_so_is_a_registry_at_a_glance(said: list[Registration], now_ms: int) -> None:
    table = RegistryTable(1 << 50)
    for one in said:
        table.register(one, 0)
    view = table.view(now_ms)
    assert cluster_of(list(pb.DescribeClusterResponse.FromString(
        pb.DescribeClusterResponse(groups=cluster_to(view)).SerializeToString()
    ).groups)) == view  # fmt: skip


GOOD = {
    "broker": "broker-a", "address": "h:1", "addresses": ["h:1"], "replication": "raft", "role": "leader",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"broker": ""}, "registration: broker, address and addresses must all be given"),
        ({"addresses": []}, "registration: broker, address and addresses must all be given"),
        ({"role": "king"}, "role: 'king' is none of leader, follower, learner, master, slave"),
        ({"replication": "paxos"}, "replication: 'paxos' is none of solo, master_slave, raft"),
        ({"topics": [pb.TopicEntry(name="t", permission=pb.TopicEntry().permission)]}, "topics.type: 0 is none of 1, 2, 3, 4"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(change: dict[str, object], told: str) -> None:
    with pytest.raises(IllegalArgumentError) as refused:
        registration_of(pb.Registration(**(GOOD | change)))  # type: ignore[arg-type]
    assert str(refused.value) == told
