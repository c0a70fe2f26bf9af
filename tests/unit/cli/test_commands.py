import io
import json
import time
from collections.abc import Callable

import grpc
import pytest

from mq.cli import send
from mq.client.encoding import MessageEncoder
from mq.proto import broker_v1_pb2 as b
from mq.proto import rocketmq_v2_pb2 as v2
from tests.unit.cli.conftest import Ran
from tests.unit.cli.fake_broker import OK, FakeBroker

Mq = Callable[..., Ran]


def test_creating_a_topic_asks_for_what_was_said_and_prints_what_came(mq: Mq, broker: FakeBroker) -> None:
    ran = mq("topic", "create", "orders", "--type", "FIFO", "--queues", "4", "-o", "JSON")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json == {"name": "orders", "type": "fifo", "queues": 4, "permission": "read_write"}
    (request,) = broker.requests("CreateTopic")
    assert (request.name, request.type, request.queues, request.permission) == ("orders", v2.FIFO, 4, 0)


def test_what_is_not_given_is_left_to_the_broker(mq: Mq, broker: FakeBroker) -> None:
    assert mq("topic", "create", "orders").code == 0
    (topic,) = broker.requests("CreateTopic")
    assert (topic.type, topic.queues, topic.permission) == (0, 0, 0)
    assert mq("group", "create", "bakery").code == 0
    (group,) = broker.requests("CreateGroup")
    assert (group.HasField("is_fifo"), group.max_attempts) == (False, 0)


def test_creating_a_group_with_its_defaults_and_with_flags(mq: Mq, broker: FakeBroker) -> None:
    assert mq("group", "create", "plain", "-o", "json").json == {"name": "plain", "is_fifo": False, "max_attempts": 17}
    assert mq("group", "create", "strict", "--fifo", "--max-attempts", "3", "-o", "json").json["max_attempts"] == 3
    assert broker.requests("CreateGroup")[1].is_fifo


def test_lists_are_arrays_in_json_and_lines_in_tables(mq: Mq, broker: FakeBroker) -> None:
    for name in ("a", "b"):
        mq("topic", "create", name)
        mq("group", "create", name)
    assert [topic["name"] for topic in mq("topic", "list", "-o", "json").json] == ["a", "b"]
    assert [group["name"] for group in mq("group", "list", "-o", "json").json] == ["a", "b"]
    heading, *rows = mq("topic", "list").out.splitlines()
    assert heading.split() == ["NAME", "TYPE", "QUEUES", "PERMISSION"]
    assert [row.split() for row in rows] == [["a", "normal", "8", "read_write"], ["b", "normal", "8", "read_write"]]


def test_describing_shows_queues_lags_and_clients(mq: Mq, broker: FakeBroker) -> None:
    mq("topic", "create", "orders")
    mq("group", "create", "bakery")
    topic = mq("topic", "describe", "orders", "-o", "json").json
    assert topic["queues"] == [{"queue_id": 0, "min_offset": 0, "max_offset": 0, "broker": ""}]
    assert topic["groups"] == [{"group": "g", "lag": 3, "in_flight": 1}]
    group = mq("group", "describe", "bakery", "-o", "json").json
    row = {"topic": "t", "queue_id": 0, "consumer_offset": 5, "max_offset": 9, "lag": 4, "in_flight": 1, "broker": ""}
    assert group["queues"][0] == row
    assert group["clients"][0]["type"] == "push_consumer"
    assert "c@1" in mq("group", "describe", "bakery").out


@pytest.mark.parametrize(("to", "expected"), [("earliest", b.EARLIEST), ("LATEST", b.LATEST)])
def test_a_group_is_reset_to_an_end(mq: Mq, broker: FakeBroker, to: str, expected: "b.QueueEnd") -> None:
    assert mq("group", "reset", "bakery", "--to", to).code == 0
    assert broker.requests("ResetGroup")[0].end == expected


def test_a_reset_that_moves_nothing_says_why(mq: Mq, broker: FakeBroker) -> None:
    broker.answers["ResetGroup"] = lambda _request: b.ResetGroupResponse(code=OK)
    ran = mq("group", "reset", "bakery", "--to", "latest")
    assert (ran.code, ran.out) == (1, "")
    assert "group bakery has read no topic yet" in ran.err
    assert mq("group", "reset", "bakery", "--to", "latest", "-o", "json").json == []


def test_tables_say_yes_and_no(mq: Mq) -> None:
    assert mq("group", "create", "plain").out.splitlines()[1].split() == ["plain", "no", "17"]
    assert mq("group", "create", "strict", "--fifo").out.splitlines()[1].split() == ["strict", "yes", "17"]


def test_a_group_is_reset_to_an_offset_of_one_topic(mq: Mq, broker: FakeBroker) -> None:
    assert mq("group", "reset", "bakery", "--to", "7", "--topic", "orders", "-o", "json").json[0]["consumer_offset"] == 7
    assert broker.requests("ResetGroup")[0].topic == "orders"
    assert mq("group", "reset", "bakery", "--to", "-7").code == 2
    assert mq("group", "reset", "bakery", "--to", "yesterday").code == 2


def test_deleting_what_is_not_there_is_refused_with_a_way_to_see_what_is(mq: Mq) -> None:
    ran = mq("topic", "delete", "ghost")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "mq: there is no topic 'ghost'; `mq topic list` shows those that there are (40402 TOPIC_NOT_FOUND)\n"


def test_health_says_what_serves(mq: Mq, broker: FakeBroker) -> None:
    assert mq("health", "-o", "json").json["broker"]["name"] == "broker-f"
    broker.health = b"\x08\x02"
    ran = mq("health")
    assert ran.code == 1
    assert "does not serve" in ran.err


def test_calls_carry_the_headers_of_a_client(mq: Mq, broker: FakeBroker) -> None:
    mq("send", "orders", "bread")
    (_, _, headers) = broker.calls[0]
    assert headers["x-mq-client-id"].count("@") == 3
    assert headers["x-mq-language"] == "PYTHON"
    assert headers["x-mq-protocol"] == "GRPC_V2"


def test_a_message_is_sent_with_all_that_was_said_of_it(mq: Mq, broker: FakeBroker) -> None:
    ran = mq("send", "orders", "bread", "--key", "k1", "--key", "k2", "--tag", "t", "--property", "a=b=c", "-o", "json")
    assert (ran.code, ran.json["sent"], ran.json["messages"][0]["offset"]) == (0, 1, 0)
    (message,) = broker.requests("SendMessage")[0].messages
    assert (message.topic.name, message.body, dict(message.user_properties)) == ("orders", b"bread", {"a": "b=c"})
    system = message.system_properties
    assert (system.tag, list(system.keys), system.message_type) == ("t", ["k1", "k2"], v2.NORMAL)
    assert system.message_id == ran.json["messages"][0]["message_id"]
    assert len(system.message_id) == 34


def test_a_group_key_makes_it_fifo_and_a_delay_delayed(mq: Mq, broker: FakeBroker) -> None:
    assert mq("send", "orders", "bread", "--group-key", "anna").code == 0
    assert mq("send", "orders", "bread", "--delay", "1h").code == 0
    fifo, delayed = (request.messages[0].system_properties for request in broker.requests("SendMessage"))
    assert (fifo.message_type, fifo.message_group, fifo.HasField("delivery_timestamp")) == (v2.FIFO, "anna", False)
    assert delayed.message_type == v2.DELAY
    assert 3590 < delayed.delivery_timestamp.seconds - delayed.born_timestamp.seconds < 3610


def test_what_was_sent_again_is_not_told_like_a_loss(mq: Mq, broker: FakeBroker) -> None:
    def know_some(frame: b.BatchSend) -> list[b.BatchSent]:
        known = 100 if frame.sequence == 1 else 0
        return [b.BatchSent(code=OK, sequence=frame.sequence, count=len(frame.bodies) - known, duplicates=known)]

    broker.answers["SendBatches"] = know_some
    ran = mq("send", "orders", "roll", "--count", "1050")
    heading, row = ran.out.splitlines()
    assert heading.split() == ["TOPIC", "ACKNOWLEDGED", "ALREADY", "STORED", "SECONDS", "LONGEST", "PAUSE", "PER", "SECOND"]
    assert row.split()[:3] == ["orders", "1050", "100"]
    assert "100 of them were sent again, as their first answer was lost; they are stored once, too" in ran.err
    found = mq("send", "orders", "roll", "--count", "1050", "-o", "json").json
    assert found["acknowledged"] == found["sent"] + found["duplicates"] == 1050
    assert 0 < found["longest_pause_seconds"] <= found["seconds"]


def test_the_longest_pause_is_of_a_time_in_which_something_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    report = send.Report(lambda _count: None)
    for waited_s, idle_s in ((0.25, 60.0), (0.5, 60.0), (0.125, 60.0)):  # a slow source is no pause
        report.ask()
        report.ask()
        now_s[0] += waited_s
        report.add(["a"], 0)
        now_s[0] += 0.0625
        report.add(["b"], 1)
        now_s[0] += idle_s
    assert (report.pause_s, report.acknowledged) == (0.5, 6)


def test_few_messages_go_one_by_one_and_many_in_batches(mq: Mq, broker: FakeBroker) -> None:
    assert mq("send", "orders", "bread", "--count", "3").code == 0
    assert [request.messages[0].body for request in broker.requests("SendMessage")] == [b"bread 1", b"bread 2", b"bread 3"]
    ran = mq("send", "orders", "roll", "--count", "1050", "--key", "k", "-o", "json")
    assert (ran.code, ran.json["sent"], len(ran.json["messages"])) == (0, 1050, 1000)
    frames = broker.requests("SendBatches")
    assert [len(frame.bodies) for frame in frames] == [100] * 10 + [50]
    messages = [v2.Message.FromString(raw) for raw in broker.stored[-1050:]]
    assert [m.body for m in messages] == [f"roll {n}".encode() for n in range(1, 1051)]
    assert {tuple(m.system_properties.keys) for m in messages} == {("k",)}
    assert len({m.system_properties.message_id for m in messages}) == 1050


def test_many_fifo_messages_keep_to_single_sends(mq: Mq, broker: FakeBroker) -> None:
    assert mq("send", "orders", "--count", "120", "--group-key", "anna").code == 0
    assert len(broker.requests("SendMessage")) == 120
    assert not broker.requests("SendBatches")


def test_a_refused_batch_ends_the_command(mq: Mq, broker: FakeBroker) -> None:
    broker.failures["SendBatches"] = [(40402, "topic orders does not exist")]
    ran = mq("send", "orders", "--count", "100")
    assert ran.code == 1
    assert "topic orders does not exist" in ran.err
    assert ran.out == ""


def test_a_broker_that_never_takes_a_batch_is_told_with_its_reason(
    mq: Mq, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"bread\n"))))
    broker.failures["SendBatches"] = [(50400, "no space left for messages")] * 100
    ran = mq("send", "orders", "-", "--timeout", "0.5")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith("took no batch within 0.5 s, and it is not stored: no space left for messages\n")


def test_after_the_first_batch_that_failed_no_others_are_begun(mq: Mq, broker: FakeBroker) -> None:
    broker.answers["SendBatches"] = lambda frame: [b.BatchSent(code=50400, message="no space left", sequence=frame.sequence)]
    ran = mq("send", "orders", "--count", "200000", "--timeout", "3")
    assert (ran.code, ran.out) == (1, "")
    begun = {frame.sequence for frame in broker.requests("SendBatches")}
    assert 64 <= len(begun) <= 65, "a window of them, and the one that waited for room when the first had failed"


def store(broker: FakeBroker, *bodies: bytes) -> None:
    encoder = MessageEncoder(tag="t", properties={"colour": "red"})
    for number, body in enumerate(bodies, len(broker.stored)):
        broker.stored.append(encoder.encode(f"ID{number}", body, born_ms=1_700_000_000_123, keys=("k",)))


def test_consuming_prints_each_body_and_then_acknowledges(mq: Mq, broker: FakeBroker) -> None:
    store(broker, b"one", b"two", b"three")
    ran = mq("consume", "orders", "--group", "bakery", "--wait", "0")
    assert (ran.code, ran.out) == (0, "one\ntwo\nthree\n")
    assert broker.acked == ["handle-0", "handle-1", "handle-2"]
    assert broker.requests("NotifyClientTermination")[0].group.name == "bakery"


def test_consuming_a_count_takes_no_more_than_that(mq: Mq, broker: FakeBroker) -> None:
    store(broker, *(b"%d" % n for n in range(40)))
    ran = mq("consume", "orders", "--group", "bakery", "--count", "35")
    assert (ran.code, len(ran.out.splitlines()), len(broker.acked)) == (0, 35, 35)
    assert [request.batch_size for request in broker.requests("ReceiveMessage")] == [32, 3]


def test_consuming_nothing_or_too_little_is_exit_code_1(mq: Mq, broker: FakeBroker) -> None:
    assert mq("consume", "orders", "--group", "bakery", "--wait", "0").code == 1
    store(broker, b"one")
    ran = mq("consume", "orders", "--group", "bakery", "--count", "2", "--wait", "0")
    assert (ran.code, ran.out) == (1, "one\n")


def test_consumed_messages_are_json_lines_also_with_bodies_that_are_no_text(mq: Mq, broker: FakeBroker) -> None:
    store(broker, "größe".encode(), b"\xff\x00")
    ran = mq("consume", "orders", "--group", "bakery", "--wait", "0", "-o", "json")
    first, second = map(json.loads, ran.out.splitlines())
    assert (first["body"], first["topic"], first["offset"], first["tag"]) == ("größe", "orders", 0, "t")
    assert (first["keys"], first["properties"], first["born_ms"]) == (["k"], {"colour": "red"}, 1_700_000_000_123)
    assert (second["body"], second["body_base64"]) == (None, "/wA=")


def test_a_message_that_cannot_be_acknowledged_is_told(mq: Mq, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    store(broker, b"one")

    def refuse(request: v2.AckMessageRequest) -> v2.AckMessageResponse:
        status = v2.Status(code=v2.INVALID_RECEIPT_HANDLE, message="handle expired")
        entries = [v2.AckMessageResultEntry(message_id=entry.message_id, status=status) for entry in request.entries]
        return v2.AckMessageResponse(status=status, entries=entries)

    broker.answers["AckMessage"] = refuse
    ran = mq("consume", "orders", "--group", "bakery", "--wait", "0")
    assert (ran.code, ran.out) == (0, "one\n")
    assert "ID0 was not acknowledged and will come again: handle expired" in ran.err


def test_consuming_from_a_topic_that_is_not_there_is_refused(mq: Mq, broker: FakeBroker) -> None:
    broker.failures["ReceiveMessage"] = [(40402, "topic ghost does not exist")]
    ran = mq("consume", "ghost", "--group", "bakery")
    assert (ran.code, ran.out) == (1, "")
    assert "40402" in ran.err


def test_stored_messages_are_shown_by_place_id_and_key(mq: Mq, broker: FakeBroker) -> None:
    store(broker, b"one", b"two")
    assert mq("message", "get", "orders", "0", "1", "-o", "json").json["body"] == "two"
    assert "body:            two" in mq("message", "get", "orders", "0", "1").out
    assert mq("message", "get", "orders", "0", "2").code == 1
    assert [m["offset"] for m in mq("message", "query", "orders", "--id", "ID1", "-o", "json").json] == [1]
    assert [m["offset"] for m in mq("message", "query", "orders", "--key", "k", "-o", "json").json] == [0, 1]
    ran = mq("message", "query", "orders", "--id", "ID7", "-o", "json")
    assert (ran.code, ran.json) == (1, [])
    assert mq("message", "query", "orders").code == 2
    assert mq("message", "query", "orders", "--id", "a", "--key", "b").code == 2


def test_peeking_goes_through_the_pages(mq: Mq, broker: FakeBroker) -> None:
    mq("topic", "create", "orders")
    store(broker, *(b"body %d" % n for n in range(7)))
    assert [m["offset"] for m in mq("message", "peek", "orders", "-o", "json").json] == list(range(7))
    assert [m["offset"] for m in mq("message", "peek", "orders", "--offset", "2", "--count", "3", "-o", "json").json] == [2, 3, 4]
    assert [m["offset"] for m in mq("message", "peek", "orders", "--offset", "latest", "--count", "2", "-o", "json").json] == [
        5,
        6,
    ]
    assert [m["offset"] for m in mq("message", "peek", "orders", "--queue", "0", "--text", "body 6", "-o", "json").json] == [6]
    assert mq("message", "peek", "orders", "--text", "nowhere").code == 1


def test_a_table_shows_no_control_characters(mq: Mq, broker: FakeBroker) -> None:
    mq("topic", "create", "orders")
    store(broker, b"\x1b[31mred\x07")
    out = mq("message", "peek", "orders").out
    assert "\x1b" not in out
    assert "\\x1b[31mred\\x07" in out


def test_a_broken_connection_is_tried_again_and_a_refusal_is_not(mq: Mq, broker: FakeBroker) -> None:
    broker.failures["ListTopics"] = [grpc.StatusCode.UNAVAILABLE]
    assert mq("topic", "list", "-o", "json").code == 0
    assert len(broker.requests("ListTopics")) == 2
    broker.failures["ListTopics"] = [(40300, "no"), (40300, "no")]
    assert mq("topic", "list").code == 1
    assert len(broker.requests("ListTopics")) == 3


def test_empty_input_is_told(mq: Mq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"\n\r\n"))))
    ran = mq("send", "orders", "-")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "mq: standard input had no line with something in it; nothing was sent\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("topic", "create", "a", "--queues", "many"), "'--queues': 'many' is not a whole number, such as 1"),
        (("chaos", "--dir", "d", "--seed", "abc"), "'--seed': 'abc' is not a whole number, such as 2"),
        (("cluster", "up", "--dir", "d", "--nodes", "2.5"), "'--nodes': '2.5' is not a whole number, such as 1"),
        (("broker", "--port", "9"), "there is no such option; say --listen 127.0.0.1:9"),
        (("health", "--wait", "long"), "'--wait': 'long' is not a number, such as 2 or 0.5"),
        (("health", "--wait", "nan"), "'--wait': 'nan' is not a number, such as 2 or 0.5"),
        (("health", "--wait", "inf"), "'--wait': 'inf' is not a number, such as 2 or 0.5"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_what_an_option_does_not_take_is_told_with_what_would_do(arguments: tuple[str, ...], told: str, mq: Mq) -> None:
    ran = mq(*arguments)
    assert (ran.code, told in ran.err) == (2, True), ran
