"""Checks of one message that is to be sent: the hottest of all checks.

Each field is read at most once, and the ways that good messages take ask only cheap questions. The order of
the checks is the order of RocketMQ's code numbers where it matters: a message wrong in one way gets one code.
RocketMQ: proxy, SendMessageActivity and GrpcValidator.
"""

from collections.abc import Mapping
from typing import NamedTuple

from mq.core.errors import Code
from mq.core.limits import (
    BODY_BYTES_MAX,
    DELAY_MS_MAX,
    MESSAGE_GROUP_BYTES_MAX,
    MESSAGE_ID_BYTES_MAX,
    MESSAGE_REST_BYTES_MAX,
    PROPERTIES_BYTES_MAX,
    PROPERTIES_MAX,
    TRANSACTION_RECOVERY_MS_MAX,
)
from mq.core.quantity import show_duration_ms
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.validate_field import duration_ms, has_control_character, is_blank, refuse, shown, timestamp_ms

__all__ = ["RESERVED_PROPERTIES", "CheckedMessage", "check_message"]

RESERVED_PROPERTIES = frozenset(
    (
        "KEYS",
        "TAGS",
        "WAIT",
        "DELAY",
        "RETRY_TOPIC",
        "REAL_TOPIC",
        "REAL_QID",
        "TRAN_MSG",
        "PGROUP",
        "MIN_OFFSET",
        "MAX_OFFSET",
        "BUYER_ID",
        "ORIGIN_MESSAGE_ID",
        "TRANSFER_FLAG",
        "CORRECTION_FLAG",
        "MQ2_FLAG",
        "RECONSUME_TIME",
        "MSG_REGION",
        "TRACE_ON",
        "UNIQ_KEY",
        "EXTEND_UNIQ_INFO",
        "MAX_RECONSUME_TIMES",
        "CONSUME_START_TIME",
        "POP_CK",
        "POP_CK_OFFSET",
        "1ST_POP_TIME",
        "TRAN_PREPARED_QUEUE_OFFSET",
        "DUP_INFO",
        "INSTANCE_ID",
        "CORRELATION_ID",
        "REPLY_TO_CLIENT",
        "TTL",
        "ARRIVE_TIME",
        "PUSH_REPLY_TIME",
        "CLUSTER",
        "MSG_TYPE",
        "INNER_MULTI_QUEUE_OFFSET",
        "TIMER_DELAY_MS",
        "TIMER_DELAY_SEC",
        "TIMER_DELIVER_MS",
        "TIMER_ENQUEUE_MS",
        "TIMER_DEQUEUE_MS",
        "TIMER_ROLL_TIMES",
        "TIMER_OUT_MS",
        "TIMER_DEL_UNIQKEY",
        "TIMER_DEL_MS",
        "TIMER_DELAY_LEVEL",
        "__BORNHOST",
        "BORN_TIMESTAMP",
        "DLQ_ORIGIN_TOPIC",
        "DLQ_ORIGIN_MESSAGE_ID",
        "__CRC32#",
    )
)
"""Property names that RocketMQ keeps for itself. RocketMQ: MessageConst.STRING_HASH_SET."""

_UTF8_BYTES_MAX = 4  # of one character


class CheckedMessage(NamedTuple):
    """What the broker needs to know of a good message, apart from its bytes.

    tag: "" for none. message_group: None for none. kind: the MessageType that its fields make it, which may be
    one that no topic accepts. due_ms: only of a delayed message, the Unix time at which it becomes visible, never
    before now. recovery_ms: how long after a half message the producer is asked about it, None for the
    broker's default. body_bytes: size of the body.
    """

    message_id: str
    tag: str
    keys: tuple[str, ...]
    message_group: str | None
    kind: int
    due_ms: int | None
    recovery_ms: int | None
    body_bytes: int


def check_message(message: pb.Message, raw_bytes: int, now_ms: int) -> CheckedMessage:
    """Check all of a message but its topic.

    raw_bytes: its size as it arrived. now_ms: Unix time. Raises: RefusedError.
    """
    system = message.system_properties
    message_id, tag, keys, group = system.message_id, system.tag, tuple(system.keys[:]), system.message_group
    body_bytes = len(message.body)
    if not 0 < body_bytes <= BODY_BYTES_MAX:
        _refuse_body(body_bytes)
    if is_blank(message_id) or len(message_id) * _UTF8_BYTES_MAX > MESSAGE_ID_BYTES_MAX:
        _check_message_id(message_id)
    if tag:
        _check_tag(tag)
    if keys:
        _check_keys(keys)
    if group:
        _check_message_group(group)
    _check_properties(message.user_properties, tag, keys)
    if raw_bytes - body_bytes > MESSAGE_REST_BYTES_MAX:
        refuse(
            Code.PAYLOAD_TOO_LARGE, f"message: {raw_bytes - body_bytes} bytes beside the body, at most {MESSAGE_REST_BYTES_MAX}"
        )
    timestamp_ms(system.born_timestamp, "born_timestamp")
    recovery_ms = _recovery_ms(system) if system.HasField("orphaned_transaction_recovery_duration") else None
    due_ms = _due_ms(system, now_ms) if system.HasField("delivery_timestamp") else None
    kind = _kind(system, group, due_ms)
    return CheckedMessage(
        message_id, tag, keys, group or None, kind, due_ms if kind == pb.DELAY else None, recovery_ms, body_bytes
    )


def _kind(system: pb.SystemProperties, group: str, due_ms: int | None) -> int:
    """The type by the fields that are set: the type that the sender names counts only for transactions."""
    if system.message_type == pb.TRANSACTION:
        return pb.TRANSACTION
    if group:
        return pb.FIFO
    if due_ms is not None:
        return pb.DELAY
    if system.HasField("priority"):
        if system.priority < 0:
            refuse(Code.INTERNAL_SERVER_ERROR, f"priority: {system.priority} is negative")  # RocketMQ's code for it
        return pb.PRIORITY
    return pb.LITE if system.lite_topic else pb.NORMAL


def _refuse_body(body_bytes: int) -> None:
    if not body_bytes:
        refuse(Code.MESSAGE_BODY_EMPTY, "body: it is empty")
    refuse(Code.MESSAGE_BODY_TOO_LARGE, f"body: {body_bytes} bytes, at most {BODY_BYTES_MAX}")


def _check_message_id(message_id: str) -> None:
    if is_blank(message_id):
        refuse(Code.ILLEGAL_MESSAGE_ID, "message_id: it is empty")
    size = len(message_id.encode())
    if size > MESSAGE_ID_BYTES_MAX:
        refuse(Code.ILLEGAL_MESSAGE_ID, f"message_id: {size} bytes in UTF-8, at most {MESSAGE_ID_BYTES_MAX}")


def _check_tag(tag: str) -> None:
    if tag.isspace():
        refuse(Code.ILLEGAL_MESSAGE_TAG, "tag: nothing but white space")
    if "|" in tag:
        refuse(Code.ILLEGAL_MESSAGE_TAG, f"tag: {shown(tag)} contains `|`, which joins tags in filter expressions")
    if has_control_character(tag):
        refuse(Code.ILLEGAL_MESSAGE_TAG, f"tag: {shown(tag)} contains a control character")


def _check_keys(keys: tuple[str, ...]) -> None:
    for key in keys:
        if key.isspace():  # an empty key is not
            refuse(Code.ILLEGAL_MESSAGE_KEY, "keys: one is nothing but white space")
        if has_control_character(key):
            refuse(Code.ILLEGAL_MESSAGE_KEY, f"keys: {shown(key)} contains a control character")


def _check_message_group(group: str) -> None:
    if group.isspace():
        refuse(Code.ILLEGAL_MESSAGE_GROUP, "message_group: nothing but white space")
    if len(group.encode()) > MESSAGE_GROUP_BYTES_MAX:
        refuse(
            Code.ILLEGAL_MESSAGE_GROUP, f"message_group: {len(group.encode())} bytes in UTF-8, at most {MESSAGE_GROUP_BYTES_MAX}"
        )
    if has_control_character(group):
        refuse(Code.ILLEGAL_MESSAGE_GROUP, f"message_group: {shown(group)} contains a control character")


def _check_properties(properties: Mapping[str, str], tag: str, keys: tuple[str, ...]) -> None:
    """User properties, and that they, the tag and the keys are not too much together."""
    chars = len(tag) + sum(map(len, keys))
    if properties:
        if len(properties) > PROPERTIES_MAX:
            refuse(Code.MESSAGE_PROPERTIES_TOO_LARGE, f"user_properties: {len(properties)}, at most {PROPERTIES_MAX}")
        for name, value in properties.items():
            if name in RESERVED_PROPERTIES:
                refuse(Code.ILLEGAL_MESSAGE_PROPERTY_KEY, f"user_properties: the name {shown(name)} is reserved")
            if has_control_character(name) or has_control_character(value):
                refuse(
                    Code.ILLEGAL_MESSAGE_PROPERTY_KEY, f"user_properties: {shown(name)} has a control character in name or value"
                )
            chars += len(name) + len(value)
    if chars * _UTF8_BYTES_MAX > PROPERTIES_BYTES_MAX:
        size = sum(len(text.encode()) for text in (tag, *keys, *properties.keys(), *properties.values()))
        if size > PROPERTIES_BYTES_MAX:
            refuse(
                Code.MESSAGE_PROPERTIES_TOO_LARGE, f"user_properties, tag and keys: {size} bytes, at most {PROPERTIES_BYTES_MAX}"
            )


def _due_ms(system: pb.SystemProperties, now_ms: int) -> int:
    """When a delayed message becomes visible. A time that has passed means now."""
    due_ms = timestamp_ms(system.delivery_timestamp, "delivery_timestamp", Code.ILLEGAL_DELIVERY_TIME)
    if due_ms - now_ms > DELAY_MS_MAX:
        refuse(
            Code.ILLEGAL_DELIVERY_TIME,
            f"delivery_timestamp: {show_duration_ms(due_ms - now_ms)} from now, at most {show_duration_ms(DELAY_MS_MAX)}",
        )
    return max(due_ms, now_ms)


def _recovery_ms(system: pb.SystemProperties) -> int | None:
    field = "orphaned_transaction_recovery_duration"
    ms = duration_ms(system.orphaned_transaction_recovery_duration, field)
    if ms > TRANSACTION_RECOVERY_MS_MAX:
        refuse(Code.BAD_REQUEST, f"{field}: {ms} ms, at most {TRANSACTION_RECOVERY_MS_MAX}")
    return ms if ms > 0 else None
