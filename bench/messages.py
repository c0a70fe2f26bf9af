"""Messages as the official Python client makes them, ready-made: building them is no part of any figure.

A serialized message has the same length whatever its id, so a new one is a template with 34 bytes put in.
"""

import hashlib
import os
import time

from google.protobuf.timestamp_pb2 import Timestamp

from mq.proto import broker_v1_pb2 as pb
from mq.proto import rocketmq_v2_pb2 as v2

__all__ = [
    "BODY_BYTES",
    "METADATA",
    "OK",
    "MessageTemplate",
    "batch_frame",
    "receive_reply",
    "receive_request",
    "send_reply",
    "send_request",
    "shared_part",
]

BODY_BYTES = 256
OK = 20000
METADATA = (
    ("x-mq-client-id", "bench-host@4711@1@2q1w5nq8v0k"),
    ("x-mq-language", "PYTHON"),
    ("x-mq-client-version", "5.1.2"),
    ("x-mq-protocol", "GRPC_V2"),
    ("x-mq-date-time", "20260101T120000Z"),
    ("x-mq-request-id", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
    ("x-mq-namespace", ""),
    ("authorization", "MQv2-HMAC-SHA1 Credential=, SignedHeaders=x-mq-date-time, Signature=" + "0" * 40),
)
"""What the official Python client puts into the header of each call."""


def _message(body: bytes, message_id: str, topic: str = "") -> v2.Message:
    message = v2.Message(body=body)
    if topic:
        message.topic.name = topic
    properties = message.system_properties
    properties.message_id = message_id
    properties.message_type = v2.NORMAL
    properties.born_timestamp.seconds = int(time.time())
    properties.born_host = "192.168.100.100"
    properties.body_encoding = v2.IDENTITY
    return message


def shared_part() -> bytes:
    """What the messages of a frame have in common: all but id and body, serialized."""
    message = _message(b"", "")
    return bytes(message.SerializeToString())


class MessageTemplate:
    """Serialized requests or messages that differ in their message id alone.

    run: 8 hex digits that keep the ids of one process apart from all others.
    """

    def __init__(self, serialized: bytes, placeholder: str, run: str) -> None:
        self._before, self._after = serialized.split(placeholder.encode())
        self._run, self._number = f"01{run}".encode(), 0

    @classmethod
    def request(cls, topic: str, body_bytes: int = BODY_BYTES) -> "MessageTemplate":
        """Serialized SendMessageRequests of one message."""
        serialized = send_request(topic, _PLACEHOLDER, body_bytes).SerializeToString()
        return cls(serialized, _PLACEHOLDER, os.urandom(4).hex())

    def next(self) -> bytes:
        """One more, with an id that was never there before."""
        self._number += 1
        return b"%b%b%024X%b" % (self._before, self._run, self._number, self._after)


_PLACEHOLDER = "#" * 34


def send_request(topic: str, message_id: str, body_bytes: int = BODY_BYTES) -> v2.SendMessageRequest:
    """One message to be sent."""
    return v2.SendMessageRequest(messages=[_message(os.urandom(body_bytes), message_id, topic)])


def send_reply(message_id: str) -> v2.SendMessageResponse:
    """The answer to it."""
    status = v2.Status(code=v2.OK, message="OK")
    entry = v2.SendResultEntry(status=status, message_id=message_id, transaction_id=message_id, offset=123456)
    return v2.SendMessageResponse(status=status, entries=[entry])


def receive_request(topic: str, group: str, batch: int = 32) -> v2.ReceiveMessageRequest:
    """What a push consumer asks again and again."""
    request = v2.ReceiveMessageRequest(batch_size=batch, auto_renew=True, attempt_id="6f9619ff-8b86-d011-b42d-00cf4fc964ff")
    request.group.name = group
    request.message_queue.topic.name = topic
    request.message_queue.id = -1
    request.message_queue.broker.name = "broker-a"
    request.filter_expression.type = v2.TAG
    request.filter_expression.expression = "*"
    request.long_polling_timeout.seconds = 20
    return request


def receive_reply(topic: str, batch: int = 32, body_bytes: int = BODY_BYTES) -> list[v2.ReceiveMessageResponse]:
    """The parts of the answer: status, messages, delivery time."""
    parts = [v2.ReceiveMessageResponse(status=v2.Status(code=v2.OK, message="OK"))]
    for number in range(batch):
        body = os.urandom(body_bytes)
        message = _message(body, f"01{number:032X}", topic)
        properties = message.system_properties
        properties.body_digest.type = v2.MD5
        properties.body_digest.checksum = hashlib.md5(body, usedforsecurity=False).hexdigest().upper()
        properties.store_timestamp.GetCurrentTime()
        properties.store_host = "127.0.0.1:8081"
        properties.receipt_handle = f"1 3 123456789 {number} 1 1795456208217 bench-group {topic}"
        properties.queue_id, properties.queue_offset, properties.delivery_attempt = 3, 123456 + number, 1
        properties.invisible_duration.seconds = 60
        parts.append(v2.ReceiveMessageResponse(message=message))
    now = Timestamp()
    now.GetCurrentTime()
    parts.append(v2.ReceiveMessageResponse(delivery_timestamp=now))
    return parts


def batch_frame(base_offset: int, batches: int = 30, messages: int = 100) -> pb.BatchFrame:
    """About 1 MiB of stored messages, as `FetchBatches` streams them."""
    frame, shared = pb.BatchFrame(code=OK, next_offset=base_offset + batches * messages, max_offset=1 << 40), shared_part()
    for number in range(batches):
        ids = [f"01{number:08X}{place:024X}" for place in range(messages)]
        frame.batches.add(
            queue_id=0, base_offset=base_offset + number * messages, count=messages, store_ms=int(time.time() * 1000),
            messages=os.urandom(BODY_BYTES * messages), sizes=[BODY_BYTES] * messages, shared=shared, ids=ids,
        )  # fmt: skip
    return frame
