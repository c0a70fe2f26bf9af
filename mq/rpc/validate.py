"""Checks of requests at the edge, before anything changes.

Each function takes what a client sent and returns plain data, or raises `RefusedError` with a code and a text
that names the field and its limit. Namespaces are ignored, as RocketMQ's proxy does. Fields and enum numbers
that are not known are tolerated. This module is the one to import from; single fields are checked in
`validate_field`, messages to be sent in `validate_message`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mq.core.errors import Code
from mq.core.limits import (
    BATCH_MESSAGES_MAX,
    BODY_FRAME_BYTES_MAX,
    CLIENT_ID_CHARS_MAX,
    CLIENT_PROPERTIES_BYTES_MAX,
    CLIENT_PROPERTIES_MAX,
    CLIENT_PROPERTY_NAME_CHARS_MAX,
    CLIENT_PROPERTY_VALUE_CHARS_MAX,
    INVISIBLE_MS_MAX,
    INVISIBLE_MS_MIN,
    LONG_POLL_MS_MAX,
    RECEIVE_BATCH_MAX,
    RENEW_INVISIBLE_MS,
)
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.validate_field import (
    check_batch_size,
    check_client_id,
    check_filter,
    check_group,
    check_own_topic,
    check_topic,
    duration_ms,
    refuse,
    shown,
    timestamp_ms,
)
from mq.rpc.validate_message import CheckedMessage, check_message

__all__ = [
    "CheckedMessage",
    "CheckedPull",
    "CheckedReceive",
    "CheckedSettings",
    "check_change_invisible",
    "check_client_id",
    "check_filter",
    "check_group",
    "check_message",
    "check_own_topic",
    "check_pull",
    "check_receive",
    "check_same_topic",
    "check_settings",
    "check_size_together",
    "check_topic",
    "duration_ms",
    "timestamp_ms",
]


def check_same_topic(request: pb.SendMessageRequest) -> str:
    """The one topic that all messages of the request are for.

    Raises: RefusedError (MESSAGE_CORRUPTED when there is none or several, PAYLOAD_TOO_LARGE for too many messages,
    ILLEGAL_TOPIC, FORBIDDEN for a topic that only the broker writes).
    """
    messages = request.messages[:]
    if not messages:
        refuse(Code.MESSAGE_CORRUPTED, "messages: there is none")
    if len(messages) > BATCH_MESSAGES_MAX:
        refuse(Code.PAYLOAD_TOO_LARGE, f"messages: {len(messages)} at once, at most {BATCH_MESSAGES_MAX}")
    topic: str = messages[0].topic.name
    if any(message.topic.name != topic for message in messages[1:]):
        refuse(Code.MESSAGE_CORRUPTED, "messages: all of one request must be for the same topic")
    return check_own_topic(topic)


def check_size_together(messages: Sequence[bytes]) -> None:
    """Several messages may become one entry, which has to fit into one message between two nodes.

    messages: as they arrived. Raises: RefusedError (PAYLOAD_TOO_LARGE).
    """
    if len(messages) > 1 and (size_bytes := sum(map(len, messages))) > BODY_FRAME_BYTES_MAX:
        refuse(Code.PAYLOAD_TOO_LARGE, f"messages: {size_bytes} bytes together, at most {BODY_FRAME_BYTES_MAX}")


class CheckedReceive(NamedTuple):
    """A good ReceiveMessage request.

    queue_id: the queue that the client named. tags: None for everything. invisible_ms: RENEW_INVISIBLE_MS when the
    broker renews by itself (auto_renew). long_poll_ms: None when the client did not say how long to wait.
    """

    group: str
    topic: str
    queue_id: int
    batch_size: int
    tags: frozenset[str] | None
    auto_renew: bool
    invisible_ms: int
    long_poll_ms: int | None
    attempt_id: str


def check_receive(request: pb.ReceiveMessageRequest) -> CheckedReceive:
    """A ReceiveMessage request. A batch size or polling time above its limit counts as the limit."""
    group, topic = check_group(request.group.name), check_topic(request.message_queue.topic.name)
    attempt_id = request.attempt_id
    if len(attempt_id) > CLIENT_ID_CHARS_MAX:
        refuse(Code.BAD_REQUEST, f"attempt_id: {len(attempt_id)} characters, at most {CLIENT_ID_CHARS_MAX}")
    return CheckedReceive(
        group,
        topic,
        request.message_queue.id,
        check_batch_size(request.batch_size, RECEIVE_BATCH_MAX),
        check_filter(request.filter_expression) if request.HasField("filter_expression") else None,
        request.auto_renew,
        RENEW_INVISIBLE_MS if request.auto_renew else _receive_invisible_ms(request),
        _long_poll_ms(request),
        attempt_id,
    )


def _receive_invisible_ms(request: pb.ReceiveMessageRequest) -> int:
    field, code = "invisible_duration", Code.ILLEGAL_INVISIBLE_TIME
    if not request.HasField("invisible_duration"):
        refuse(code, f"{field}: it is needed without auto_renew")
    ms = duration_ms(request.invisible_duration, field, code)
    if not INVISIBLE_MS_MIN <= ms <= INVISIBLE_MS_MAX:
        refuse(code, f"{field}: {ms} ms is outside of {INVISIBLE_MS_MIN} to {INVISIBLE_MS_MAX} ms")
    return ms


def _long_poll_ms(request: pb.ReceiveMessageRequest | pb.PullMessageRequest) -> int | None:
    if not request.HasField("long_polling_timeout"):
        return None
    ms = duration_ms(request.long_polling_timeout, "long_polling_timeout", Code.ILLEGAL_POLLING_TIME)
    if ms < 0:
        refuse(Code.ILLEGAL_POLLING_TIME, f"long_polling_timeout: {ms} ms is negative")
    return min(ms, LONG_POLL_MS_MAX)


class CheckedPull(NamedTuple):
    """A good PullMessage request. tags: None for everything. long_poll_ms: 0 when the client did not ask to wait."""

    topic: str
    queue_id: int
    offset: int
    batch_size: int
    tags: frozenset[str] | None
    long_poll_ms: int


def check_pull(request: pb.PullMessageRequest) -> CheckedPull:
    """A PullMessage request. The group may be left out: nothing is hidden, and the client keeps its own offset.

    Whether queue and offset exist is for the broker to say.
    """
    if request.group.name:
        check_group(request.group.name)
    return CheckedPull(
        check_topic(request.message_queue.topic.name),
        request.message_queue.id,
        request.offset,
        check_batch_size(request.batch_size, RECEIVE_BATCH_MAX),
        check_filter(request.filter_expression) if request.HasField("filter_expression") else None,
        _long_poll_ms(request) or 0,
    )


def check_change_invisible(request: pb.ChangeInvisibleDurationRequest) -> int:
    """The new invisible duration in ms; 0, also when it is absent, gives the message back at once."""
    check_group(request.group.name)
    check_topic(request.topic.name)
    field, code = "invisible_duration", Code.ILLEGAL_INVISIBLE_TIME
    ms = duration_ms(request.invisible_duration, field, code)
    if not 0 <= ms <= INVISIBLE_MS_MAX:
        refuse(code, f"{field}: {ms} ms is outside of 0 to {INVISIBLE_MS_MAX} ms")
    return ms


class CheckedSettings(NamedTuple):
    """Good settings. group: None for a producer. topics: published or subscribed; they need not exist."""

    client_type: int
    group: str | None
    topics: tuple[str, ...]


def check_settings(settings: pb.Settings) -> CheckedSettings:
    """The settings that a client announces. Filter expressions are judged when they are used.

    Raises: RefusedError (ILLEGAL_TOPIC, ILLEGAL_CONSUMER_GROUP, INVALID_CLIENT_PROPERTIES; BAD_REQUEST without
    publishing or subscription).
    """
    _check_client_properties(settings)
    if settings.HasField("publishing"):
        group, topics = None, [topic.name for topic in settings.publishing.topics]
    elif settings.HasField("subscription"):
        group = check_group(settings.subscription.group.name)
        topics = [entry.topic.name for entry in settings.subscription.subscriptions]
    else:
        refuse(Code.BAD_REQUEST, "settings: there is neither publishing nor subscription in them")
    return CheckedSettings(settings.client_type, group, tuple(map(check_topic, topics)))


def _check_client_properties(settings: pb.Settings) -> None:
    properties = settings.client_properties
    field, code, size = "client_properties", Code.INVALID_CLIENT_PROPERTIES, 0
    if len(properties) > CLIENT_PROPERTIES_MAX:
        refuse(code, f"{field}: {len(properties)}, at most {CLIENT_PROPERTIES_MAX}")
    for name, value in properties.items():
        if not (name[:1].isascii() and name[:1].isalpha() and len(name) <= CLIENT_PROPERTY_NAME_CHARS_MAX):
            refuse(
                code,
                f"{field}: {shown(name)} must begin with a letter and have at most {CLIENT_PROPERTY_NAME_CHARS_MAX} characters",
            )
        if len(value) > CLIENT_PROPERTY_VALUE_CHARS_MAX:
            refuse(
                code,
                f"{field}: the value of {shown(name)} has {len(value)} characters, at most {CLIENT_PROPERTY_VALUE_CHARS_MAX}",
            )
        size += len(name.encode()) + len(value.encode())
    if size > CLIENT_PROPERTIES_BYTES_MAX:
        refuse(code, f"{field}: {size} bytes together, at most {CLIENT_PROPERTIES_BYTES_MAX}")
