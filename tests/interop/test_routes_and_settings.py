"""Where queues are, and what clients are told when they introduce themselves."""

import pytest

from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.methods import MESSAGING
from tests.cluster.broker_process import BrokerProcess
from tests.interop.driving import Official, RefusedByClientError
from tests.interop.place import Place
from tests.interop.raw import NOTHING_NEW, OK, RawClient

KINDS = (MessageKind.NORMAL, MessageKind.FIFO, MessageKind.DELAY, MessageKind.TRANSACTION)
NOT_SERVED = {"RecallMessage", "SyncLiteSubscription"}
BY_OFFSET = {"PullMessage", "UpdateOffset", "GetOffset", "QueryOffset"}


def test_case_1_route_of_a_known_topic_lists_the_right_types(place: Place, broker: BrokerProcess) -> None:
    for kind in KINDS:
        topic = place.new_topic(kind)
        response = place.raw(topic).route()
        assert response.status.code == OK
        assert [queue.id for queue in response.message_queues] == [0, 1, 2, 3]
        for queue in response.message_queues:
            assert (queue.topic.name, list(queue.accept_message_types)) == (topic, [kind])
            assert (queue.permission, queue.broker.id, queue.broker.name) == (pb.READ_WRITE, 0, "broker-a")
            assert queue.broker.endpoints.scheme == pb.IPv4
            assert [(a.host, a.port) for a in queue.broker.endpoints.addresses] == [("127.0.0.1", broker.port)]


def test_a_route_is_the_same_each_time(raw: RawClient) -> None:
    first = raw.route().SerializeToString(deterministic=True)
    assert [raw.route().SerializeToString(deterministic=True) for _ in range(3)] == [first] * 3


def test_case_2_unknown_topic(raw: RawClient, official: Official) -> None:
    route = raw.route("nobody-made-it")
    sent = raw.send_all([raw.message(topic="nobody-made-it")])
    assert (route.status.code, sent.status.code) == (40402, 40402)
    assert "mq topic create nobody-made-it" in route.status.message
    assert "mq topic create nobody-made-it" in sent.status.message
    official.producer("lost", topic="nobody-made-it")
    with pytest.raises(RefusedByClientError, match="nobody-made-it"):
        official.send("lost", topic="nobody-made-it", body="x")
    official.shut_down("lost")


BAD_NAMES = (
    "bad topic!",
    "a.b",
    "",
    " ",
    "ä",
    "a" * 128,
    "TBW102",
    "SCHEDULE_TOPIC_XXXX",
    "rmq_sys_x",
    "RMQ_SYS_x",
    "BenchmarkTest",
)


def test_case_3_wrong_topic_characters(raw: RawClient) -> None:
    for name in BAD_NAMES:
        assert (name, raw.route(name).status.code, raw.try_send(topic=name)) == (name, 40002, 40002)
    assert raw.route("a" * 127).status.code == 40402


CONSUMERS = (pb.PUSH_CONSUMER, pb.SIMPLE_CONSUMER)


def test_case_6_settings_answer_per_client_type(place: Place, raw: RawClient) -> None:
    asked = raw.settings(pb.PRODUCER)
    answer = raw.telemetry(asked).hear()
    backoff, publishing = answer.settings.backoff_policy, answer.settings.publishing
    assert (answer.status.code, answer.settings.client_type) == (OK, pb.PRODUCER)
    assert (backoff.max_attempts, backoff.WhichOneof("strategy")) == (3, "exponential_backoff")
    exponential = backoff.exponential_backoff
    assert (exponential.initial.ToMilliseconds(), exponential.max.ToMilliseconds(), exponential.multiplier) == (10, 1000, 2)
    assert (publishing.max_body_size, publishing.validate_message_type) == (4 << 20, True)
    assert list(publishing.topics) == list(asked.publishing.topics)
    assert (answer.settings.HasField("metric"), answer.settings.metric.on) == (True, False)
    for is_fifo, wished, attempts in ((False, 0, 17), (True, 0, 17), (False, 3, 3)):
        group = place.new_group(is_fifo=is_fifo, max_attempts=wished)
        for client_type in CONSUMERS:
            asked = raw.settings(client_type, group=group)
            answer = raw.telemetry(asked).hear()
            subscription, backoff = answer.settings.subscription, answer.settings.backoff_policy
            assert (answer.status.code, answer.settings.client_type) == (OK, client_type)
            assert (subscription.fifo, subscription.receive_batch_size) == (is_fifo, 32)
            assert subscription.long_polling_timeout.ToSeconds() == 20
            assert (subscription.group.name, list(subscription.subscriptions)) == (group, list(asked.subscription.subscriptions))
            assert (subscription.lite_subscription_quota, subscription.max_lite_topic_size) == (2000, 64)
            delays = [delay.ToSeconds() for delay in backoff.customized_backoff.next]
            assert (backoff.max_attempts, delays[:5], delays[-2:], len(delays)) == (
                attempts,
                [1, 5, 10, 30, 60],
                [3600, 7200],
                18,
            )
            assert (answer.settings.HasField("metric"), answer.settings.metric.on) == (True, False)


def test_a_clients_own_wishes_are_overwritten_and_the_rest_is_echoed(raw: RawClient) -> None:
    asked = raw.settings(pb.PUSH_CONSUMER)
    asked.subscription.fifo, asked.subscription.receive_batch_size = True, 1
    asked.backoff_policy.max_attempts, asked.metric.on = 1, True
    asked.user_agent.hostname = "kitchen"
    settings = raw.telemetry(asked).hear().settings
    assert (settings.subscription.fifo, settings.subscription.receive_batch_size) == (False, 32)
    assert (settings.backoff_policy.max_attempts, settings.metric.on) == (17, False)
    assert (settings.user_agent.hostname, settings.request_timeout) == ("kitchen", asked.request_timeout)


def test_second_settings_on_the_same_stream_are_answered_again(place: Place, raw: RawClient) -> None:
    stream = raw.telemetry(raw.settings(pb.PUSH_CONSUMER))
    assert stream.hear().status.code == OK
    group = place.new_group(max_attempts=5)
    stream.tell(raw.settings(pb.PUSH_CONSUMER, group=group))
    again = stream.hear()
    assert (again.status.code, again.settings.subscription.group.name) == (OK, group)
    assert again.settings.backoff_policy.max_attempts == 5


def test_node_is_told_an_exponential_back_off(place: Place) -> None:
    node = place.raw(language="HTTP")
    backoff = node.telemetry(node.settings(pb.PUSH_CONSUMER)).hear().settings.backoff_policy
    assert (backoff.WhichOneof("strategy"), backoff.max_attempts) == ("exponential_backoff", 17)
    # It takes the seconds for milliseconds: all that it asks for must fall below the broker's own second.
    assert (backoff.exponential_backoff.initial.seconds, backoff.exponential_backoff.multiplier) == (1, 2)
    assert backoff.exponential_backoff.max.seconds < 1000


def test_case_7_every_rpc_works_without_telemetry(place: Place, raw: RawClient) -> None:
    """Each of an official client's but Telemetry itself; those that no official client calls are `test_offsets.py`'s."""
    assert raw.route().status.code == OK
    assert raw.heartbeat(pb.PRODUCER) == OK
    assert raw.heartbeat(pb.PUSH_CONSUMER, raw.group) == OK
    assert raw.assignments().status.code == OK
    raw.send()
    (message,) = raw.take(1)
    changed = raw.change(message.system_properties.receipt_handle, 20)
    assert changed.status.code == OK
    # The old handle is spent; the one that came back is good.
    assert raw.ack_entries(changed.receipt_handle).status.code == OK
    raw.send(b"second")
    (message,) = raw.take(1)
    assert raw.forward(message.system_properties.receipt_handle) == OK
    bank = place.raw(place.new_topic(MessageKind.TRANSACTION))
    half = bank.send(b"half", kind=pb.TRANSACTION)
    assert bank.receive(wait_s=0).bodies == []
    assert bank.end_transaction(half, pb.COMMIT) == OK
    assert [message.body for message in bank.take(1, acks=True)] == [b"half"]
    # Not served yet, and said so as an answer.
    for name in NOT_SERVED:
        assert raw.call(name, MESSAGING[name].request()).status.code == pb.NOT_IMPLEMENTED
    assert raw.say_goodbye() == OK
    stranger = place.raw()
    assert stranger.say_goodbye() == OK
    assert raw.called | bank.called == MESSAGING.keys() - {"Telemetry"} - BY_OFFSET


def test_case_68_refused_clients(place: Place, raw: RawClient) -> None:
    for client_id in ("", " "):
        nobody = place.raw(client_id=client_id)
        assert (nobody.route().status.code, nobody.try_send(), nobody.ack_entries("x").status.code) == (40017, 40017, 40017)
        received = nobody.receive(wait_s=0)
        assert (received.status.code, received.order) == (40017, ["status"])
        stream = nobody.telemetry(nobody.settings(pb.PRODUCER))
        command = stream.hear()
        assert (command.status.code, command.WhichOneof("command")) == (40017, None)
        assert (stream.hear(), stream.broken) == (None, "ended")
    for client_type, wrong in (
        (pb.PRODUCER, {"topic": "bad topic!"}), (pb.PUSH_CONSUMER, {"group": ""}), (pb.PUSH_CONSUMER, {"group": "bad group!"}),
        (pb.PUSH_CONSUMER, {"group": "g" * 121}), (pb.PUSH_CONSUMER, {"group": "TOOLS_CONSUMER"}),
    ):  # fmt: skip
        stream = raw.telemetry(raw.settings(client_type, **wrong))
        assert (stream.hear(), stream.broken.split(":")[0]) == (None, "INVALID_ARGUMENT"), wrong
    stream = raw.telemetry(pb.Settings(client_type=pb.PRODUCER))
    assert stream.hear() is None
    assert "neither publishing nor subscription" in stream.broken
    assert raw.telemetry(raw.settings(pb.PRODUCER)).hear().status.code == OK
    assert (raw.heartbeat(pb.PRODUCER), raw.heartbeat(pb.SIMPLE_CONSUMER, raw.group)) == (OK, OK)
    assert raw.heartbeat(pb.SIMPLE_CONSUMER) == 40003


def test_case_69_assignments(place: Place, raw: RawClient) -> None:
    plain, ordered = place.new_group(), place.new_group(is_fifo=True)
    for kind in (MessageKind.NORMAL, MessageKind.FIFO):
        topic = place.new_topic(kind)
        for group, ids in ((plain, [-1]), (ordered, [0, 1, 2, 3]), ("nobody-made-it", [-1])):
            queues = [assignment.message_queue for assignment in raw.assignments(topic, group).assignments]
            assert [queue.id for queue in queues] == ids
            for queue in queues:
                assert (queue.topic.name, queue.permission, queue.broker.id) == (topic, pb.READ_WRITE, 0)
                assert queue.broker.endpoints == raw.route(topic).message_queues[0].broker.endpoints
    assert raw.assignments("nobody-made-it").status.code == 40402


def test_an_unknown_group_is_made_on_first_use_and_starts_at_the_beginning(place: Place) -> None:
    topic, group = place.new_topic(), place.new_name("group")
    consumer = place.raw(topic, group)
    for number in range(10):
        consumer.send(b"%d" % number)
    assert sorted(m.body for m in consumer.take(10, acks=True)) == [b"%d" % n for n in range(10)]
    assert group in [known.name for known in place.admin.groups()]
    another = place.new_name("group")
    introduced = place.raw(topic, another)
    assert introduced.telemetry(introduced.settings(pb.SIMPLE_CONSUMER)).hear().status.code == OK
    assert len(introduced.take(10)) == 10


def test_a_receive_from_an_unknown_topic_makes_no_group(place: Place) -> None:
    group = place.new_name("group")
    received = place.raw("nobody-made-it", group).receive(wait_s=0)
    assert (received.status.code, received.order) == (40402, ["status", "delivery_timestamp"])
    assert group not in [known.name for known in place.admin.groups()]


def test_rpcs_of_later_stages_say_so(raw: RawClient) -> None:
    named = pb.Resource(name=raw.topic)
    recalled = raw.call("RecallMessage", pb.RecallMessageRequest(topic=named, recall_handle="x"))
    synced = raw.call("SyncLiteSubscription", pb.SyncLiteSubscriptionRequest(topic=named, group=pb.Resource(name=raw.group)))
    assert (recalled.status.code, synced.status.code) == (50100, 50100)
    assert "stage" in recalled.status.message
    filtered = raw.receive_request(wait_s=0)
    filtered.filter_expression.type = pb.SQL
    raw.filter.CopyFrom(filtered.filter_expression)
    received = raw.receive(wait_s=0)
    assert (received.status.code, "later stage" in received.status.message) == (40010, True)


def test_rust_is_told_only_codes_that_it_knows(place: Place) -> None:
    rust, python = place.raw(language="RUST"), place.raw()
    assert (python.try_send(b""), rust.try_send(b"")) == (41302, 40000)
    named = pb.MessageQueue(topic=pb.Resource(name=rust.topic), id=99)
    request = pb.QueryOffsetRequest(message_queue=named, query_offset_policy=pb.END)
    assert (python.call("QueryOffset", request).status.code, rust.call("QueryOffset", request).status.code) == (40019, 40000)
    assert rust.receive(wait_s=0).status.code == NOTHING_NEW
