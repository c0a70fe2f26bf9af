"""The checks of requests at the edge."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from mq.core.errors import Code, RefusedError
from mq.core.limits import BATCH_MESSAGES_MAX, BODY_FRAME_BYTES_MAX, INVISIBLE_MS_MAX, LONG_POLL_MS_MAX, RENEW_INVISIBLE_MS
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.validate import (
    CheckedPull,
    CheckedReceive,
    CheckedSettings,
    check_change_invisible,
    check_client_id,
    check_filter,
    check_group,
    check_own_topic,
    check_pull,
    check_receive,
    check_same_topic,
    check_settings,
    check_size_together,
    check_topic,
    duration_ms,
    timestamp_ms,
)


def refusal(check: Any, *arguments: Any) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        check(*arguments)
    return refused.value


def lasting(seconds: float) -> Duration:
    return Duration(seconds=int(seconds), nanos=round((seconds - int(seconds)) * 1e9))


def label(value: object) -> str:
    """A parameter in one line: protobuf messages have no name of their own."""
    return repr(value).replace("\n", " ")[:60]


# --- names


@pytest.mark.parametrize("name", ["orders", "a" * 127, "%DLQ%group", "%RETRY%group", "A-b_9|%", "TBW1020", "rmq"])
def test_good_topic_names_pass(name: str) -> None:
    assert check_topic(name) == name


@pytest.mark.parametrize("name", ["", " ", "a" * 128, "a b", "a.b", "ä", "a\n", "orders!", "a/b"])
def test_bad_topic_names_are_refused(name: str) -> None:
    error = refusal(check_topic, name)
    assert error.code == Code.ILLEGAL_TOPIC
    assert str(error).startswith("topic: ")


@pytest.mark.parametrize(
    "name",
    [
        "TBW102",
        "SCHEDULE_TOPIC_XXXX",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "rmq_sys_wheel_timer",
        "SELF_TEST_TOPIC",
        "BenchmarkTest",
        "OFFSET_MOVED_EVENT",
        "TRANS_CHECK_MAX_TIME_TOPIC",
        "CHECKPOINT_TOPIC",
    ],
)
def test_system_topics_are_refused(name: str) -> None:
    error = refusal(check_topic, name)
    assert error.code == Code.ILLEGAL_TOPIC
    assert "system topic" in str(error)


def test_the_broker_alone_writes_dead_letters_and_retries() -> None:
    assert check_own_topic("orders") == "orders"
    for name in ("%DLQ%group", "%RETRY%group"):
        assert refusal(check_own_topic, name).code == Code.FORBIDDEN


@pytest.mark.parametrize("name", ["g", "g" * 120, "CID_orders", "a%b|c"])
def test_good_group_names_pass(name: str) -> None:
    assert check_group(name) == name


@pytest.mark.parametrize(
    "name", ["", "  ", "g" * 121, "bad group!", "g\n", "CID_RMQ_SYS_TRANS", "TOOLS_CONSUMER", "DEFAULT_CONSUMER"]
)
def test_bad_group_names_are_refused(name: str) -> None:
    error = refusal(check_group, name)
    assert error.code == Code.ILLEGAL_CONSUMER_GROUP
    assert str(error).startswith("group: ")


@pytest.mark.parametrize("client_id", [None, "", "  "])
def test_a_client_id_is_required(client_id: str | None) -> None:
    assert refusal(check_client_id, client_id).code == Code.CLIENT_ID_REQUIRED


def test_a_client_id_may_be_anything_of_bounded_length() -> None:
    assert check_client_id("host@12@0@abc") == "host@12@0@abc"
    assert refusal(check_client_id, "x" * 256).code == Code.BAD_REQUEST


# --- durations and timestamps


@pytest.mark.parametrize(
    ("seconds", "nanos", "ms"),
    [
        (0, 0, 0),
        (9, 900_000_000, 9900),
        (9, 999_999_999, 9999),
        (-1, 0, -1000),
        (0, -1, -1),
        (315_576_000_000, 0, 315_576_000_000_000),
    ],
)
def test_durations_are_rounded_down(seconds: int, nanos: int, ms: int) -> None:
    assert duration_ms(Duration(seconds=seconds, nanos=nanos), "field") == ms


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(315_576_000_001, 0), (2**63 - 1, 0), (-(2**63), 0), (0, 10**9), (0, -(10**9)), (1, -1), (-1, 1)]
)
def test_impossible_durations_are_refused(seconds: int, nanos: int) -> None:
    error = refusal(duration_ms, Duration(seconds=seconds, nanos=nanos), "some_field", Code.ILLEGAL_INVISIBLE_TIME)
    assert error.code == Code.ILLEGAL_INVISIBLE_TIME
    assert "some_field" in str(error)


SECONDS, NANOS = st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1)


@given(SECONDS | st.integers(-(10**9), 10**9), NANOS)
def test_a_duration_is_exact_or_impossible(seconds: int, nanos: int) -> None:
    is_possible = abs(seconds) <= 315_576_000_000 and abs(nanos) < 10**9 and seconds * nanos >= 0
    duration = Duration(seconds=seconds, nanos=nanos)
    if is_possible:
        assert duration_ms(duration, "field") == (seconds * 10**9 + nanos) // 10**6
    else:
        assert refusal(duration_ms, duration, "field").code == Code.BAD_REQUEST


@given(SECONDS | st.integers(-(10**9), 10**9), NANOS)
def test_a_timestamp_is_exact_or_impossible(seconds: int, nanos: int) -> None:
    is_possible = -62_135_596_800 <= seconds <= 253_402_300_799 and 0 <= nanos < 10**9
    timestamp = Timestamp(seconds=seconds, nanos=nanos)
    if is_possible:
        assert timestamp_ms(timestamp, "field") == (seconds * 10**9 + nanos) // 10**6
    else:
        assert refusal(timestamp_ms, timestamp, "field").code == Code.BAD_REQUEST


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(253_402_300_800, 0), (-62_135_596_801, 0), (0, -1), (0, 10**9), (1_790_000_000_000, 0)]
)
def test_impossible_timestamps_are_refused(seconds: int, nanos: int) -> None:
    assert "1 to 9999" in str(refusal(timestamp_ms, Timestamp(seconds=seconds, nanos=nanos), "timestamp"))


# --- sending


def test_one_topic_for_all_messages_of_a_request() -> None:
    def sent(*topics: str) -> pb.SendMessageRequest:
        return pb.SendMessageRequest(messages=[pb.Message(topic=pb.Resource(name=topic)) for topic in topics])

    assert check_same_topic(sent("a")) == "a"
    assert check_same_topic(sent("a", "a", "a")) == "a"
    assert refusal(check_same_topic, sent()).code == Code.MESSAGE_CORRUPTED
    assert refusal(check_same_topic, sent("a", "b")).code == Code.MESSAGE_CORRUPTED
    assert refusal(check_same_topic, sent("bad topic!")).code == Code.ILLEGAL_TOPIC
    assert refusal(check_same_topic, sent("%DLQ%g")).code == Code.FORBIDDEN
    assert check_same_topic(sent(*["a"] * BATCH_MESSAGES_MAX)) == "a"
    assert refusal(check_same_topic, sent(*["a"] * (BATCH_MESSAGES_MAX + 1))).code == Code.PAYLOAD_TOO_LARGE


def test_several_messages_must_fit_into_one_entry() -> None:
    half = bytes(BODY_FRAME_BYTES_MAX // 2)
    check_size_together([half, half])
    check_size_together([bytes(BODY_FRAME_BYTES_MAX + 1)])  # one alone has limits of its own
    assert refusal(check_size_together, [half, half, b"x"]).code == Code.PAYLOAD_TOO_LARGE


# --- receiving


def receive(**fields: Any) -> pb.ReceiveMessageRequest:
    return pb.ReceiveMessageRequest(
        **{
            "group": pb.Resource(name="g"),
            "message_queue": pb.MessageQueue(topic=pb.Resource(name="orders"), id=3),
            "filter_expression": pb.FilterExpression(type=pb.TAG, expression="a || b"),
            "batch_size": 10,
            "invisible_duration": lasting(30),
            "long_polling_timeout": lasting(5),
            **fields,
        }
    )


def test_a_receive_request_is_told_in_full() -> None:
    tags = frozenset(("a", "b"))
    assert check_receive(receive(attempt_id="u1")) == CheckedReceive("g", "orders", 3, 10, tags, False, 30_000, 5000, "u1")


@pytest.mark.parametrize("seconds", [10, 43200, 10.0005])
def test_invisible_durations_in_their_limits_are_taken(seconds: float) -> None:
    assert check_receive(receive(invisible_duration=lasting(seconds))).invisible_ms == int(seconds * 1000)


@pytest.mark.parametrize(
    "duration", [lasting(9), lasting(9.9), lasting(0), lasting(-30), lasting(43201), lasting(9.999999), None], ids=label
)
def test_invisible_durations_outside_their_limits_are_refused(duration: Duration | None) -> None:
    error = refusal(check_receive, receive(invisible_duration=duration))
    assert error.code == Code.ILLEGAL_INVISIBLE_TIME
    assert "invisible_duration" in str(error)


@pytest.mark.parametrize("duration", [None, lasting(1), lasting(2**40)], ids=label)
def test_the_broker_chooses_the_invisible_duration_that_it_renews(duration: Duration | None) -> None:
    checked = check_receive(receive(auto_renew=True, invisible_duration=duration))
    assert (checked.auto_renew, checked.invisible_ms) == (True, RENEW_INVISIBLE_MS)


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (1, 1), (32, 32), (33, 32), (2**31 - 1, 32)])
def test_a_batch_is_at_most_32(asked: int, given: int) -> None:
    assert check_receive(receive(batch_size=asked)).batch_size == given


def test_a_negative_batch_is_refused() -> None:
    error = refusal(check_receive, receive(batch_size=-1))
    assert (error.code, str(error)[:11]) == (Code.BAD_REQUEST, "batch_size:")


@pytest.mark.parametrize(
    ("asked", "ms"),
    [(None, None), (lasting(0), 0), (lasting(1.5), 1500), (lasting(20), 20_000), (lasting(86400), LONG_POLL_MS_MAX)],
    ids=label,
)
def test_a_poll_waits_as_long_as_asked_within_the_limit(asked: Duration | None, ms: int | None) -> None:
    assert check_receive(receive(long_polling_timeout=asked)).long_poll_ms == ms


@pytest.mark.parametrize("asked", [lasting(-1), Duration(seconds=2**60), Duration(nanos=-1)], ids=label)
def test_a_poll_cannot_wait_for_an_impossible_time(asked: Duration) -> None:
    assert refusal(check_receive, receive(long_polling_timeout=asked)).code == Code.ILLEGAL_POLLING_TIME


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"group": pb.Resource(name="bad group!")}, Code.ILLEGAL_CONSUMER_GROUP),
        ({"group": None}, Code.ILLEGAL_CONSUMER_GROUP),
        ({"message_queue": pb.MessageQueue(topic=pb.Resource(name="?"))}, Code.ILLEGAL_TOPIC),
        ({"message_queue": None}, Code.ILLEGAL_TOPIC),
        ({"attempt_id": "u" * 256}, Code.BAD_REQUEST),
        ({"filter_expression": pb.FilterExpression(type=pb.TAG, expression="||")}, Code.ILLEGAL_FILTER_EXPRESSION),
        ({"filter_expression": pb.FilterExpression(type=pb.TAG)}, Code.ILLEGAL_FILTER_EXPRESSION),
        ({"filter_expression": pb.FilterExpression(type=pb.SQL, expression="a = 1")}, Code.ILLEGAL_FILTER_EXPRESSION),
    ],
)
def test_a_wrong_receive_request_has_its_code(fields: dict[str, Any], code: Code) -> None:
    assert refusal(check_receive, receive(**fields)).code == code


def test_without_a_filter_everything_is_received() -> None:
    assert check_receive(receive(filter_expression=None)).tags is None


def test_a_dead_letter_topic_can_be_received_from() -> None:
    queue = pb.MessageQueue(topic=pb.Resource(name="%DLQ%g"))
    assert check_receive(receive(message_queue=queue)).topic == "%DLQ%g"


def test_a_filter_of_unknown_type_counts_as_a_tag_expression() -> None:
    assert check_filter(pb.FilterExpression(type=9, expression="a")) == frozenset("a")  # type: ignore[arg-type]
    assert check_filter(pb.FilterExpression(expression="*")) is None


def test_sql_filters_are_refused_with_a_hint() -> None:
    assert "later stage" in str(refusal(check_filter, pb.FilterExpression(type=pb.SQL, expression="a = 1")))


def test_a_pull_request_is_told_in_full() -> None:
    queue = pb.MessageQueue(topic=pb.Resource(name="orders"), id=2)
    asked = pb.PullMessageRequest(message_queue=queue, offset=7, batch_size=100)
    assert check_pull(asked) == CheckedPull("orders", 2, 7, 32, None, 0)
    asked.long_polling_timeout.seconds = 3
    asked.filter_expression.expression = "a"
    assert check_pull(asked) == CheckedPull("orders", 2, 7, 32, frozenset("a"), 3000)
    asked.group.name = "bad group!"
    assert refusal(check_pull, asked).code == Code.ILLEGAL_CONSUMER_GROUP


# --- changing the invisible duration


def change(duration: Duration | None, group: str = "g", topic: str = "orders") -> pb.ChangeInvisibleDurationRequest:
    return pb.ChangeInvisibleDurationRequest(
        group=pb.Resource(name=group), topic=pb.Resource(name=topic), invisible_duration=duration
    )


@pytest.mark.parametrize(
    ("duration", "ms"), [(lasting(0), 0), (None, 0), (lasting(0.002), 2), (lasting(43200), INVISIBLE_MS_MAX)], ids=label
)
def test_an_invisible_duration_may_be_changed_to_nothing_or_much(duration: Duration | None, ms: int) -> None:
    assert check_change_invisible(change(duration)) == ms


@pytest.mark.parametrize(
    "duration",
    [lasting(-1), lasting(43201), Duration(nanos=-1), Duration(seconds=2**62), Duration(seconds=1, nanos=-1)],
    ids=label,
)
def test_an_invisible_duration_outside_its_limits_cannot_be_changed_to(duration: Duration) -> None:
    assert refusal(check_change_invisible, change(duration)).code == Code.ILLEGAL_INVISIBLE_TIME


def test_a_change_names_group_and_topic() -> None:
    assert refusal(check_change_invisible, change(None, group="")).code == Code.ILLEGAL_CONSUMER_GROUP
    assert refusal(check_change_invisible, change(None, topic="")).code == Code.ILLEGAL_TOPIC


# --- settings


def producer(*topics: str, **fields: Any) -> pb.Settings:
    return pb.Settings(
        client_type=pb.PRODUCER, publishing=pb.Publishing(topics=[pb.Resource(name=topic) for topic in topics]), **fields
    )


def consumer(group: str, *topics: str) -> pb.Settings:
    entries = [pb.SubscriptionEntry(topic=pb.Resource(name=topic)) for topic in topics]
    return pb.Settings(
        client_type=pb.PUSH_CONSUMER, subscription=pb.Subscription(group=pb.Resource(name=group), subscriptions=entries)
    )


def test_settings_are_told_in_short() -> None:
    assert check_settings(producer("a", "b")) == CheckedSettings(pb.PRODUCER, None, ("a", "b"))
    assert check_settings(producer()) == CheckedSettings(pb.PRODUCER, None, ())
    assert check_settings(consumer("g", "a", "%DLQ%g")) == CheckedSettings(pb.PUSH_CONSUMER, "g", ("a", "%DLQ%g"))


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        pytest.param(producer("bad topic!"), Code.ILLEGAL_TOPIC, id="bad published topic"),
        pytest.param(producer("good", ""), Code.ILLEGAL_TOPIC, id="blank published topic"),
        pytest.param(consumer("g", "TBW102"), Code.ILLEGAL_TOPIC, id="subscribed system topic"),
        pytest.param(consumer("", "a"), Code.ILLEGAL_CONSUMER_GROUP, id="no group"),
        pytest.param(consumer("bad group!", "a"), Code.ILLEGAL_CONSUMER_GROUP, id="bad group"),
        pytest.param(consumer("g" * 121, "a"), Code.ILLEGAL_CONSUMER_GROUP, id="long group"),
        pytest.param(consumer("CID_RMQ_SYS_x", "a"), Code.ILLEGAL_CONSUMER_GROUP, id="system group"),
        pytest.param(pb.Settings(client_type=pb.PRODUCER), Code.BAD_REQUEST, id="neither producer nor consumer"),
    ],
)
def test_wrong_settings_have_their_code(settings: pb.Settings, code: Code) -> None:
    assert refusal(check_settings, settings).code == code


@pytest.mark.parametrize(
    "properties",
    [{}, {"a": ""}, {"a" * 64: "v" * 256}, {f"k{n}": "v" for n in range(32)}, {f"k{n:02}": "v" * 125 for n in range(32)}],
)
def test_client_properties_in_their_limits_are_taken(properties: dict[str, str]) -> None:
    check_settings(producer(client_properties=properties))


@pytest.mark.parametrize(
    "properties",
    [
        {"": "v"},
        {"1a": "v"},
        {"é": "v"},
        {"a" * 65: "v"},
        {"a": "v" * 257},
        {f"k{n}": "v" for n in range(33)},
        {f"k{n:02}": "v" * 126 for n in range(32)},
    ],
)
def test_client_properties_outside_their_limits_are_refused(properties: dict[str, str]) -> None:
    error = refusal(check_settings, producer(client_properties=properties))
    assert error.code == Code.INVALID_CLIENT_PROPERTIES
    assert "client_properties" in str(error)
