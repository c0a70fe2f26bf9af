"""Topics, groups, stored messages and the broker itself, asked for by name: our own service, as blocking calls."""

from typing import Any

from mq.client.errors import check_answer
from mq.client.raft_views import MembersView, PromotedView, RaftView
from mq.client.views import (
    BrokerView,
    GroupDescription,
    GroupView,
    LagView,
    MessagePage,
    MessageView,
    ProgressView,
    QueueView,
    TopicDescription,
    TopicView,
)
from mq.core.message import MessageKind, Permission
from mq.proto import broker_v1_pb2 as pb
from mq.rpc.calling import Connection
from mq.rpc.views import to_broker, to_client, to_group, to_progress, to_raft, to_stored, to_topic

__all__ = ["AdminClient"]


class AdminClient:
    """Each method is one call. Raises: RefusedError, and what `Connection.call` raises."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _call(self, name: str, request: Any) -> Any:
        # Each of these calls leads to the same end when it is done twice.
        return self._connection.call(name, request, is_idempotent=True, check=check_answer)

    # --- topics

    def create_topic(
        self,
        name: str,
        *,
        kind: MessageKind | None = None,
        queues: int = 0,
        permission: Permission | None = None,
    ) -> TopicView:
        """Define a topic, or change its queues (it can only get more) and permission. One that is so already is fine.

        What is None or 0 stays as it is; a new topic is of type NORMAL, with 8 queues, READ_WRITE.
        """
        request = pb.CreateTopicRequest(name=name, type=int(kind or 0), queues=queues, permission=int(permission or 0))  # type: ignore[arg-type]
        return to_topic(self._call("CreateTopic", request).topic)

    def delete_topic(self, name: str) -> None:
        """Forget a topic and its messages."""
        self._call("DeleteTopic", pb.DeleteTopicRequest(name=name))

    def topics(self) -> list[TopicView]:
        """All topics."""
        return [to_topic(topic) for topic in self._call("ListTopics", pb.ListTopicsRequest()).topics]

    def describe_topic(self, name: str) -> TopicDescription:
        """One topic, its queues, and how far each group is behind."""
        found = self._call("DescribeTopic", pb.DescribeTopicRequest(name=name))
        return TopicDescription(
            to_topic(found.topic),
            tuple(QueueView(q.queue_id, q.min_offset, q.max_offset, q.broker) for q in found.queues),
            tuple(LagView(g.group, g.lag, g.in_flight) for g in found.groups),
        )

    # --- groups

    def create_group(self, name: str, *, is_fifo: bool | None = None, max_attempts: int = 0) -> GroupView:
        """Define a consumer group, or change its settings.

        What is None or 0 stays as it is; a new group is not fifo and tries 17 times.
        """
        request = pb.CreateGroupRequest(name=name, is_fifo=is_fifo, max_attempts=max_attempts)
        return to_group(self._call("CreateGroup", request).group)

    def delete_group(self, name: str) -> None:
        """Forget a group and its progress."""
        self._call("DeleteGroup", pb.DeleteGroupRequest(name=name))

    def groups(self) -> list[GroupView]:
        """All groups."""
        return [to_group(group) for group in self._call("ListGroups", pb.ListGroupsRequest()).groups]

    def describe_group(self, name: str) -> GroupDescription:
        """One group, its progress, and its clients."""
        found = self._call("DescribeGroup", pb.DescribeGroupRequest(name=name))
        return GroupDescription(
            to_group(found.group), tuple(map(to_progress, found.queues)), tuple(map(to_client, found.clients))
        )

    def reset_group(self, name: str, *, topic: str = "", to: str | int) -> list[ProgressView]:
        """Set where a group goes on. to: "earliest", "latest", or a queue offset. topic: "" for all that it has read."""
        request = pb.ResetGroupRequest(group=name, topic=topic)
        if isinstance(to, int):
            request.offset = to
        else:
            request.end = {"earliest": pb.EARLIEST, "latest": pb.LATEST}[to]
        return [to_progress(row) for row in self._call("ResetGroup", request).queues]

    # --- stored messages

    def peek(self, topic: str, queue_id: int, offset: int, count: int, *, text: str = "") -> MessagePage:
        """Messages of a queue from an offset on; no group is affected. text: only messages that contain it."""
        request = pb.PeekMessagesRequest(topic=topic, queue_id=queue_id, offset=offset, count=count, text=text)
        found = self._call("PeekMessages", request)
        messages = tuple(to_stored(stored, topic) for stored in found.messages)
        return MessagePage(messages, found.next_offset, found.min_offset, found.max_offset)

    def get_message(self, topic: str, queue_id: int, offset: int) -> MessageView:
        """One message by its place."""
        return to_stored(
            self._call("GetMessage", pb.GetMessageRequest(topic=topic, queue_id=queue_id, offset=offset)).stored, topic
        )

    def query_messages(self, topic: str, *, message_id: str = "", key: str = "", count: int = 0) -> list[MessageView]:
        """Messages by their id or by a key; one of the two. count: at most, 0 for the broker's default."""
        request = pb.QueryMessagesRequest(topic=topic, count=count)
        if message_id:
            request.message_id = message_id
        else:
            request.key = key
        return [to_stored(stored, topic) for stored in self._call("QueryMessages", request).messages]

    # --- the broker

    def describe_broker(self) -> BrokerView:
        """The broker at a glance."""
        return to_broker(self._call("DescribeBroker", pb.DescribeBrokerRequest()))

    # --- the nodes of its group

    def describe_raft(self, *, with_state_hash: bool = False) -> RaftView:
        """The node that is connected to. with_state_hash: also of its state as it is now; costs a snapshot."""
        return to_raft(self._call("DescribeRaft", pb.DescribeRaftRequest(with_state_hash=with_state_hash)))

    def transfer_leadership(self, to: int = 0) -> int:
        """Let this node lead, or for 0 whoever is furthest; returns who leads then."""
        return int(self._call("TransferLeadership", pb.TransferLeadershipRequest(to=to)).leader)

    def add_learner(self, node: int, peer: str, client: str = "") -> MembersView:
        """Give a new node the log. peer, client: HOST:PORT by which the other nodes and clients reach it."""
        add = pb.ChangeMembersRequest.Add(node_id=node, peer_address=peer, client_address=client)
        return self._change(pb.ChangeMembersRequest(add_learner=add))

    def promote(self, node: int) -> MembersView:
        """Make a learner that has caught up a voter."""
        return self._change(pb.ChangeMembersRequest(promote=node))

    def remove_member(self, node: int) -> MembersView:
        """Let a node go; a leader hands over first."""
        return self._change(pb.ChangeMembersRequest(remove=node))

    # --- its broker group

    def set_writable(self, broker: str, *, is_writable: bool) -> None:
        """Drain a broker group, so that it takes no more messages, or let it take part again. Either can be done twice."""
        self._call("SetWritable", pb.SetWritableRequest(broker=broker, is_writable=is_writable))

    def promote_master(self, *, is_alone: bool = False, is_forced: bool = False) -> PromotedView:
        """Make the node that is connected to the master; see `mq broker promote`."""
        request = pb.PromoteMasterRequest(is_alone=is_alone, is_forced=is_forced)
        found = self._connection.call("PromoteMaster", request, is_idempotent=False, check=check_answer)
        return PromotedView(found.node_id, found.epoch, found.needs_slave)

    def _change(self, request: pb.ChangeMembersRequest) -> MembersView:
        """Twice is not once here: the second time is refused."""
        response = self._connection.call("ChangeMembers", request, is_idempotent=False, check=check_answer)
        return MembersView(tuple(response.voters), tuple(response.learners))
