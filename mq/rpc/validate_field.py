"""Checks of single fields: names, durations, timestamps, filter expressions.

Every refusal names the field and its limit. The codes are RocketMQ's; where its proxy answers 50001 to what is
the caller's mistake, ours is a 4xxxx code, because clients repeat a 50001 for ever.
"""

import re
from functools import lru_cache
from typing import NoReturn

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mq.broker.filters.tag import parse_tags
from mq.core.errors import Code, RefusedError
from mq.core.limits import (
    CLIENT_ID_CHARS_MAX,
    GROUP_NAME,
    GROUP_NAME_CHARS_MAX,
    TOPIC_NAME,
    TOPIC_NAME_CHARS_MAX,
)
from mq.proto import rocketmq_v2_pb2 as pb

__all__ = [
    "check_batch_size",
    "check_client_id",
    "check_filter",
    "check_group",
    "check_own_topic",
    "check_topic",
    "duration_ms",
    "has_control_character",
    "is_blank",
    "refuse",
    "shown",
    "timestamp_ms",
]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_SYSTEM_TOPICS = frozenset(
    (
        "TBW102",
        "SCHEDULE_TOPIC_XXXX",
        "SCHEDULE_TOPIC_XXXX_V2",
        "SELF_TEST_TOPIC",
        "BenchmarkTest",
        "OFFSET_MOVED_EVENT",
        "TRANS_CHECK_MAX_TIME_TOPIC",
        "CHECKPOINT_TOPIC",
    )
)
_SYSTEM_TOPIC_PREFIXES = ("rmq_sys_", "RMQ_SYS_")
_SYSTEM_GROUPS = frozenset(
    (
        "DEFAULT_CONSUMER",
        "DEFAULT_PRODUCER",
        "TOOLS_CONSUMER",
        "SCHEDULE_CONSUMER",
        "FILTERSRV_CONSUMER",
        "__MONITOR_CONSUMER",
        "CLIENT_INNER_PRODUCER",
        "SELF_TEST_P_GROUP",
        "SELF_TEST_C_GROUP",
        "CID_ONS-HTTP-PROXY",
        "CID_ONSAPI_PERMISSION",
        "CID_ONSAPI_OWNER",
        "CID_ONSAPI_PULL",
    )
)
_SYSTEM_GROUP_PREFIX = "CID_RMQ_SYS_"
_BROKER_TOPIC_PREFIXES = ("%DLQ%", "%RETRY%")

# Years 1 to 9999 and plus or minus 10,000 years. Source: google/protobuf/timestamp.proto, duration.proto.
_TIMESTAMP_S_MIN, _TIMESTAMP_S_MAX = -62_135_596_800, 253_402_300_799
_DURATION_S_MAX = 315_576_000_000
_NANOS = 1_000_000_000


def refuse(code: Code, text: str) -> NoReturn:
    """Raises: RefusedError, always."""
    raise RefusedError(code, text)


def shown(text: str) -> str:
    """A value as an error may quote it: harmless characters, at most about 60."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def is_blank(text: str) -> bool:
    """Whether there is nothing but white space, or nothing at all."""
    return not text or text.isspace()


def has_control_character(text: str) -> bool:
    """Whether one of U+0000 to U+001F or U+007F to U+009F is in it. Java: Character.isISOControl."""
    # isprintable is the faster question, but it also says no to harmless characters such as U+3000.
    return not text.isprintable() and _CONTROL.search(text) is not None


@lru_cache(maxsize=4096)
def check_topic(name: str) -> str:
    """The name, if clients may use it. Raises: RefusedError (ILLEGAL_TOPIC)."""
    if is_blank(name):
        refuse(Code.ILLEGAL_TOPIC, "topic: the name is empty")
    if len(name) > TOPIC_NAME_CHARS_MAX:
        refuse(Code.ILLEGAL_TOPIC, f"topic: the name has {len(name)} characters, at most {TOPIC_NAME_CHARS_MAX} are allowed")
    if not TOPIC_NAME.fullmatch(name):
        refuse(Code.ILLEGAL_TOPIC, f"topic: {shown(name)} has a character outside of {TOPIC_NAME.pattern}")
    if name in _SYSTEM_TOPICS or name.startswith(_SYSTEM_TOPIC_PREFIXES):
        refuse(Code.ILLEGAL_TOPIC, f"topic: {shown(name)} is the name of a system topic")
    return name


@lru_cache(maxsize=4096)
def check_own_topic(name: str) -> str:
    """The name, if clients may create, delete and send to such a topic: one that is not the broker's own.

    Raises: RefusedError (ILLEGAL_TOPIC, FORBIDDEN for a dead-letter or retry topic).
    """
    check_topic(name)
    if name.startswith(_BROKER_TOPIC_PREFIXES):
        refuse(Code.FORBIDDEN, f"topic: {shown(name)} is written by the broker alone; it can only be read")
    return name


def check_group(name: str) -> str:
    """The name, if clients may use it for a consumer group. Raises: RefusedError (ILLEGAL_CONSUMER_GROUP)."""
    if is_blank(name):
        refuse(Code.ILLEGAL_CONSUMER_GROUP, "group: the name is empty")
    if len(name) > GROUP_NAME_CHARS_MAX:
        refuse(
            Code.ILLEGAL_CONSUMER_GROUP, f"group: the name has {len(name)} characters, at most {GROUP_NAME_CHARS_MAX} are allowed"
        )
    if not GROUP_NAME.fullmatch(name):
        refuse(Code.ILLEGAL_CONSUMER_GROUP, f"group: {shown(name)} has a character outside of {GROUP_NAME.pattern}")
    if name in _SYSTEM_GROUPS or name.startswith(_SYSTEM_GROUP_PREFIX):
        refuse(Code.ILLEGAL_CONSUMER_GROUP, f"group: {shown(name)} is the name of a system group")
    return name


def check_client_id(client_id: str | None) -> str:
    """The client id of the metadata `x-mq-client-id`. Raises: RefusedError (CLIENT_ID_REQUIRED; BAD_REQUEST if too long)."""
    if client_id is None or is_blank(client_id):
        refuse(Code.CLIENT_ID_REQUIRED, "x-mq-client-id: the client id is missing or empty")
    if len(client_id) > CLIENT_ID_CHARS_MAX:
        refuse(Code.BAD_REQUEST, f"x-mq-client-id: {len(client_id)} characters, at most {CLIENT_ID_CHARS_MAX} are allowed")
    return client_id


def check_batch_size(batch_size: int, most: int) -> int:
    """How many messages may be given at once: what was asked, at most `most`; 0 asks for none.

    Raises: RefusedError (BAD_REQUEST) when negative.
    """
    if batch_size < 0:
        refuse(Code.BAD_REQUEST, f"batch_size: {batch_size} is negative; 0 to {most} is allowed, more counts as {most}")
    return min(batch_size, most)


def duration_ms(duration: Duration, field: str, code: Code = Code.BAD_REQUEST) -> int:
    """A duration in whole milliseconds, rounded down; negative ones stay negative.

    Raises: RefusedError with `code` when it is outside of what protobuf allows, or its parts disagree in sign.
    """
    seconds, nanos = duration.seconds, duration.nanos
    if not (-_DURATION_S_MAX <= seconds <= _DURATION_S_MAX and -_NANOS < nanos < _NANOS) or seconds * nanos < 0:
        refuse(code, f"{field}: {seconds} s and {nanos} ns is not a valid duration")
    return seconds * 1000 + nanos // 1_000_000


def timestamp_ms(timestamp: Timestamp, field: str, code: Code = Code.BAD_REQUEST) -> int:
    """A timestamp as Unix milliseconds, rounded down; before 1970 it is negative.

    Raises: RefusedError with `code` when it is outside of the years 1 to 9999.
    """
    seconds, nanos = timestamp.seconds, timestamp.nanos
    if not (_TIMESTAMP_S_MIN <= seconds <= _TIMESTAMP_S_MAX and 0 <= nanos < _NANOS):
        refuse(
            code,
            f"{field}: {seconds} s and {nanos} ns since 1970 is outside of the years 1 to 9999 (milliseconds given as seconds?)",
        )
    return seconds * 1000 + nanos // 1_000_000


def check_filter(expression: pb.FilterExpression) -> frozenset[str] | None:
    """The tags that a filter expression asks for, None for everything. A type other than SQL counts as TAG.

    Raises: RefusedError (ILLEGAL_FILTER_EXPRESSION).
    """
    if expression.type == pb.SQL:
        refuse(
            Code.ILLEGAL_FILTER_EXPRESSION,
            "filter_expression: SQL filters come with a later stage; use a tag expression such as `a || b`",
        )
    return parse_tags(expression.expression)
