"""The group over our own service: what a node says of itself, and the words for changing it."""

from typing import Any, cast

import pytest

from mq.client.raft_views import AddressView, PeerView
from mq.core.errors import RefusedError
from mq.core.ids import EntryId, LogIndex, Term
from mq.proto import broker_v1_pb2 as pb
from mq.raft.configuration import Configuration
from mq.raft.role import Role
from mq.raft.view import NodeView
from mq.raft.view import PeerView as Peer
from mq.rpc.handling import Context
from mq.rpc.raft_handlers import MemberAddress, Promoted, RaftHandlers, RaftState
from mq.rpc.views import to_raft

NOBODY = cast(Context, None)


class Group:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.members = Configuration((1, 2), (1, 2, 3), (4,))
        self.vote: int | None = 1

    def describe(self, *, with_state_hash: bool) -> RaftState:
        peers = (Peer(2, "replicate", LogIndex(9), LogIndex(12), 2, True), Peer(4, "probe", LogIndex(0), LogIndex(1), 0, False))
        view = NodeView(
            1, Role.LEADER, Term(7), self.vote, 1, LogIndex(10), LogIndex(10), LogIndex(8), LogIndex(3), LogIndex(11),
            EntryId(Term(6), LogIndex(12)), EntryId(Term(5), LogIndex(4)), self.members, peers, is_transferring=True,
        )  # fmt: skip
        addresses = [MemberAddress(1, "a:1", "a:2"), MemberAddress(4, "d:1", "")]
        hashed = (8, 4_000_000_000) if with_state_hash else None
        return RaftState("broker-a", view, "full", True, 6, addresses, hashed, [("raft", "x.Raft", 5)])

    async def transfer(self, to: int) -> int:
        self.asked.append(("transfer", to))
        return to or 2

    async def add_learner(self, node: int, peer: str, client: str) -> Configuration:
        self.asked.append(("add", node, peer, client))
        return self.members

    async def promote(self, node: int) -> Configuration:
        self.asked.append(("promote", node))
        return self.members

    async def remove(self, node: int) -> Configuration:
        self.asked.append(("remove", node))
        return self.members

    async def set_writable(self, broker: str, *, is_writable: bool) -> None:
        self.asked.append(("set_writable", broker, is_writable))

    async def promote_master(self, *, is_alone: bool, is_forced: bool) -> Promoted:
        self.asked.append(("promote master", is_alone, is_forced))
        return Promoted(2, 4, needs_slave=not is_alone)


@pytest.fixture
def group() -> Group:
    return Group()


async def described(group: Group, **request: bool) -> pb.DescribeRaftResponse:
    raw = pb.DescribeRaftRequest(**request).SerializeToString()
    return pb.DescribeRaftResponse.FromString(await RaftHandlers(group).describe_raft(raw, NOBODY))


async def change(group: Group, **request: Any) -> pb.ChangeMembersResponse:
    raw = pb.ChangeMembersRequest(**request).SerializeToString()
    return pb.ChangeMembersResponse.FromString(await RaftHandlers(group).change_members(raw, NOBODY))


async def test_a_leader_says_all_that_it_knows(group: Group) -> None:
    view = to_raft(await described(group))
    assert (view.name, view.node, view.role, view.part, view.term, view.vote, view.leader) == (
        "broker-a", 1, "leader", "full", 7, 1, 1,
    )  # fmt: skip
    assert (view.first_index, view.applied_index, view.commit_index, view.durable_index, view.last_index, view.last_term) == (
        3, 8, 10, 11, 12, 6,
    )  # fmt: skip
    assert (view.voters, view.old_voters, view.learners) == ((1, 2), (1, 2, 3), (4,))
    assert (view.snapshot_index, view.is_changing, view.is_transferring) == (6, True, True)
    assert view.peers == (
        PeerView(2, "replicate", 9, 12, 2, is_active=True, lag=3),
        PeerView(4, "probe", 0, 1, 0, is_active=False, lag=12),
    )
    assert view.addresses == (AddressView(1, "a:1", "a:2"), AddressView(4, "d:1", ""))
    assert [(organ.name, organ.class_name, organ.calls) for organ in view.organs] == [("raft", "x.Raft", 5)]


async def test_who_comes_in_by_another_listener_is_told_the_addresses_of_that_side(group: Group) -> None:
    raw = await RaftHandlers(group, {4: "outside:4", 9: "outside:9"}).describe_raft(b"", NOBODY)
    view = to_raft(pb.DescribeRaftResponse.FromString(raw))
    assert view.addresses == (AddressView(1, "a:1", "a:2"), AddressView(4, "d:1", "outside:4"))


async def test_what_is_not_known_is_none_and_not_node_0(group: Group) -> None:
    group.vote = None
    assert to_raft(await described(group)).vote is None


async def test_the_state_is_hashed_when_that_is_asked_for(group: Group) -> None:
    assert to_raft(await described(group)).state_hash is None
    view = to_raft(await described(group, with_state_hash=True))
    assert (view.state_index, view.state_hash) == (8, 4_000_000_000)


async def test_each_change_is_one_call(group: Group) -> None:
    answer = await change(group, add_learner=pb.ChangeMembersRequest.Add(node_id=4, peer_address="d:1", client_address="d:2"))
    assert (tuple(answer.voters), tuple(answer.learners)) == ((1, 2), (4,))
    await change(group, promote=4)
    await change(group, remove=1)
    handlers = RaftHandlers(group)
    raw = await handlers.transfer_leadership(pb.TransferLeadershipRequest(to=2).SerializeToString(), NOBODY)
    assert pb.TransferLeadershipResponse.FromString(raw).leader == 2
    await handlers.transfer_leadership(b"", NOBODY)
    assert group.asked == [("add", 4, "d:1", "d:2"), ("promote", 4), ("remove", 1), ("transfer", 2), ("transfer", 0)]


@pytest.mark.parametrize("request_fields", [{}, {"promote": 0}, {"remove": 256}, {"add_learner": pb.ChangeMembersRequest.Add()}])
async def test_what_names_no_node_is_refused(group: Group, request_fields: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match=r"outside of 1 to 255|one of add_learner, promote, remove"):
        await change(group, **request_fields)
    assert group.asked == []
