"""The checks of a message that is to be sent; the table of RocketMQ's codes, row by row."""

import contextlib
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from mq.core.errors import Code, RefusedError
from mq.core.limits import DELAY_MS_MAX, MESSAGE_REST_BYTES_MAX
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.validate import CheckedMessage, check_message
from mq.rpc.validate_message import RESERVED_PROPERTIES

NOW_MS = 1_790_000_000_000
NOW_S = NOW_MS // 1000
MESSAGE_ID = "01AABBCCDDEEFF00010000000100000001"


def message(body: bytes = b"x", properties: dict[str, str] | None = None, **system: Any) -> pb.Message:
    system = {"message_id": MESSAGE_ID, "message_type": pb.NORMAL, "body_encoding": pb.IDENTITY, **system}
    return pb.Message(
        topic=pb.Resource(name="orders"),
        user_properties=properties or {},
        system_properties=pb.SystemProperties(**system),
        body=body,
    )


def check(sent: pb.Message) -> CheckedMessage:
    raw = sent.SerializeToString()
    return check_message(pb.Message.FromString(raw), len(raw), NOW_MS)


def refusal(sent: pb.Message) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        check(sent)
    return refused.value


def label(value: object) -> str:
    """A parameter in one line: protobuf messages have no name of their own."""
    return repr(value).replace("\n", " ")[:60]


def at(seconds: int, nanos: int = 0) -> Any:
    stamp = pb.SystemProperties().delivery_timestamp
    stamp.seconds, stamp.nanos = seconds, nanos
    return stamp


def lasting(seconds: int, nanos: int = 0) -> Any:
    duration = pb.SystemProperties().orphaned_transaction_recovery_duration
    duration.seconds, duration.nanos = seconds, nanos
    return duration


def test_a_plain_message_is_told_in_full() -> None:
    checked = check(message(b"hello", {"region": "eu"}, tag="TagA", keys=["k1", "k2"]))
    assert checked == CheckedMessage(MESSAGE_ID, "TagA", ("k1", "k2"), None, pb.NORMAL, None, None, 5)


@pytest.mark.parametrize(
    ("system", "code", "field"),
    [
        ({"message_id": ""}, 40009, "message_id"),
        ({"message_id": " \t"}, 40009, "message_id"),
        ({"message_id": "i" * 256}, 40009, "message_id: 256 bytes.*255"),
        ({"tag": " "}, 40004, "tag"),
        ({"tag": "a|b"}, 40004, "tag"),
        ({"tag": "a\x01b"}, 40004, "tag"),
        ({"tag": "a\x7f"}, 40004, "tag"),
        ({"tag": "a\x85"}, 40004, "tag"),
        ({"tag": "t" * 16385}, 43101, "tag.*16385 bytes, at most 16384"),
        ({"keys": ["a", " "]}, 40005, "keys"),
        ({"keys": ["a\x00"]}, 40005, "keys"),
        ({"keys": ["k" * 16000, "l" * 385]}, 43101, "16385"),
        ({"message_group": " "}, 40006, "message_group"),
        ({"message_group": "g" * 64}, 40006, "message_group: 64 bytes.*63"),
        ({"message_group": "中" * 22}, 40006, "message_group: 66 bytes"),
        ({"message_group": "a\x01"}, 40006, "message_group"),
        ({"priority": -1}, 50001, "priority: -1"),
    ],
)
def test_a_wrong_system_property_has_its_code(system: dict[str, Any], code: int, field: str) -> None:
    error = refusal(message(**system))
    assert error.code == code
    with pytest.raises(RefusedError, match=field):
        raise error


@pytest.mark.parametrize(
    "system",
    [
        {"message_id": "any other string ☃"},
        {"message_id": "é" * 127},
        {"message_id": "line\nbreak"},
        {"tag": ""},
        {"tag": "two words"},
        {"tag": "t" * 16384},
        {"tag": "全角　空白"},
        {"keys": [""]},
        {"keys": ["k" * 16000, "l" * 384]},
        {"message_group": "g" * 63},
        {"message_group": "中" * 21},
        {"message_group": ""},
        {"message_type": 99},
        {"body_encoding": 7},
    ],
)
def test_what_rocketmq_takes_is_taken(system: dict[str, Any]) -> None:
    assert check(message(**system)).body_bytes == 1


@pytest.mark.parametrize(("size", "code"), [(0, 41302), ((4 << 20) + 1, 41301)])
def test_a_body_must_be_there_and_not_too_large(size: int, code: int) -> None:
    assert refusal(message(b"x" * size)).code == code


@pytest.mark.parametrize("size", [1, 4 << 20])
def test_the_largest_and_the_smallest_body_are_taken(size: int) -> None:
    assert check(message(b"x" * size)).body_bytes == size


@pytest.mark.parametrize(
    "properties",
    [
        {f"k{n}": "v" for n in range(128)},
        {"k": "v" * 16383},
        {"k": "é" * 8191 + "x"},
        {"中": "\U0001f600"},
        {"": "v"},
        {"k": " "},
    ],
)
def test_as_many_properties_as_the_limits_allow_are_taken(properties: dict[str, str]) -> None:
    check(message(properties=properties))


@pytest.mark.parametrize(
    ("properties", "system"),
    [
        ({f"k{n}": "v" for n in range(129)}, {}),
        ({"k": "v" * 16384}, {}),
        ({"k": "é" * 8192}, {}),
        ({"k": "v" * 16383}, {"tag": "t"}),
        ({"k": "v" * 16383}, {"keys": ["k"]}),
    ],
)
def test_more_properties_than_the_limits_allow_are_refused(properties: dict[str, str], system: dict[str, Any]) -> None:
    assert refusal(message(properties=properties, **system)).code == Code.MESSAGE_PROPERTIES_TOO_LARGE


def test_message_id_and_group_do_not_count_as_properties() -> None:
    check(message(tag="t" * 16384, message_id="i" * 255, message_group="g" * 63))


@pytest.mark.parametrize("name", sorted(RESERVED_PROPERTIES))
def test_a_reserved_property_name_is_refused(name: str) -> None:
    error = refusal(message(properties={name: "v"}))
    assert error.code == Code.ILLEGAL_MESSAGE_PROPERTY_KEY
    assert name in str(error)


ROCKETMQ_LISTS = """
1ST_POP_TIME ARRIVE_TIME BORN_TIMESTAMP BUYER_ID CLUSTER CONSUME_START_TIME CORRECTION_FLAG CORRELATION_ID
DELAY DLQ_ORIGIN_MESSAGE_ID DLQ_ORIGIN_TOPIC DUP_INFO EXTEND_UNIQ_INFO INNER_MULTI_QUEUE_OFFSET INSTANCE_ID
KEYS MAX_OFFSET MAX_RECONSUME_TIMES MIN_OFFSET MQ2_FLAG MSG_REGION MSG_TYPE ORIGIN_MESSAGE_ID PGROUP POP_CK
POP_CK_OFFSET PUSH_REPLY_TIME REAL_QID REAL_TOPIC RECONSUME_TIME REPLY_TO_CLIENT RETRY_TOPIC TAGS
TIMER_DELAY_LEVEL TIMER_DELAY_MS TIMER_DELAY_SEC TIMER_DELIVER_MS TIMER_DEL_MS TIMER_DEL_UNIQKEY
TIMER_DEQUEUE_MS TIMER_ENQUEUE_MS TIMER_OUT_MS TIMER_ROLL_TIMES TRACE_ON TRANSFER_FLAG TRAN_MSG
TRAN_PREPARED_QUEUE_OFFSET TTL UNIQ_KEY WAIT __BORNHOST __CRC32#
"""


def test_the_reserved_names_are_those_that_rocketmq_lists() -> None:
    assert set(ROCKETMQ_LISTS.split()) == RESERVED_PROPERTIES


@pytest.mark.parametrize("pair", [("a\x02", "v"), ("k", "a\nb"), ("k", "a\x7f"), ("k", "\t"), ("k", "\x9f")])
def test_a_control_character_in_a_property_is_refused(pair: tuple[str, str]) -> None:
    assert refusal(message(properties=dict([pair]))).code == Code.ILLEGAL_MESSAGE_PROPERTY_KEY


def test_what_no_other_limit_bounds_is_bounded_together() -> None:
    error = refusal(message(trace_context="t" * MESSAGE_REST_BYTES_MAX))
    assert error.code == Code.PAYLOAD_TOO_LARGE
    assert str(MESSAGE_REST_BYTES_MAX) in str(error)


@pytest.mark.parametrize(
    ("system", "kind"),
    [
        ({}, pb.NORMAL),
        ({"message_type": pb.FIFO}, pb.NORMAL),
        ({"message_type": pb.DELAY}, pb.NORMAL),
        ({"message_type": 99}, pb.NORMAL),
        ({"message_type": pb.NORMAL, "message_group": "g"}, pb.FIFO),
        ({"message_type": pb.NORMAL, "delivery_timestamp": at(NOW_S + 5)}, pb.DELAY),
        ({"message_group": "g", "delivery_timestamp": at(NOW_S + 5)}, pb.FIFO),
        ({"message_type": pb.TRANSACTION, "message_group": "g"}, pb.TRANSACTION),
        ({"message_type": pb.TRANSACTION, "delivery_timestamp": at(NOW_S + 5)}, pb.TRANSACTION),
        ({"priority": 0}, pb.PRIORITY),
        ({"priority": 3, "lite_topic": "l"}, pb.PRIORITY),
        ({"lite_topic": "l"}, pb.LITE),
        ({"delivery_timestamp": at(0)}, pb.DELAY),
    ],
)
def test_the_type_comes_from_the_fields(system: dict[str, Any], kind: int) -> None:
    checked = check(message(**system))
    assert checked.kind == kind
    assert (checked.due_ms is not None) == (kind == pb.DELAY)
    assert checked.message_group == system.get("message_group")


@pytest.mark.parametrize(
    ("stamp", "due_ms"),
    [
        (at(NOW_S + 5), NOW_MS + 5000),
        (at(NOW_S + 5, 999_999), NOW_MS + 5000),
        (at(NOW_S + 5, 250_000_000), NOW_MS + 5250),
        (at(NOW_S + DELAY_MS_MAX // 1000), NOW_MS + DELAY_MS_MAX),
        (at(NOW_S), NOW_MS),
        (at(NOW_S - 1), NOW_MS),
        (at(0), NOW_MS),
        (at(-1), NOW_MS),
        (at(-62_135_596_800), NOW_MS),
    ],
    ids=label,
)
def test_a_delayed_message_is_due_at_its_time_or_at_once(stamp: Any, due_ms: int) -> None:
    assert check(message(delivery_timestamp=stamp)).due_ms == due_ms


@pytest.mark.parametrize(
    "stamp",
    [
        at(NOW_S + DELAY_MS_MAX // 1000, 1_000_000),
        at(NOW_MS),
        at(2**63 - 1),
        at(-(2**63)),
        at(-62_135_596_801),
        at(253_402_300_800),
        at(NOW_S, -1),
        at(NOW_S, 1_000_000_000),
    ],
    ids=label,
)
def test_a_delivery_time_out_of_reach_is_refused(stamp: Any) -> None:
    error = refusal(message(delivery_timestamp=stamp))
    assert error.code == Code.ILLEGAL_DELIVERY_TIME
    assert "delivery_timestamp" in str(error)


@pytest.mark.parametrize(
    ("duration", "recovery_ms"),
    [(lasting(30), 30_000), (lasting(3600), 3_600_000), (lasting(0), None), (lasting(-5), None), (lasting(0, 500_000_000), 500)],
    ids=label,
)
def test_the_recovery_duration_is_taken_up_to_an_hour(duration: Any, recovery_ms: int | None) -> None:
    sent = message(message_type=pb.TRANSACTION, orphaned_transaction_recovery_duration=duration)
    assert check(sent).recovery_ms == recovery_ms


@pytest.mark.parametrize(
    "duration", [lasting(3600, 1_000_000), lasting(3601), lasting(2**62), lasting(1, -1), lasting(0, 10**9)], ids=label
)
def test_a_recovery_duration_beyond_an_hour_is_refused(duration: Any) -> None:
    error = refusal(message(orphaned_transaction_recovery_duration=duration))
    assert error.code == Code.BAD_REQUEST
    assert "orphaned_transaction_recovery_duration" in str(error)


def test_a_time_of_birth_that_clients_could_not_read_is_refused() -> None:
    error = refusal(message(born_timestamp=at(NOW_MS)))
    assert error.code == Code.BAD_REQUEST
    assert "born_timestamp" in str(error)


def test_a_long_wrong_value_is_quoted_in_short() -> None:
    assert len(str(refusal(message(tag="t\x00" + "t" * 5000)))) < 200


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**10), 10**10)
NANOS = st.integers(-(2**31), 2**31 - 1) | st.integers(0, 999_999_999)


@given(NUMBERS, NANOS)
def test_no_delivery_time_overflows(seconds: int, nanos: int) -> None:
    is_valid = -62_135_596_800 <= seconds <= 253_402_300_799 and 0 <= nanos < 10**9
    due_ms = (seconds * 10**9 + nanos) // 10**6
    sent = message(delivery_timestamp=at(seconds, nanos))
    if is_valid and due_ms <= NOW_MS + DELAY_MS_MAX:
        assert check(sent).due_ms == max(due_ms, NOW_MS)
    else:
        assert refusal(sent).code == Code.ILLEGAL_DELIVERY_TIME


TEXT = st.text(max_size=8) | st.text("ab |\t\x7f\x9f\u3000", max_size=4)


def is_bad(text: str) -> bool:
    return any(ord(character) < 0x20 or 0x7F <= ord(character) <= 0x9F for character in text)


@given(TEXT, st.lists(TEXT, max_size=3), st.dictionaries(TEXT, TEXT, max_size=3))
def test_labels_are_refused_exactly_when_they_are_blank_or_have_control_characters(
    tag: str, keys: list[str], properties: dict[str, str]
) -> None:
    expected: Code | None = None
    if properties and any(map(is_bad, (*properties, *properties.values()))):
        expected = Code.ILLEGAL_MESSAGE_PROPERTY_KEY
    if any(key.isspace() or is_bad(key) for key in keys):
        expected = Code.ILLEGAL_MESSAGE_KEY
    if tag.isspace() or "|" in tag or is_bad(tag):
        expected = Code.ILLEGAL_MESSAGE_TAG
    sent = message(properties=properties, tag=tag, keys=keys)
    if expected is None:
        assert (check(sent).tag, check(sent).keys) == (tag, tuple(keys))
    else:
        assert refusal(sent).code == expected


def is_parsed(sent: pb.Message, raw: bytes) -> bool:
    try:
        sent.ParseFromString(raw)
    except DecodeError:
        return False
    return True


@given(st.binary(max_size=120))
def test_garbage_in_a_message_is_checked_or_refused(garbage: bytes) -> None:
    sent = pb.Message()
    raw = message().SerializeToString() + garbage
    if not is_parsed(sent, raw):
        return
    with contextlib.suppress(RefusedError):
        assert check_message(sent, len(raw), NOW_MS).message_id == sent.system_properties.message_id
