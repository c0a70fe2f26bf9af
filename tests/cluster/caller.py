"""A client as simple as can be, for tests that do one thing after the other."""

from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from mq.client.encoding import MessageEncoder
from mq.core.errors import Code
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.calling import client_headers
from mq.rpc.methods import server_stream, unary

__all__ = ["Caller"]


class Caller:
    """One client id on one connection. Use `with`. timeout_s: for each call; a receive may take so much longer than it waits."""

    def __init__(self, endpoint: str, client_id: str = "caller", *, timeout_s: float = 10.0) -> None:
        self._channel, self._client_id, self._timeout_s = grpc.insecure_channel(endpoint), client_id, timeout_s

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def call(self, name: str, request: Any) -> Any:
        """The response of a unary RPC. Raises: grpc.RpcError."""
        return unary(self._channel, name)(request, timeout=self._timeout_s, metadata=client_headers(self._client_id))

    def send(self, topic: str, message_id: str, body: bytes, *, message_group: str = "") -> Any:
        """Send one message."""
        kind = MessageKind.FIFO if message_group else MessageKind.NORMAL
        encoded = MessageEncoder(kind=kind, message_group=message_group).encode(message_id, body, born_ms=0)
        request = pb.SendMessageRequest(messages=[pb.Message.FromString(encoded)])
        request.messages[0].topic.name = topic
        return self.call("SendMessage", request)

    def receive(
        self, topic: str, group: str, *, count: int = 32, wait_s: float = 1.0, invisible_s: int = 10, queue_id: int = -1
    ) -> list[pb.Message]:
        """Messages; none when there was none. Raises: AssertionError for any other status, grpc.RpcError."""
        request = pb.ReceiveMessageRequest(batch_size=count, invisible_duration=Duration(seconds=invisible_s))
        request.group.name, request.message_queue.topic.name, request.message_queue.id = group, topic, queue_id
        request.long_polling_timeout.FromMilliseconds(int(wait_s * 1000))
        request.filter_expression.type, request.filter_expression.expression = pb.TAG, "*"
        messages = []
        for part in server_stream(self._channel, "ReceiveMessage")(
            request, timeout=wait_s + self._timeout_s, metadata=client_headers(self._client_id)
        ):
            if part.HasField("status"):
                assert part.status.code in (Code.OK, Code.MESSAGE_NOT_FOUND), part.status
            elif part.HasField("message"):
                messages.append(part.message)
        return messages

    def ack(self, topic: str, group: str, messages: list[pb.Message]) -> list[int]:
        """Acknowledge; the status code for each."""
        request = pb.AckMessageRequest()
        request.group.name, request.topic.name = group, topic
        for message in messages:
            system = message.system_properties
            request.entries.add(message_id=system.message_id, receipt_handle=system.receipt_handle)
        return [entry.status.code for entry in self.call("AckMessage", request).entries]

    def change(self, topic: str, group: str, message: pb.Message, invisible_s: float) -> Any:
        """A new invisible time for a received message."""
        request = pb.ChangeInvisibleDurationRequest(receipt_handle=message.system_properties.receipt_handle)
        request.group.name, request.topic.name = group, topic
        request.message_id = message.system_properties.message_id
        request.invisible_duration.FromMilliseconds(int(invisible_s * 1000))
        return self.call("ChangeInvisibleDuration", request)
