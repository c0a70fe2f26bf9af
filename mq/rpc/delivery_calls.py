"""What consumers ask of one broker group: messages, and what is to become of them. One attempt a call, for an event loop."""

from collections.abc import Sequence
from typing import NamedTuple

from mq.client.errors import check_code, error_of_code
from mq.client.route_cache import KnownQueue
from mq.client.views import ReceivedMessage
from mq.core.errors import Code, MqError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.routing import Routing
from mq.rpc.spans import POLL_MARGIN_S, span
from mq.rpc.views import to_message

__all__ = ["DeliveryCalls", "ReceiveAsk", "as_received"]


class ReceiveAsk(NamedTuple):
    """tags: `*`, or such as `a || b`. invisible_ms: None for as long as this client lives (the broker renews)."""

    count_max: int
    wait_ms: int
    invisible_ms: int | None = None
    tags: str = "*"
    attempt_id: str = ""


class DeliveryCalls:
    """For the consumers of one group. Raises, everywhere: MqError."""

    def __init__(self, routing: Routing, group: str) -> None:
        self._routing, self._group = routing, group

    async def receive(self, queue: KnownQueue, ask: ReceiveAsk) -> list[ReceivedMessage]:
        """One poll; what came before its stream broke counts. queue: -1 for all of the topic there. RocketMQ: ReceiveMessage."""
        request = pb.ReceiveMessageRequest(batch_size=ask.count_max, attempt_id=ask.attempt_id)
        if ask.invisible_ms is None:
            request.auto_renew = True
        else:
            request.invisible_duration.CopyFrom(span(ask.invisible_ms))
        request.group.name = self._group
        request.message_queue.topic.name, request.message_queue.id = queue.name.topic, queue.name.queue_id
        request.message_queue.broker.name = queue.name.broker
        request.long_polling_timeout.CopyFrom(span(ask.wait_ms))
        request.filter_expression.type, request.filter_expression.expression = pb.TAG, ask.tags
        received: list[ReceivedMessage] = []
        try:
            async for part in self._routing.stream(
                queue.addresses, "ReceiveMessage", request, timeout_s=ask.wait_ms / 1000 + POLL_MARGIN_S
            ):
                match part.WhichOneof("content"):
                    case "status" if part.status.code != Code.MESSAGE_NOT_FOUND:
                        check_code(part.status.code, part.status.message)
                    case "message":
                        received.append(as_received(part.message, queue))
        except MqError:
            if not received:
                raise
        return received

    async def ack(self, addresses: tuple[str, ...], topic: str, messages: Sequence[ReceivedMessage]) -> list[MqError | None]:
        """Acknowledge deliveries of one broker group; of each None, or why not. RocketMQ: AckMessage."""
        request = pb.AckMessageRequest()
        request.group.name, request.topic.name = self._group, topic
        for one in messages:
            request.entries.add(message_id=one.message.message_id, receipt_handle=one.receipt_handle)
        response = await self._routing.call(addresses, "AckMessage", request)
        if len(response.entries) != len(messages):
            check_code(response.status.code, response.status.message)
        return [_error_of(entry.status) for entry in response.entries]

    async def change(self, addresses: tuple[str, ...], one: ReceivedMessage, invisible_ms: int) -> str:
        """Hide a message for another span from now on; its new receipt handle. RocketMQ: ChangeInvisibleDuration."""
        request = pb.ChangeInvisibleDurationRequest(receipt_handle=one.receipt_handle, message_id=one.message.message_id)
        request.group.name, request.topic.name = self._group, one.message.topic
        request.invisible_duration.CopyFrom(span(invisible_ms))
        response = await self._routing.call(addresses, "ChangeInvisibleDuration", request)
        check_code(response.status.code, response.status.message)
        return str(response.receipt_handle)

    async def forward(self, addresses: tuple[str, ...], one: ReceivedMessage, attempt: int, attempts_max: int) -> None:
        """Make it a dead letter. RocketMQ: ForwardMessageToDeadLetterQueue."""
        request = pb.ForwardMessageToDeadLetterQueueRequest(
            receipt_handle=one.receipt_handle, message_id=one.message.message_id, delivery_attempt=attempt,
            max_delivery_attempts=attempts_max,
        )  # fmt: skip
        request.group.name, request.topic.name = self._group, one.message.topic
        response = await self._routing.call(addresses, "ForwardMessageToDeadLetterQueue", request)
        check_code(response.status.code, response.status.message)


def as_received(message: pb.Message, queue: KnownQueue) -> ReceivedMessage:
    """A delivered message as plain data. queue: that it was asked of."""
    system = message.system_properties
    view = to_message(message, message.topic.name or queue.name.topic, system.queue_id, system.queue_offset, 0)
    return ReceivedMessage(view, system.receipt_handle, queue.name.broker)


def _error_of(status: pb.Status) -> MqError | None:
    code = int(status.code)
    return None if code == Code.OK else error_of_code(code, status.message)
