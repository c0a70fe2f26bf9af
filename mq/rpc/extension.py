"""Our own service: definitions, look-ups, the state of the node.

Batches are in `mq.rpc.batches`, what concerns the group in `mq.rpc.raft_handlers`.
"""

from typing import Any

from mq.broker.batch import StoredMessage
from mq.broker.exchange import QueueOfGroup
from mq.broker.state import Group, Topic
from mq.core.errors import Code, RefusedError
from mq.core.message import MessageKind, Permission
from mq.proto import broker_v1_pb2 as pb
from mq.rpc import validate
from mq.rpc.backend import AdminPort
from mq.rpc.batches import BatchHandlers
from mq.rpc.handling import Context, Handler
from mq.rpc.methods import BROKER
from mq.rpc.raft_handlers import RaftHandlers
from mq.rpc.wire import parse

__all__ = ["ExtensionHandlers"]

_OK = int(Code.OK)
_QUERY_MAX = 32


class ExtensionHandlers:
    """One handler for each RPC of the service; `by_name` is the table to register."""

    def __init__(self, admin: AdminPort, batches: BatchHandlers, raft: RaftHandlers) -> None:
        self._admin = admin
        self.by_name: dict[str, Handler] = {
            "CreateTopic": self.create_topic,
            "DeleteTopic": self.delete_topic,
            "ListTopics": self.list_topics,
            "DescribeTopic": self.describe_topic,
            "CreateGroup": self.create_group,
            "DeleteGroup": self.delete_group,
            "ListGroups": self.list_groups,
            "DescribeGroup": self.describe_group,
            "ResetGroup": self.reset_group,
            "PeekMessages": self.peek_messages,
            "GetMessage": self.get_message,
            "QueryMessages": self.query_messages,
            "DescribeBroker": self.describe_broker,
            "SendBatches": batches.send_batches,
            "FetchBatches": batches.fetch_batches,
            **raft.by_name,
        }

    @staticmethod
    def refuse(name: str, code: int, text: str) -> Any:
        """The response message of an RPC that reports an error."""
        return BROKER[name].response(code=code, message=text)

    # --- topics

    async def create_topic(self, raw: bytes, _context: Context) -> bytes:
        """Define a topic, or change what the request names."""
        request = parse(pb.CreateTopicRequest, raw)
        name = validate.check_own_topic(request.name)
        kind, permission = int(request.type), int(request.permission)
        if kind and kind not in tuple(MessageKind):
            raise RefusedError(
                Code.BAD_REQUEST, f"type: {kind} is none of {', '.join(f'{int(k)} ({k.name})' for k in MessageKind)}"
            )
        if permission and permission not in tuple(Permission):
            raise RefusedError(
                Code.BAD_REQUEST, f"permission: {permission} is none of {', '.join(f'{int(p)} ({p.name})' for p in Permission)}"
            )
        topic = await self._admin.create_topic(name, kind, request.queues, permission)
        return pb.CreateTopicResponse(code=_OK, topic=_topic(topic)).SerializeToString()

    async def delete_topic(self, raw: bytes, _context: Context) -> bytes:
        """Forget a topic and its messages."""
        await self._admin.delete_topic(parse(pb.DeleteTopicRequest, raw).name)
        return pb.DeleteTopicResponse(code=_OK).SerializeToString()

    async def list_topics(self, _raw: bytes, _context: Context) -> bytes:
        """All topics."""
        return pb.ListTopicsResponse(code=_OK, topics=[_topic(t) for t in self._admin.topics()]).SerializeToString()

    async def describe_topic(self, raw: bytes, _context: Context) -> bytes:
        """One topic: its queues, and how far each group is behind."""
        topic = self._admin.topic(parse(pb.DescribeTopicRequest, raw).name)
        response = pb.DescribeTopicResponse(code=_OK, topic=_topic(topic))
        for queue in topic.queues:
            response.queues.add(queue_id=queue.queue_id, min_offset=queue.min_offset, max_offset=queue.max_offset)
        for group in self._admin.groups():
            rows = self._admin.progress(group.name, topic.name) if topic.name in group.tables else []
            if rows:
                response.groups.add(group=group.name, lag=sum(r.lag for r in rows), in_flight=sum(r.in_flight for r in rows))
        return response.SerializeToString()

    # --- groups

    async def create_group(self, raw: bytes, _context: Context) -> bytes:
        """Define a consumer group, or change what the request names."""
        request = parse(pb.CreateGroupRequest, raw)
        name = validate.check_group(request.name)
        is_fifo = request.is_fifo if request.HasField("is_fifo") else None
        group = await self._admin.create_group(name, is_fifo=is_fifo, max_attempts=request.max_attempts)
        return pb.CreateGroupResponse(code=_OK, group=_group(group)).SerializeToString()

    async def delete_group(self, raw: bytes, _context: Context) -> bytes:
        """Forget a consumer group and its progress."""
        await self._admin.delete_group(parse(pb.DeleteGroupRequest, raw).name)
        return pb.DeleteGroupResponse(code=_OK).SerializeToString()

    async def list_groups(self, _raw: bytes, _context: Context) -> bytes:
        """All consumer groups."""
        return pb.ListGroupsResponse(code=_OK, groups=[_group(g) for g in self._admin.groups()]).SerializeToString()

    async def describe_group(self, raw: bytes, _context: Context) -> bytes:
        """One group: progress in each queue, and its clients."""
        name = parse(pb.DescribeGroupRequest, raw).name
        response = pb.DescribeGroupResponse(
            code=_OK, group=_group(self._admin.group(name)), queues=_rows(self._admin.progress(name))
        )
        for client in self._admin.clients_of(name):
            response.clients.add(
                client_id=client.client_id, type=client.client_type, language=client.language, version=client.version,
                address=client.address, last_heard_ms=client.silent_ms,
            )  # fmt: skip
        return response.SerializeToString()

    async def reset_group(self, raw: bytes, _context: Context) -> bytes:
        """Set where a group goes on."""
        request = parse(pb.ResetGroupRequest, raw)
        validate.check_group(request.group)
        match request.WhichOneof("to"):
            case "offset":
                rows = await self._admin.reset(request.group, request.topic, offset=request.offset)
            case "time_ms":
                rows = await self._admin.reset(request.group, request.topic, time_ms=request.time_ms)
            case "end" if request.end in (pb.EARLIEST, pb.LATEST):
                rows = await self._admin.reset(
                    request.group, request.topic, end="earliest" if request.end == pb.EARLIEST else "latest"
                )
            case _:
                raise RefusedError(Code.BAD_REQUEST, "to: one of end (EARLIEST or LATEST), offset, time_ms is needed")
        return pb.ResetGroupResponse(code=_OK, queues=_rows(rows)).SerializeToString()

    # --- stored messages

    async def peek_messages(self, raw: bytes, _context: Context) -> bytes:
        """Look at stored messages; no group is affected."""
        request = parse(pb.PeekMessagesRequest, raw)
        found, after = await self._admin.peek(request.topic, request.queue_id, request.offset, request.count)
        low, high = self._admin.queue_ends(request.topic, request.queue_id)
        text = request.text.encode()
        stored = [_stored(request.queue_id, offset, m) for offset, m in found if text in m.stored]
        return pb.PeekMessagesResponse(
            code=_OK, messages=stored, next_offset=after, min_offset=low, max_offset=high
        ).SerializeToString()

    async def get_message(self, raw: bytes, _context: Context) -> bytes:
        """One stored message by its place."""
        request = parse(pb.GetMessageRequest, raw)
        low, high = self._admin.queue_ends(request.topic, request.queue_id)
        if not low <= request.offset < high:
            raise RefusedError(
                Code.MESSAGE_NOT_FOUND,
                f"no message at offset {request.offset} of queue {request.queue_id} in {request.topic}: "
                + (f"it holds {low} to {high - 1}" if low < high else "it is empty"),
            )
        found, _ = await self._admin.peek(request.topic, request.queue_id, request.offset, 1)
        if not found or found[0][0] != request.offset:
            raise RefusedError(Code.MESSAGE_NOT_FOUND, f"the message at offset {request.offset} is gone: retention took it")
        ((offset, message),) = found
        return pb.GetMessageResponse(code=_OK, stored=_stored(request.queue_id, offset, message)).SerializeToString()

    async def query_messages(self, raw: bytes, _context: Context) -> bytes:
        """Stored messages by message id."""
        request = parse(pb.QueryMessagesRequest, raw)
        if request.WhichOneof("by") != "message_id":
            raise RefusedError(Code.NOT_IMPLEMENTED, "look-up by key comes with a later stage; look up by message_id")
        found = await self._admin.find(request.topic, request.message_id, min(request.count or _QUERY_MAX, _QUERY_MAX))
        return pb.QueryMessagesResponse(code=_OK, messages=[_stored(*one) for one in found]).SerializeToString()

    async def describe_broker(self, _raw: bytes, _context: Context) -> bytes:
        """The node at a glance."""
        s = self._admin.state()
        return pb.DescribeBrokerResponse(
            code=_OK, name=s.name, node_id=s.node_id, role=s.role, version=s.version, first_index=s.first_index,
            last_index=s.last_index, durable_end=s.durable_end, applied_index=s.applied_index, segments=s.segments,
            uptime_ms=s.uptime_ms, replication=s.replication,
        ).SerializeToString()  # fmt: skip


def _topic(topic: Topic) -> pb.Topic:
    return pb.Topic(name=topic.name, type=int(topic.kind), queues=len(topic.queues), permission=int(topic.permission))  # type: ignore[arg-type]


def _group(group: Group) -> pb.Group:
    return pb.Group(name=group.name, is_fifo=group.is_fifo, max_attempts=group.max_attempts)


def _rows(rows: list[QueueOfGroup]) -> list[pb.QueueProgress]:
    return [
        pb.QueueProgress(
            topic=r.topic,
            queue_id=r.queue_id,
            consumer_offset=r.consumer_offset,
            max_offset=r.max_offset,
            lag=r.lag,
            in_flight=r.in_flight,
        )
        for r in rows
    ]


def _stored(queue_id: int, offset: int, message: StoredMessage) -> pb.StoredMessage:
    return pb.StoredMessage(queue_id=queue_id, offset=offset, store_ms=message.wall_ms, message=message.stored)
