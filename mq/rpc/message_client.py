"""Single messages over the RocketMQ client protocol, as blocking calls: send, receive, acknowledge.

It is made for the command line: no threads, no heartbeats, no routes; whoever is connected to serves.
"""

import os
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from mq.client.encoding import MessageEncoder
from mq.client.errors import check_code
from mq.client.message_ids import MessageIds
from mq.client.views import MessageView, ReceivedMessage, SentMessage
from mq.core.errors import Code, MqError
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.calling import Connection
from mq.rpc.spans import POLL_MARGIN_S, span
from mq.rpc.views import to_message

__all__ = ["MessageClient", "new_message_ids"]


def new_message_ids() -> MessageIds:
    """A source of message ids of this process."""
    return MessageIds(uuid.getnode().to_bytes(6, "big"), os.getpid(), int(time.time()), secrets.randbits(32))


class MessageClient:
    """Sends and receives single messages. Raises, everywhere: RefusedError, and what `Connection.call` raises."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids = new_message_ids()

    def send(  # noqa: PLR0913 - by keyword, each a field of the message
        self,
        topic: str,
        body: bytes,
        *,
        tag: str = "",
        keys: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
        message_group: str = "",
        delivery_ms: int | None = None,
    ) -> SentMessage:
        """Store one message. message_group makes it a FIFO message, delivery_ms (Unix time) a delayed one."""
        kind = MessageKind.FIFO if message_group else MessageKind.NORMAL if delivery_ms is None else MessageKind.DELAY
        encoder = MessageEncoder(kind=kind, tag=tag, properties=properties, message_group=message_group, delivery_ms=delivery_ms)
        encoded = encoder.encode(self._ids.next(), body, born_ms=time.time_ns() // 1_000_000, keys=keys)
        request = pb.SendMessageRequest(messages=[pb.Message.FromString(encoded)])
        request.messages[0].topic.name = topic
        # The broker knows the message by its id, so it may be sent again.
        response = self._connection.call("SendMessage", request, is_idempotent=True, check=_check)
        entry = response.entries[0]
        return SentMessage(entry.message_id, entry.offset)

    def receive(
        self, topic: str, group: str, *, count: int, wait_ms: int, invisible_ms: int | None = None, tags: str = "*"
    ) -> list[ReceivedMessage]:
        """Up to `count` messages; none when there is none within `wait_ms`. tags: `*`, or such as `a || b`.

        They are hidden from the other consumers of the group until they are acknowledged, or for `invisible_ms`; without that,
        until this client says goodbye, or has not called for about 30 s.
        """
        request = pb.ReceiveMessageRequest(batch_size=count)
        if invisible_ms is None:
            request.auto_renew = True  # only that is given back by a goodbye, also what was on its way when Ctrl-C came
        else:
            request.invisible_duration.CopyFrom(span(invisible_ms))
        request.group.name, request.message_queue.topic.name, request.message_queue.id = group, topic, -1
        request.long_polling_timeout.CopyFrom(span(wait_ms))
        request.filter_expression.type, request.filter_expression.expression = pb.TAG, tags
        received: list[ReceivedMessage] = []
        try:
            for part in self._connection.stream("ReceiveMessage", request, timeout_s=wait_ms / 1000 + POLL_MARGIN_S):
                match part.WhichOneof("content"):
                    case "status" if part.status.code != Code.MESSAGE_NOT_FOUND:
                        check_code(part.status.code, part.status.message)
                    case "message":
                        received.append(_received(part.message, topic))
        except MqError:
            # What arrived before the stream broke was handed to us and counts.
            if not received:
                raise
        return received

    def ack(self, topic: str, group: str, received: Sequence[ReceivedMessage]) -> list[tuple[MessageView, str]]:
        """Acknowledge deliveries; returns those that could not be, with the reason. They will come again."""
        if not received:
            return []
        request = pb.AckMessageRequest()
        request.group.name, request.topic.name = group, topic
        for one in received:
            request.entries.add(message_id=one.message.message_id, receipt_handle=one.receipt_handle)
        response = self._connection.call("AckMessage", request, is_idempotent=True, check=_check_whole)
        answers = zip(received, response.entries, strict=False)
        return [(one.message, entry.status.message) for one, entry in answers if entry.status.code != Code.OK]

    def say_goodbye(self, group: str) -> None:
        """Give back at once what was received and is not acknowledged yet; an error is of no interest any more."""
        request = pb.NotifyClientTerminationRequest()
        request.group.name = group
        with suppress(MqError):
            self._connection.call("NotifyClientTermination", request, is_idempotent=False, timeout_s=2.0)


def _check(response: Any) -> None:
    check_code(response.status.code, response.status.message)


def _check_whole(response: Any) -> None:
    """Of an answer that speaks of each entry by itself, only what concerns them all."""
    if not response.entries:
        _check(response)


def _received(message: pb.Message, topic: str) -> ReceivedMessage:
    system = message.system_properties
    view = to_message(message, message.topic.name or topic, system.queue_id, system.queue_offset, 0)
    return ReceivedMessage(view, system.receipt_handle)
