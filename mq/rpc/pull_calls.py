"""What a reader of queues asks of brokers: messages from an offset on, the ends of a queue, and how far its group is."""

from collections.abc import Sequence
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from mq.client.errors import check_answer, check_code
from mq.client.route_cache import KnownQueue
from mq.client.views import PulledMessage
from mq.core.errors import Code, RefusedError
from mq.proto import broker_v1_pb2 as broker_pb
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.routing import Routing
from mq.rpc.spans import POLL_MARGIN_S, span
from mq.rpc.views import to_client, to_message

__all__ = ["Page", "PullCalls"]


class Page(NamedTuple):
    """Messages of a queue, in order, and the offset to go on from."""

    messages: list[PulledMessage]
    next_offset: int


class PullCalls:
    """For the readers of one group; empty for one that keeps its offsets itself. Raises, everywhere: MqError."""

    def __init__(self, routing: Routing, group: str) -> None:
        self._routing, self._group = routing, group

    async def pull(self, queue: KnownQueue, offset: int, *, count: int, wait_ms: int, tags: str) -> Page:
        """Up to `count` messages; at the queue's end those that come within `wait_ms`.

        Raises: RefusedError (ILLEGAL_OFFSET) for an offset outside of the queue. RocketMQ: PullMessage.
        """
        request = pb.PullMessageRequest(message_queue=_named(queue), offset=offset, batch_size=count)
        request.long_polling_timeout.CopyFrom(span(wait_ms))
        request.filter_expression.type, request.filter_expression.expression = pb.TAG, tags
        if self._group:
            request.group.name = self._group
        found: list[PulledMessage] = []
        next_offset = offset
        stream = self._routing.stream(queue.addresses, "PullMessage", request, timeout_s=wait_ms / 1000 + POLL_MARGIN_S)
        async for part in stream:
            match part.WhichOneof("content"):
                case "status" if part.status.code != Code.MESSAGE_NOT_FOUND:
                    check_code(part.status.code, part.status.message)
                case "message":
                    at = part.message.system_properties.queue_offset
                    view = to_message(part.message, queue.name.topic, queue.name.queue_id, at, 0)
                    found.append(PulledMessage(view, queue.name))
                case "next_offset":
                    next_offset = part.next_offset
        return Page(found, next_offset)

    async def ends(self, queue: KnownQueue) -> tuple[int, int]:
        """The lowest offset that is kept, and the next one to be given. RocketMQ: QueryOffset."""
        low = await self._offset(queue, pb.BEGINNING)
        return low, await self._offset(queue, pb.END)

    async def offset_at(self, queue: KnownQueue, time_ms: int) -> int:
        """Of the first message stored at or after a Unix time; the queue's end when there is none. RocketMQ: QueryOffset."""
        return await self._offset(queue, pb.TIMESTAMP, Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000))

    async def _offset(self, queue: KnownQueue, policy: "pb.QueryOffsetPolicy.ValueType", stamp: Timestamp | None = None) -> int:
        request = pb.QueryOffsetRequest(message_queue=_named(queue), query_offset_policy=policy, timestamp=stamp)
        response = await self._routing.call(queue.addresses, "QueryOffset", request)
        check_code(response.status.code, response.status.message)
        return int(response.offset)

    async def committed(self, queue: KnownQueue) -> int | None:
        """Where the group goes on; None where it never was. RocketMQ: GetOffset."""
        request = pb.GetOffsetRequest(message_queue=_named(queue), group=pb.Resource(name=self._group))
        response = await self._routing.call(queue.addresses, "GetOffset", request)
        if response.status.code in (Code.OFFSET_NOT_FOUND, Code.CONSUMER_GROUP_NOT_FOUND):
            return None
        check_code(response.status.code, response.status.message)
        return int(response.offset)

    async def commit(self, queue: KnownQueue, offset: int) -> None:
        """The group goes on there. RocketMQ: UpdateOffset."""
        request = pb.UpdateOffsetRequest(message_queue=_named(queue), group=pb.Resource(name=self._group), offset=offset)
        response = await self._routing.call(queue.addresses, "UpdateOffset", request)
        check_code(response.status.code, response.status.message)

    async def members(self) -> Sequence[str]:
        """The pull consumers of the group that brokers have heard of lately."""
        response = await self._routing.ask("DescribeGroup", broker_pb.DescribeGroupRequest(name=self._group))
        try:
            check_answer(response)
        except RefusedError as error:
            if error.code == Code.CONSUMER_GROUP_NOT_FOUND:
                return ()
            raise
        clients = map(to_client, response.clients)
        return [one.client_id for one in clients if one.type == "pull_consumer" and one.last_heard_ms <= _ALIVE_MS]


_ALIVE_MS = 30_000
"""A member that has not been heard of for so long is none. Heartbeats come each 10 s."""


def _named(queue: KnownQueue) -> pb.MessageQueue:
    named = pb.MessageQueue(id=queue.name.queue_id)
    named.topic.name, named.broker.name = queue.name.topic, queue.name.broker
    return named
