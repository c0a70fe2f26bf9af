"""A node of a group, as far as commands ask it for its group."""

from mq.proto import broker_v1_pb2 as b
from tests.unit.cli.fake_broker import OK, FakeBroker

__all__ = ["FakeNode"]


class FakeNode(FakeBroker):
    """A node of a group: it also answers the calls that concern it. state: what it says of itself."""

    def __init__(self, node_id: int) -> None:
        self.state = b.DescribeRaftResponse(
            code=OK, name="broker-a", node_id=node_id, role="follower", part="full", term=3, leader=1, commit_index=90,
            applied_index=80, first_index=1, last_index=90, durable_index=90, snapshot_index=5, voters=[1, 2],
        )  # fmt: skip
        super().__init__()

    def on_DescribeRaft(self, _request: b.DescribeRaftRequest) -> b.DescribeRaftResponse:  # noqa: N802 - as the RPC
        return self.state

    def on_TransferLeadership(self, request: b.TransferLeadershipRequest) -> b.TransferLeadershipResponse:  # noqa: N802
        return b.TransferLeadershipResponse(code=OK, leader=request.to)

    def on_ChangeMembers(self, request: b.ChangeMembersRequest) -> b.ChangeMembersResponse:  # noqa: N802
        learners = [request.add_learner.node_id] if request.HasField("add_learner") else []
        return b.ChangeMembersResponse(code=OK, voters=[1, 2, *([request.promote] if request.promote else [])], learners=learners)
