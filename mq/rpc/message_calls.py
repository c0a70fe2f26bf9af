"""Single messages over the RocketMQ client protocol, one attempt a call, for programs that run an event loop.

Nothing is repeated here: whoever calls sees each attempt and how it ended, as is needed to judge what a broker does.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

from mq.client.encoding import MessageEncoder
from mq.client.errors import check_code
from mq.core.address import show_address
from mq.core.errors import Code, MqError
from mq.core.message import MessageKind
from mq.proto import broker_v1_pb2 as broker_pb
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.calling import CHANNEL_OPTIONS, client_headers, error_of_rpc, new_client_id, parse_endpoints
from mq.rpc.methods import server_stream, unary
from mq.rpc.spans import POLL_MARGIN_S

__all__ = ["Delivered", "MessageCalls", "Received", "read_message"]

_QUICK = (
    ("grpc.initial_reconnect_backoff_ms", 50), ("grpc.min_reconnect_backoff_ms", 500), ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),
)  # fmt: skip
_OVERRIDDEN = {name for name, _ in _QUICK}


class Delivered(NamedTuple):
    """A message as a consumer got it, with the handle that acknowledges it."""

    message_id: str
    body: bytes
    queue_id: int
    offset: int
    attempt: int
    handle: str


class Received(NamedTuple):
    """What one receive came to. error: why it is not whole; there may be more messages in flight then."""

    messages: tuple[Delivered, ...]
    error: MqError | None


class MessageCalls:
    """Calls over one connection at a time. endpoints: one is used until `use_next`. timeout_s: for a call. Use `async with`."""

    def __init__(self, endpoints: str, *, first: int = 0, timeout_s: float = 3.0) -> None:
        self._addresses = parse_endpoints(endpoints)
        self._turn, self._timeout_s = first, timeout_s
        self._client_id = new_client_id()
        self._channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> "MessageCalls":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._channel is not None:
            await self._channel.close()

    async def use_next(self) -> None:
        """Another endpoint from now on."""
        channel, self._channel = self._channel, None
        self._turn += 1
        if channel is not None:
            await channel.close()

    @property
    def where(self) -> str:
        """The endpoint in use."""
        return show_address(self._addresses[self._turn % len(self._addresses)])

    def _open(self) -> grpc.aio.Channel:
        if self._channel is None:
            options = [*(one for one in CHANNEL_OPTIONS if one[0] not in _OVERRIDDEN), *_QUICK]
            self._channel = grpc.aio.insecure_channel(self.where, options=options)
        return self._channel

    async def _call(self, name: str, request: Any) -> Any:
        try:
            headers = client_headers(self._client_id)
            return await unary(self._open(), name)(request, timeout=self._timeout_s, metadata=headers)
        except grpc.aio.AioRpcError as failure:
            raise error_of_rpc(failure, self.where, self._timeout_s) from None

    async def send(self, topic: str, message_id: str, body: bytes, *, message_group: str = "") -> int:
        """Store one message; its queue offset. Raises: MqError; whether it may be stored says its `definite`."""
        kind = MessageKind.FIFO if message_group else MessageKind.NORMAL
        encoded = MessageEncoder(kind=kind, message_group=message_group).encode(message_id, body, born_ms=0)
        request = pb.SendMessageRequest(messages=[pb.Message.FromString(encoded)])
        request.messages[0].topic.name = topic
        response = await self._call("SendMessage", request)
        check_code(response.status.code, response.status.message)
        return int(response.entries[0].offset)

    async def receive(self, topic: str, group: str, *, count: int, wait_s: float, invisible_s: float) -> Received:
        """Up to `count` messages, hidden from others of the group for `invisible_s`. An error is returned, with what came."""
        request = pb.ReceiveMessageRequest(batch_size=count, invisible_duration=_span(invisible_s))
        request.group.name, request.message_queue.topic.name, request.message_queue.id = group, topic, -1
        request.long_polling_timeout.CopyFrom(_span(wait_s))
        request.filter_expression.type, request.filter_expression.expression = pb.TAG, "*"
        found: list[Delivered] = []
        try:
            stream = server_stream(self._open(), "ReceiveMessage")
            async for part in stream(request, timeout=wait_s + POLL_MARGIN_S, metadata=client_headers(self._client_id)):
                if part.HasField("message"):
                    found.append(_delivered(part.message))
                elif part.HasField("status") and part.status.code != Code.MESSAGE_NOT_FOUND:
                    check_code(part.status.code, part.status.message)
        except grpc.aio.AioRpcError as failure:
            return Received(tuple(found), error_of_rpc(failure, self.where, wait_s + POLL_MARGIN_S))
        except MqError as error:
            return Received(tuple(found), error)
        return Received(tuple(found), None)

    async def ack(self, topic: str, group: str, messages: Sequence[Delivered]) -> list[bool]:
        """Acknowledge deliveries; for each whether it is done now, or was refused. Raises: MqError."""
        request = pb.AckMessageRequest()
        request.group.name, request.topic.name = group, topic
        for one in messages:
            request.entries.add(message_id=one.message_id, receipt_handle=one.handle)
        response = await self._call("AckMessage", request)
        if len(response.entries) != len(messages):
            check_code(response.status.code, response.status.message)
        return [_is_done(entry.status) for entry in response.entries]

    async def lag(self, group: str) -> dict[str, int]:
        """How many messages of each topic a group has not acknowledged yet; of those that it ever asked for. Raises: MqError."""
        found = await self._call("DescribeGroup", broker_pb.DescribeGroupRequest(name=group))
        check_code(found.code, found.message)
        lags: dict[str, int] = {}
        for row in found.queues:
            lags[row.topic] = lags.get(row.topic, 0) + row.lag
        return lags


def read_message(raw: bytes) -> tuple[str, bytes]:
    """Id and body of a stored message, as `BatchFetcher` hands it out."""
    message = pb.Message.FromString(raw)
    return message.system_properties.message_id, message.body


def _is_done(status: pb.Status) -> bool:
    if 40000 <= status.code < 50000:
        return False
    check_code(status.code, status.message)
    return True


def _span(seconds: float) -> Duration:
    return Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))


def _delivered(message: pb.Message) -> Delivered:
    system = message.system_properties
    return Delivered(
        system.message_id, message.body, system.queue_id, system.queue_offset, system.delivery_attempt, system.receipt_handle
    )
